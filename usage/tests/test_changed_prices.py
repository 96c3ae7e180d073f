"""A price that changes while calls are running, and a correction of what the first version charged."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from billing.models import PricingConfig
from billing.services.verification import find_ledger_faults
from billing.tests.prices import make_price
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent
from usage.selectors.corrections import preview_correction
from usage.services.calls import OpenCall, finish_call, open_call
from usage.services.corrections import apply_correction, read_terms, reverse_correction
from usage.tests.factories import balance_of, customer_of, make_user

pytestmark = pytest.mark.django_db
TOKENS = Tokens(input=1000, cached=400, output=500)  # 1.64 credits at the first version, 3.28 at the second


@pytest.fixture(autouse=True)
def _list_value(settings: Any) -> None:
    settings.CREDITS_PER_USD = 1000


@pytest.fixture
def user() -> User:
    return make_user(credits=100)


def begin(user: User, name: str) -> OpenCall:
    return open_call(
        customer_id=customer_of(user).pk, model="test-model", input_tokens=1000, max_tokens=500, event_id=name
    )


def end(call: OpenCall) -> UsageEvent:
    return finish_call(call=call, tokens=TOKENS, basis=Basis.REPORTED)


@pytest.fixture
def charged(user: User) -> tuple[UsageEvent, UsageEvent, UsageEvent]:
    """A call before the price doubled, one that was running meanwhile, one after it."""
    make_price()
    before, during = end(begin(user, "before")), begin(user, "during")
    make_price(markup_percent=Decimal(100))
    after = begin(user, "after")
    return before, end(during), end(after)


def test_each_call_is_charged_by_the_version_it_began_with(
    user: User, charged: tuple[UsageEvent, UsageEvent, UsageEvent]
) -> None:
    first, second = PricingConfig.objects.order_by("effective_from")

    assert [event.price for event in charged] == [first, first, second]
    assert [event.credits for event in charged] == [Decimal("1.64"), Decimal("1.64"), Decimal("3.28")]
    assert balance_of(user).posted == Decimal(100) - Decimal("6.56")


def test_correction_is_previewed_applied_and_taken_back(
    user: User, charged: tuple[UsageEvent, UsageEvent, UsageEvent]
) -> None:
    now = timezone.now()
    before = balance_of(user).posted
    terms = read_terms(model="test-model", since=now - timedelta(hours=1), until=now, price_id=None, now=now)

    [change] = preview_correction(terms=terms)
    assert (change.customer_id, change.calls, change.changed_calls) == (customer_of(user).pk, 3, 2)
    assert change.difference == Decimal("-3.28")  # signed as its entries will be
    assert balance_of(user).posted == before

    correction = apply_correction(terms=terms, reason="The new price held since yesterday", actor=None)
    assert correction is not None
    assert balance_of(user).posted == before - Decimal("3.28")
    assert [event.price_id for event in UsageEvent.objects.order_by("pk")] == [event.price_id for event in charged]

    reverse_correction(correction=correction, reason="It had not", actor=None)
    assert balance_of(user).posted == before
    assert list(find_ledger_faults()) == []
