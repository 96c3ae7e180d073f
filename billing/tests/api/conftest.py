from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User

CREDITS, ENTRIES = "/api/v1/admin/credits", "/api/v1/admin/ledger-entries"


def make_staff(email: str, *codenames: str) -> User:
    user = User.objects.create_user(email, "a staff password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def agent(db: None) -> User:
    return make_staff("agent@example.com", "adjust_credits", "view_ledgerentry")


@pytest.fixture
def api(agent: User) -> Client:
    """A client in which the agent is logged in."""
    client = Client()
    client.force_login(agent)
    return client


def give(api: Client, body: Any, *, key: str | None = "one", **headers: str) -> Any:
    """Ask for credits; a key of None sends none."""
    named = {"Idempotency-Key": key} if key is not None else {}
    return api.post(CREDITS, body, content_type="application/json", headers={**named, **headers})
