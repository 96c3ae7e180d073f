"""The pages on which staff look at prices, set new versions after a preview, and withdraw."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.errors import UnknownModel
from billing.models import AuditEntry, OperationPrice, PricingConfig
from billing.selectors.prices import find_operation_price, find_price
from billing.tests.prices import make_operation_price, make_price

pytestmark = pytest.mark.django_db
TERMS = {
    "model": "test-model",
    "provider": "openai",
    "input_usd_per_1k": "0.001",
    "cached_input_usd_per_1k": "0.0001",
    "output_usd_per_1k": "0.002",
    "request_usd": "0",
    "markup_percent": "0",
    "output_reserve_tokens": "100",
}
OPERATION = {"operation": "image", "title": "Image", "credits": "5", "usd": "", "markup_percent": "0"}


def page(action: str, version: PricingConfig | OperationPrice) -> str:
    return reverse(f"admin:billing_{version._meta.model_name}_{action}", args=[version.pk])


def sent(base: dict[str, str], *, follows: int = 0, **changes: str) -> dict[str, str]:
    return {**base, "starts_at": "", "is_offered": "on", "note": "New contract", "follows": str(follows), **changes}


def text_of(response: Any) -> str:
    """What a page says, in one line without markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def errors_of(response: Any) -> dict[str, list[str]]:
    return dict(response.context["form"].errors)


def test_list_marks_what_holds_now(admin: Client) -> None:
    earlier = make_price()
    holds = make_price(markup_percent=Decimal(10))
    later = make_price(markup_percent=Decimal(20), effective_from=timezone.now() + timedelta(days=1))

    rows = admin.get(reverse("admin:billing_pricingconfig_changelist")).context["cl"].result_list

    assert {row.pk: row.state for row in rows} == {
        earlier.pk: "Earlier",
        holds.pk: "In force",
        later.pk: "Scheduled",
    }
    assert [row.pk for row in rows if row.margin is not None] == [holds.pk]


@pytest.mark.parametrize(("chosen", "expected"), [("in_force", [1]), ("scheduled", [2]), ("earlier", [0])])
def test_list_is_filtered_by_what_holds(admin: Client, chosen: str, expected: list[int]) -> None:
    versions = [make_price(), make_price(), make_price(effective_from=timezone.now() + timedelta(days=1))]

    found = admin.get(reverse("admin:billing_pricingconfig_changelist"), {"version": chosen}).context["cl"]

    assert [row.pk for row in found.result_list] == [versions[place].pk for place in expected]


def test_list_costs_the_same_queries_for_more_rows(admin: Client) -> None:
    make_price()
    address = reverse("admin:billing_pricingconfig_changelist")
    admin.get(address)
    with CaptureQueriesContext(connection) as few:
        admin.get(address)
    for number in range(8):
        make_price(model=f"model-{number}")
    with CaptureQueriesContext(connection) as many:
        admin.get(address)

    assert len(many) == len(few)


def test_row_tells_who_set_each_version_and_why(admin: Client, staff: User) -> None:
    make_price(note="At first")
    version = make_price(note="Dearer now", actor=staff)

    told = text_of(admin.get(page("change", version)))

    assert "by the system: At first" in told
    assert f"by {staff}: Dearer now" in told


def test_form_is_filled_with_what_holds_and_shows_what_a_version_does_before_it_is_set(admin: Client) -> None:
    version = make_price()
    form = admin.get(page("new_version", version))
    assert form.context["form"]["input_usd_per_1k"].value() == "0.001"
    assert form.context["form"]["follows"].value() == version.pk

    preview = admin.post(page("new_version", version), sent(TERMS, follows=version.pk, markup_percent="37.5"))

    rows = preview.context["preview"].rows
    assert ("Markup in percent", "0", "37.5") in rows
    assert ("1,000 tokens in, 500 out, in credits", "2", "2.75") in rows
    assert ("The same, 400 of those in cached, in credits", "1.64", "2.255") in rows
    assert len(rows) == 3
    assert PricingConfig.objects.count() == AuditEntry.objects.filter(action="pricingconfig.set").count() == 1


def test_confirmed_version_is_set_with_who_and_why(admin: Client, staff: User) -> None:
    version = make_price()
    form = sent(TERMS, follows=version.pk, markup_percent="37.5", confirm="1")

    response = admin.post(page("new_version", version), form, REMOTE_ADDR="203.0.113.9")

    new = find_price(model="test-model", at=timezone.now())
    assert response["Location"] == page("change", new)
    assert (new.markup_percent, new.note, new.created_by) == (Decimal("37.5"), "New contract", staff)
    entry = AuditEntry.objects.get(action="pricingconfig.set", actor=staff)
    assert (entry.address, entry.before["markup_percent"], entry.after["markup_percent"]) == (
        "203.0.113.9",
        "0",
        "37.5",
    )


def test_version_can_start_later_and_end_the_offer(admin: Client) -> None:
    version = make_price()
    start = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    form = sent(TERMS, follows=version.pk, starts_at=f"{start:%Y-%m-%dT%H:%M}")
    del form["is_offered"]

    preview = admin.post(page("new_version", version), form)
    assert "From then on nobody is served." in preview.context["preview"].warnings
    assert f"{start:%-d %b %Y, %H:%M} UTC" in text_of(preview)
    admin.post(page("new_version", version), {**form, "confirm": "1"})

    assert find_price(model="test-model", at=start - timedelta(seconds=1)) == version
    with pytest.raises(UnknownModel):
        find_price(model="test-model", at=start)


def test_name_cannot_be_changed_by_a_new_version(admin: Client) -> None:
    version = make_price()

    admin.post(page("new_version", version), sent(TERMS, follows=version.pk, model="another", confirm="1"))

    assert set(PricingConfig.objects.values_list("model", flat=True)) == {"test-model"}
    assert PricingConfig.objects.count() == 2


def test_change_it_leads_back_to_the_form(admin: Client) -> None:
    version = make_price()

    response = admin.post(page("new_version", version), sent(TERMS, follows=version.pk, edit="1", request_usd="0.5"))

    assert response.context["preview"] is None
    assert response.context["form"]["request_usd"].value() == "0.5"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_usd_per_1k", ""),
        ("input_usd_per_1k", "-1"),
        ("input_usd_per_1k", "1000.1"),
        ("output_usd_per_1k", "0.0000000001"),
        ("output_usd_per_1k", "NaN"),
        ("cached_input_usd_per_1k", "0.002"),
        ("markup_percent", "10001"),
        ("output_reserve_tokens", "0"),
        ("starts_at", "2020-01-01T00:00"),
        ("starts_at", "soon"),
        ("note", ""),
        ("follows", "x"),
    ],
)
@pytest.mark.parametrize("step", [{}, {"confirm": "1"}])
def test_what_cannot_be_is_told_at_its_field(admin: Client, field: str, value: str, step: dict[str, str]) -> None:
    version = make_price()

    response = admin.post(page("new_version", version), {**sent(TERMS, follows=version.pk), field: value, **step})

    assert field in errors_of(response)
    assert PricingConfig.objects.count() == 1


def test_colleague_who_was_quicker_is_told(admin: Client) -> None:
    version = make_price()
    make_price(markup_percent=Decimal(10))

    response = admin.post(page("new_version", version), sent(TERMS, follows=version.pk, confirm="1"))

    assert "Somebody set another version meanwhile" in errors_of(response)["starts_at"][0]
    assert PricingConfig.objects.count() == 2


@pytest.mark.parametrize(("price", "suspicious"), [("0.019", False), ("0.02", True), ("0.0001", True)])
def test_slip_of_the_point_is_asked_about(admin: Client, price: str, suspicious: bool) -> None:
    version = make_price(
        cached_input_usd_per_1k=Decimal(0), output_usd_per_1k=Decimal(0), input_usd_per_1k=Decimal("0.002")
    )
    terms = {**TERMS, "cached_input_usd_per_1k": "0", "output_usd_per_1k": "0", "input_usd_per_1k": price}

    warnings = admin.post(page("new_version", version), sent(terms, follows=version.pk)).context["preview"].warnings

    assert any("Is the point in place?" in warning for warning in warnings) is suspicious


def test_free_price_and_a_later_version_are_told(admin: Client) -> None:
    version = make_price()
    later = make_price(effective_from=timezone.now() + timedelta(days=1))
    free = {**TERMS, **dict.fromkeys(("input_usd_per_1k", "cached_input_usd_per_1k", "output_usd_per_1k"), "0")}

    warnings = admin.post(page("new_version", version), sent(free, follows=later.pk)).context["preview"].warnings

    assert "From then on it is free." in warnings
    assert any(f"{later.effective_from:%H:%M}" in warning for warning in warnings)


def test_first_price_of_a_model_may_start_in_the_past(admin: Client) -> None:
    address = reverse("admin:billing_pricingconfig_new_price")
    form = sent(TERMS, starts_at="2026-01-01T00:00")

    preview = admin.post(address, form)
    assert ("Input, USD for 1,000 tokens", "–", "0.001") in preview.context["preview"].rows
    assert admin.post(address, {**form, "confirm": "1"}).status_code == 302

    assert PricingConfig.objects.get().effective_from.year == 2026
    again = admin.post(address, {**form, "confirm": "1"})
    assert "New version" in errors_of(again)["model"][0]


def test_operation_gets_a_price_in_credits_and_another_in_dollars(admin: Client) -> None:
    address = reverse("admin:billing_operationprice_new_price")
    assert admin.post(address, sent(OPERATION, confirm="1")).status_code == 302
    first = OperationPrice.objects.get()
    terms = {**OPERATION, "credits": "", "usd": "0.02", "markup_percent": "50"}

    preview = admin.post(page("new_version", first), sent(terms, follows=first.pk))
    assert ("Once, in credits", "5", "30") in preview.context["preview"].rows
    assert admin.post(page("new_version", first), sent(terms, follows=first.pk, confirm="1")).status_code == 302

    assert find_operation_price(operation="image", at=timezone.now()).usd == Decimal("0.02")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("credits", {"credits": ""}),
        ("credits", {"usd": "1"}),
        ("credits", {"credits": "-1"}),
        ("credits", {"credits": "1000001"}),
        ("markup_percent", {"markup_percent": "5"}),
        ("operation", {"operation": "an image"}),
        ("title", {"title": ""}),
    ],
)
@pytest.mark.parametrize("step", [{}, {"confirm": "1"}])
def test_what_cannot_be_an_operation_is_told_at_its_field(
    admin: Client, field: str, changes: dict[str, str], step: dict[str, str]
) -> None:
    form = {**sent(OPERATION), **changes, **step}

    assert field in errors_of(admin.post(reverse("admin:billing_operationprice_new_price"), form))
    assert not OperationPrice.objects.exists()


def test_withdrawing_tells_of_a_version_that_offers_again(admin: Client) -> None:
    version = make_price()
    assert "offers it again" not in text_of(admin.get(page("withdraw", version)))

    make_price(effective_from=timezone.now() + timedelta(days=1))

    assert "offers it again" in text_of(admin.get(page("withdraw", version)))


@pytest.mark.parametrize("make", [make_price, make_operation_price])
def test_withdrawing_needs_a_reason_and_happens_once(admin: Client, make: Any) -> None:
    version = make()
    address = page("withdraw", version)

    assert errors_of(admin.post(address, {"confirm": "1", "reason": ""}))["reason"]
    assert admin.post(address, {"confirm": "1", "reason": "Too slow"}).status_code == 302
    newest = type(version).objects.latest("pk")
    assert (newest.is_offered, newest.note) == (False, "Too slow")
    assert "is not offered" in text_of(admin.post(address, {"confirm": "1", "reason": "Again"}))
    assert type(version).objects.count() == 2
