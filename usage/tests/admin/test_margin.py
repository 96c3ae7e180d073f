"""The first page says what usage was charged, what it cost, and what has no price of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent
from usage.selectors.margin import read_usage_margin
from usage.services.calls import finish_call, open_call
from usage.services.corrections import apply_correction, read_terms
from usage.tests.factories import customer_of, make_price, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(db: None) -> User:
    """Somebody with 10,000 credits; a call of 1,000 tokens costs us $1 and is charged $1.25."""
    make_price(markup_percent=25)
    return make_user(credits=10_000)


def call(user: User, name: str, *, model: str = "small-model") -> UsageEvent:
    opened = open_call(customer_id=customer_of(user).pk, model=model, input_tokens=1000, max_tokens=1, event_id=name)
    return finish_call(call=opened, tokens=Tokens(input=1000), basis=Basis.REPORTED)


def tiles(**query: Any) -> dict[str, Any]:
    client = Client()
    client.force_login(User.objects.create_superuser(f"owner-{timezone.now().timestamp()}@example.com"))
    return {tile.label: tile for tile in client.get("/admin/", query).context["tiles"]}


def test_margin_is_charge_less_cost_with_corrections(user: User) -> None:
    event = call(user, "one")
    call(user, "two")
    shown = tiles()["Margin of usage"]
    assert (shown.value, shown.note) == ("20.0 %", "$2.50 charged at list price, $2.00 cost")

    cheaper = make_price("cheaper", input_usd_per_1k="0.5")
    terms = read_terms(
        model="small-model",
        since=event.occurred_at,
        until=timezone.now() + timedelta(seconds=1),
        price_id=cheaper.pk,
        now=timezone.now(),
    )
    assert apply_correction(terms=terms, reason="Too dear", actor=None)

    shown = tiles()["Margin of usage"]
    assert (shown.value, shown.needs_care) == ("-100.0 %", True)


def test_without_usage_there_is_no_margin() -> None:
    shown = tiles()["Margin of usage"]

    assert (shown.value, shown.needs_care) == ("–", False)
    assert "Calls at the default price" not in tiles()


def test_calls_at_the_default_price_ask_for_care(user: User, settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "small-model"
    call(user, "one")
    call(user, "two", model="unheard-of")

    shown = tiles()["Calls at the default price"]

    assert (shown.value, shown.note, shown.needs_care) == ("1", "of 2: give their models a price", True)


def test_only_the_period_counts(user: User) -> None:
    event = call(user, "one")

    before = read_usage_margin(since=event.occurred_at - timedelta(days=2), until=event.occurred_at)
    within = read_usage_margin(since=event.occurred_at, until=event.occurred_at + timedelta(seconds=1))

    assert (before.calls, before.charged) == (0, 0)
    assert (within.calls, within.charged, within.cost_usd) == (1, 1250, 1)
