from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.api_keys import issue_key
from accounts.models import ApiKey, User
from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.services.posting import Posting, post
from billing.tests.shop import make_customer

V1 = "/api/v1"
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


@dataclass(frozen=True, slots=True)
class Program:
    """A program with an API key, as it talks to us: no cookies, no session."""

    text: str
    key: ApiKey
    client: Client

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"{V1}{path}", headers={"Authorization": f"Bearer {self.text}", **headers})

    def post(self, path: str, body: Any = None, *, key: str | None = "one", **headers: str) -> Any:
        """Ask for something; a key of None sends none. Headers are named as they are written, with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["Idempotency-Key"] = key
        return self.client.post(
            f"{V1}{path}",
            {} if body is None else body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.text}", **named},
        )


_numbers = itertools.count(1)


def give_credits(customer: BillingCustomer, amount: Decimal | int | str) -> None:
    """Let the customer have so many free credits more."""
    key = f"grant:test-{next(_numbers)}"
    post(posting=Posting(customer_id=customer.pk, kind=EntryKind.PROMOTION, amount=Decimal(amount), key=key))


def make_program(user: User | None, *scopes: str, created_by: User | None = None, **terms: Any) -> Program:
    """A program with a new key of the user."""
    assert user is not None
    made = issue_key(user=user, name="A program", scopes=scopes or ("read", "spend"), created_by=created_by, **terms)
    return Program(made.text, made.key, Client(enforce_csrf_checks=True))


@pytest.fixture
def buyer(db: None) -> BillingCustomer:
    """A customer with 1,000 credits."""
    customer = make_customer()
    give_credits(customer, 1000)
    return customer


@pytest.fixture
def program(buyer: BillingCustomer) -> Program:
    """The buyer's program, which may read and spend."""
    return make_program(buyer.user)


@pytest.fixture
def platform(agent: User) -> Program:
    """A program of staff, which may act for any customer."""
    return make_program(agent, "read", "spend", "customers")
