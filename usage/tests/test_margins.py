"""What the admin's lists of prices say that models and operations brought in."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.models import PricingConfig
from billing.selectors.margins import Margin, read_margins, read_models_at_default_price
from billing.tests.prices import make_operation_price, make_price
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent
from usage.services.calls import abandon_call, finish_call, open_call, open_operation
from usage.services.corrections import apply_correction, read_terms, reverse_correction
from usage.tests.factories import customer_of, make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def user() -> User:
    return make_user(credits=10_000)


def call(user: User, *, name: str, model: str = "test-model", output: int = 500) -> UsageEvent:
    opened = open_call(
        customer_id=customer_of(user).pk, model=model, input_tokens=1000, max_tokens=output, event_id=name
    )
    return finish_call(call=opened, tokens=Tokens(input=1000, output=output), basis=Basis.REPORTED)


def margins(kind: Any = "model", name: str = "test-model") -> Margin | None:
    return read_margins(kind=kind, names=[name], since=timezone.now() - HOUR).get(name)


def test_margin_is_what_was_charged_less_our_cost(user: User, settings: Any) -> None:
    settings.CREDITS_PER_USD = 1000
    make_price(markup_percent=Decimal(25))
    make_price(model="another")
    call(user, name="one")
    call(user, name="two")
    call(user, name="three", model="another")
    opened = open_call(
        customer_id=customer_of(user).pk, model="test-model", input_tokens=5, max_tokens=5, event_id="failed"
    )
    abandon_call(call=opened, failure="It timed out.")

    found = margins()

    assert found == Margin(calls=3, charged_usd=Decimal("0.005"), cost_usd=Decimal("0.004"))
    assert found.percent == 20


def test_what_was_used_before_does_not_count(user: User) -> None:
    make_price()
    call(user, name="one")

    assert read_margins(kind="model", names=["test-model"], since=timezone.now() + HOUR) == {}
    assert Margin().percent is None


def test_operations_have_margins_too(user: User) -> None:
    make_operation_price(operation="scan", usd=Decimal("0.002"), markup_percent=Decimal(100))
    opened = open_operation(customer_id=customer_of(user).pk, operation="scan", quantity=3, event_id="scan")
    finish_call(call=opened, basis=Basis.FIXED)

    assert margins("operation", "scan") == Margin(calls=1, charged_usd=Decimal("0.012"), cost_usd=Decimal("0.006"))


def test_corrections_count_and_what_took_them_back_too(user: User) -> None:
    make_price(markup_percent=Decimal(25))
    call(user, name="one")
    dearer = make_price(markup_percent=Decimal(50))
    now = timezone.now()
    terms = read_terms(model="test-model", since=now - HOUR, until=now, price_id=dearer.pk, now=now)

    correction = apply_correction(terms=terms, reason="Too cheap", actor=None)

    corrected = margins()
    assert corrected is not None
    assert corrected.charged_usd == Decimal("0.003")
    assert correction is not None
    reverse_correction(correction=correction, reason="It was right", actor=None)
    restored = margins()
    assert restored is not None
    assert restored.charged_usd == Decimal("0.0025")


def test_list_and_page_show_the_margin(user: User) -> None:
    make_price(markup_percent=Decimal(25))
    call(user, name="one", output=500_000)
    client = Client()
    client.force_login(User.objects.create_superuser("owner@staff.example.com", "a staff password"))

    for address in (
        reverse("admin:billing_pricingconfig_changelist"),
        reverse("admin:billing_pricingconfig_change", args=[PricingConfig.objects.get().pk]),
    ):
        told = " ".join(re.sub(r"<[^>]+>", " ", client.get(address).content.decode()).split())
        assert "1 call, $1.25" in told
        assert "$1.00" in told
        assert "20.0 %" in told


def test_models_at_the_default_price_are_told_to_staff(user: User, settings: Any) -> None:
    settings.DEFAULT_PRICE_MODEL = "test-model"
    make_price()
    event = call(user, name="one", model="brand-new")
    client = Client()
    client.force_login(User.objects.create_superuser("owner@staff.example.com", "a staff password"))

    page = client.get(reverse("admin:billing_pricingconfig_changelist"))

    assert event.is_default_price
    assert read_models_at_default_price(since=timezone.now() - HOUR) == {"brand-new": 1}
    assert "brand-new (1 call)" in page.content.decode()
    settings.DEFAULT_PRICE_MODEL = ""
    assert read_models_at_default_price(since=timezone.now() - HOUR) == {}
