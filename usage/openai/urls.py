"""The addresses below `/v1/` that any OpenAI client knows."""

from django.urls import URLPattern

app_name = "openai"
urlpatterns: list[URLPattern] = []
