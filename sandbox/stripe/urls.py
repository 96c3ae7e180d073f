"""The addresses of the sandbox."""

from django.urls import re_path

from sandbox.stripe.api import api_view

urlpatterns = [
    re_path(r"^v1/", api_view),
]
