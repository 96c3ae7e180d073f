"""Every address of the REST API; each app lists its own."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from billing.api.base import NoSuchAddress

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("billing.api.urls")),
    path("", include("usage.api.urls")),
    re_path(r"^[\s\S]*$", NoSuchAddress.as_view(), name="no_such_address"),
]
