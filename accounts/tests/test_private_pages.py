"""Pages of one's own stay one's own: on a shared computer and in every cache on the way."""

import pytest
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "page", ["/accounts/email/", "/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/", "/billing/"]
)
def test_no_cache_keeps_a_page_of_somebody_logged_in(client: Client, page: str) -> None:
    client.force_login(User.objects.create_user("owner@example.com"))

    kept = client.get(page)["Cache-Control"]

    assert "no-store" in kept
    assert "private" in kept


def test_page_for_strangers_may_be_kept(client: Client) -> None:
    assert not client.get("/").has_header("Cache-Control")
