"""The addresses of the API below `/api/v1/` that are about usage."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
