"""The addresses of accounts that are not allauth's."""

from django.urls import path

from accounts.views import api_keys, new_api_key, revoke_api_key, rotate_api_key

app_name = "accounts"
urlpatterns = [
    path("", api_keys, name="api_keys"),
    path("new/", new_api_key, name="new_api_key"),
    path("<slug:key>/rotate/", rotate_api_key, name="rotate_api_key"),
    path("<slug:key>/revoke/", revoke_api_key, name="revoke_api_key"),
]
