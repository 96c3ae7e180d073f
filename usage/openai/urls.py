"""The addresses below `/v1/` that any OpenAI client knows."""

from django.urls import URLPattern, path, re_path

from usage.openai.base import NoSuchModelAddress
from usage.openai.chat import ChatCompletions
from usage.openai.embeddings import Embeddings
from usage.openai.images import ImageGenerations
from usage.openai.models import Models, OneModel

app_name = "openai"
urlpatterns: list[URLPattern] = [
    path("chat/completions", ChatCompletions.as_view(), name="chat_completions"),
    path("embeddings", Embeddings.as_view(), name="embeddings"),
    path("images/generations", ImageGenerations.as_view(), name="image_generations"),
    path("models", Models.as_view(), name="models"),
    path("models/<path:model>", OneModel.as_view(), name="model"),
    re_path(r"^[\s\S]*$", NoSuchModelAddress.as_view(), name="nothing"),
]
