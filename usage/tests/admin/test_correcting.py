"""The pages by which staff correct charges: filled in, shown, confirmed, taken back, finished."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import AuditEntry, BillingCustomer, PricingConfig
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of
from usage.admin import correction_page
from usage.models import UsageCorrection
from usage.services.corrections import apply_correction, finish_correction, read_terms, reverse_correction
from usage.tests.corrections import MODEL, make_price, overcharge

pytestmark = pytest.mark.django_db
LIST, CORRECT = "/admin/usage/usagecorrection/", "/admin/usage/usagecorrection/correct/"


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_superuser("owner@example.com")


@pytest.fixture
def admin(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def buyer(db: None) -> BillingCustomer:
    """Two calls were charged 35 credits each."""
    return overcharge(make_customer())


@pytest.fixture
def right(buyer: BillingCustomer) -> PricingConfig:
    """They should have cost 3.5 each."""
    return make_price(input_usd="0.0025")


def form_of(price: PricingConfig, **changes: str) -> dict[str, Any]:
    now = timezone.now()
    since, until = now - timedelta(days=1), now + timedelta(days=1)
    return {
        "model": MODEL,
        "since_0": f"{since:%Y-%m-%d}",
        "since_1": f"{since:%H:%M}",
        "until_0": f"{until:%Y-%m-%d}",
        "until_1": f"{until:%H:%M}",
        "price": str(price.pk),
        "reason": "Wrong price list",
        **changes,
    }


def correct(price: PricingConfig) -> UsageCorrection:
    now = timezone.now()
    terms = read_terms(
        model=MODEL,
        since=now - timedelta(days=1),
        until=now + timedelta(minutes=1),
        price_id=price.pk,
        now=now,
    )
    correction = apply_correction(terms=terms, reason="Wrong price list", actor=None)
    assert correction is not None
    return correction


def test_the_form_shows_whom_it_touches_and_changes_nothing(
    admin: Client, buyer: BillingCustomer, right: PricingConfig
) -> None:
    assert admin.get(CORRECT).status_code == 200

    page = admin.post(CORRECT, form_of(right)).content.decode()

    assert "Nothing has been posted yet" in page
    assert buyer.public_id in page
    for told in ("2 of 2", "70", "+63", "Wrong price list", "Confirm and post"):
        assert told in page
    assert balance_of(buyer).posted == 930
    assert not UsageCorrection.objects.exists()


def test_the_hidden_form_of_the_preview_confirms_it(
    admin: Client, owner: User, buyer: BillingCustomer, right: PricingConfig
) -> None:
    shown = admin.post(CORRECT, form_of(right))

    answer = admin.post(CORRECT, {**_hidden_fields(shown), "confirm": "1"}, follow=True)

    correction = UsageCorrection.objects.get()
    assert answer.redirect_chain[-1][0] == f"{LIST}{correction.pk}/change/"
    assert "+63 credits, 2 calls of 1 customers" in answer.content.decode()
    assert balance_of(buyer).posted == 993
    assert (correction.actor, correction.reason) == (owner, "Wrong price list")
    assert AuditEntry.objects.filter(action="usagecorrection.apply", actor=owner).count() == 1


def _hidden_fields(page: Any) -> dict[str, str]:
    """What the page sends again when it is confirmed."""

    class Inputs(HTMLParser):
        found: dict[str, str]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            named = dict(attrs)
            if tag == "input" and named.get("type") == "hidden" and named.get("name"):
                self.found[str(named["name"])] = named.get("value") or ""

    reader = Inputs()
    reader.found = {}
    reader.feed(page.content.decode())
    return reader.found


def test_a_period_that_is_right_offers_nothing_to_confirm(admin: Client, right: PricingConfig) -> None:
    correct(right)

    page = admin.post(CORRECT, form_of(right)).content.decode()

    assert "There is nothing to correct." in page
    assert "Confirm and post" not in page
    answer = admin.post(CORRECT, {**form_of(right), "confirm": "1"}, follow=True)
    assert "nothing was changed" in answer.content.decode()
    assert UsageCorrection.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": ""}, "This field is required"),
        ({"price": "0"}, "Select a valid choice"),
        ({"since_0": "yesterday"}, "Enter a valid date"),
        ({"until_0": "2020-01-01"}, "The end must be later"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_a_wrong_form_is_told_where(admin: Client, right: PricingConfig, changes: dict[str, str], told: str) -> None:
    page = admin.post(CORRECT, {**form_of(right), **changes, "confirm": "1"}).content.decode()

    assert told in page
    assert not UsageCorrection.objects.exists()


def test_what_is_filled_in_can_be_changed_after_the_preview(admin: Client, right: PricingConfig) -> None:
    page = admin.post(CORRECT, {**form_of(right), "edit": "1"}).content.decode()

    assert "Show what it does" in page
    assert "Wrong price list" in page


def test_too_many_calls_are_sent_to_the_shell(
    admin: Client, buyer: BillingCustomer, right: PricingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction_page, "MAX_CALLS", 1)

    page = admin.post(CORRECT, {**form_of(right), "confirm": "1"}).content.decode()

    assert f"manage.py correct_usage --model {MODEL} --since" in page
    assert f"--price {right.pk}" in page
    assert balance_of(buyer).posted == 930


def test_a_correction_is_taken_back_by_its_page(
    admin: Client, owner: User, buyer: BillingCustomer, right: PricingConfig
) -> None:
    correction = correct(right)
    page = f"{LIST}{correction.pk}/reverse/"

    asked = admin.get(page).content.decode()
    assert "-63" in asked or "−63" in asked
    answer = admin.post(page, {"reason": "It was right"}, follow=True)

    reversal = UsageCorrection.objects.get(reverses=correction)
    assert f"{correction.public_id} was taken back." in answer.content.decode()
    assert (reversal.actor, reversal.reason) == (owner, "It was right")
    assert balance_of(buyer).posted == 930
    assert "/reverse/" not in admin.get(f"{LIST}{correction.pk}/change/").content.decode()
    assert "Taken back" in admin.get(LIST).content.decode()


def test_a_refusal_is_told(admin: Client, buyer: BillingCustomer, right: PricingConfig) -> None:
    first = correct(right)
    second = correct(make_price(model="dear", input_usd="0.05"))

    answer = admin.post(f"{LIST}{first.pk}/reverse/", {"reason": "No"}, follow=True)

    assert f"{second.public_id} counts from what it made" in answer.content.decode()
    reversal = reverse_correction(correction=second, reason="No", actor=None)
    assert (
        "correct the period again"
        in admin.post(f"{LIST}{reversal.pk}/reverse/", {"reason": "No"}, follow=True).content.decode()
    )


def test_a_correction_that_broke_off_is_finished_by_its_page(
    admin: Client, buyer: BillingCustomer, right: PricingConfig
) -> None:
    now = timezone.now()
    broken = UsageCorrection.objects.create(
        model=MODEL, since=now - timedelta(days=1), until=now + timedelta(days=1), price=right, reason="Broke off"
    )
    page = admin.get(f"{LIST}{broken.pk}/change/").content.decode()
    assert "Not complete" in page
    assert "/finish/" in page
    assert "/reverse/" not in page

    assert admin.get(f"{LIST}{broken.pk}/finish/").status_code == 200
    for _ in range(2):
        admin.post(f"{LIST}{broken.pk}/finish/")

    assert balance_of(buyer).posted == 993
    assert UsageCorrection.objects.get().completed_at is not None
    assert AuditEntry.objects.filter(action="usagecorrection.finish").count() == 1


def test_a_large_one_that_broke_off_is_finished_in_the_shell(
    admin: Client, buyer: BillingCustomer, right: PricingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction_page, "MAX_CALLS", 1)
    now = timezone.now()
    period = {"model": MODEL, "since": now - timedelta(days=1), "until": now + timedelta(days=1), "reason": "Broke off"}
    broken = UsageCorrection.objects.create(price=right, **period)

    page = admin.post(f"{LIST}{broken.pk}/finish/", follow=True).content.decode()
    assert f"manage.py correct_usage --model {MODEL}" in page
    assert balance_of(buyer).posted == 930

    finish_correction(correction=broken)
    reversal = UsageCorrection.objects.create(reverses=broken, **period)
    page = admin.post(f"{LIST}{reversal.pk}/finish/", follow=True).content.decode()
    assert f"manage.py correct_usage --reverse {broken.public_id}" in page
    assert balance_of(buyer).posted == 993
