"""Every address of the product; each app lists its own."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import schema

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/api-keys/", include("accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    path("api/schema/", schema.schema, name="api_schema"),
    path("api/docs/", schema.docs, name="api_docs"),
    path("v1/", include("usage.openai.urls")),
    path("", include("usage.urls")),
    path("", include("billing.urls")),
]

handler400 = "billing.views.errors.bad_request"
handler403 = "billing.views.errors.forbidden"
handler404 = "billing.views.errors.not_found"
handler500 = "billing.views.errors.server_error"
