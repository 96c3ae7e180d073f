from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from billing.models import CreditBalance, LedgerEntry
from billing.tests.admin.conftest import World

pytestmark = pytest.mark.django_db


def page_of(world: World, name: str) -> str:
    return f"/admin/billing/billingcustomer/{world.customer.pk}/{name}/"


def fill_in(**changes: Any) -> dict[str, Any]:
    form = {"direction": "credit", "amount": "250", "reason": "Goodwill", "form_id": str(uuid4())}
    return {**form, **changes}


def posted(world: World) -> Decimal:
    return Decimal(CreditBalance.objects.get(pk=world.customer.pk).posted)


def adjustments(world: World) -> list[LedgerEntry]:
    return list(LedgerEntry.objects.filter(customer=world.customer, kind="adjustment").order_by("sequence"))


def test_a_preview_posts_nothing_and_shows_the_new_balance(admin: Client, world: World) -> None:
    page = admin.post(page_of(world, "adjust"), fill_in(amount="1,250.5"))

    assert adjustments(world) == []
    assert "11,710.5" in page.content.decode()
    assert 'name="confirm"' in page.content.decode()


def test_a_confirmed_credit_is_one_entry_with_reason_and_author(admin: Client, world: World, staff: User) -> None:
    form = fill_in()

    response = admin.post(page_of(world, "adjust"), {**form, "confirm": "1"})

    assert response["Location"] == page_of(world, "change")
    entry = adjustments(world)[0]
    assert (entry.amount, entry.description, entry.idempotency_key) == (250, "Goodwill", f"staff:{form['form_id']}")
    assert (entry.source_type, entry.source_id) == ("staff", str(staff.pk))
    assert posted(world) == 10_710
    log = LogEntry.objects.get(object_id=str(world.customer.pk))
    assert "+250 credits: Goodwill" in log.get_change_message()
    assert log.user == staff


def test_a_confirmed_debit_takes_credits(admin: Client, world: World) -> None:
    admin.post(page_of(world, "adjust"), {**fill_in(direction="debit", amount="60"), "confirm": "1"})

    assert adjustments(world)[0].amount == -60
    assert posted(world) == 10_400


@pytest.mark.parametrize(("amount", "is_possible"), [("10435", True), ("10435.000001", False)])
def test_a_debit_stops_at_what_is_available(admin: Client, world: World, *, amount: str, is_possible: bool) -> None:
    form = fill_in(direction="debit", amount=amount)

    preview = admin.post(page_of(world, "adjust"), form).content.decode()
    confirmed = admin.post(page_of(world, "adjust"), {**form, "confirm": "1"})

    assert ('name="confirm"' in preview) is is_possible
    assert ("more than is available" in preview) is not is_possible
    assert bool(adjustments(world)) is is_possible
    assert (confirmed.status_code == 302) is is_possible
    assert bool(LogEntry.objects.exists()) is is_possible


def test_a_form_sent_twice_posts_once(admin: Client, world: World) -> None:
    form = {**fill_in(), "confirm": "1"}

    admin.post(page_of(world, "adjust"), form)
    second = admin.post(page_of(world, "adjust"), form, follow=True)

    assert len(adjustments(world)) == 1
    assert LogEntry.objects.count() == 1
    assert "sent before" in second.content.decode()


def test_a_form_sent_again_with_another_amount_is_refused(admin: Client, world: World) -> None:
    form = {**fill_in(), "confirm": "1"}
    admin.post(page_of(world, "adjust"), form)

    again = admin.post(page_of(world, "adjust"), {**form, "amount": "999"})

    assert again.status_code == 200
    assert "belongs to another request" in again.content.decode()
    assert len(adjustments(world)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"reason": ""},
        {"reason": "   "},
        {"amount": ""},
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1e99"},
        {"amount": "NaN"},
        {"amount": "0.0000001"},
        {"direction": "sideways"},
        {"form_id": "not a uuid"},
    ],
)
def test_what_is_missing_or_wrong_posts_nothing(admin: Client, world: World, change: dict[str, str]) -> None:
    response = admin.post(page_of(world, "adjust"), {**fill_in(**change), "confirm": "1"})

    assert response.status_code == 200
    assert adjustments(world) == []


def test_opening_the_page_posts_nothing(admin: Client, world: World) -> None:
    assert admin.get(page_of(world, "adjust"), {**fill_in(), "confirm": "1"}).status_code == 200
    assert adjustments(world) == []


def test_the_right_to_adjust_is_a_right_of_its_own(world: World) -> None:
    clerk, client = User.objects.create_user("clerk@example.com", is_staff=True), Client()
    everything_else = Permission.objects.filter(content_type__app_label="billing").exclude(codename="adjust_credits")
    clerk.user_permissions.set(everything_else)
    client.force_login(clerk)

    assert client.get(page_of(world, "change")).status_code == 200
    assert "adjust/" not in client.get(page_of(world, "change")).content.decode()
    assert client.post(page_of(world, "adjust"), {**fill_in(), "confirm": "1"}).status_code == 403
    assert adjustments(world) == []

    clerk.user_permissions.add(Permission.objects.get(codename="adjust_credits"))

    assert client.post(page_of(world, "adjust"), {**fill_in(), "confirm": "1"}).status_code == 302


def test_a_form_from_elsewhere_is_refused(staff: User, world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)

    for page in ("adjust", "freeze"):
        assert client.post(page_of(world, page), {**fill_in(), "confirm": "1"}).status_code == 403
    assert adjustments(world) == []


def test_freezing_and_lifting_ask_for_a_reason(admin: Client, world: World) -> None:
    admin.post(page_of(world, "freeze"), {"reason": ""})
    assert CreditBalance.objects.get(pk=world.customer.pk).frozen_at is None

    admin.post(page_of(world, "freeze"), {"reason": "Stolen card"})
    balance = CreditBalance.objects.get(pk=world.customer.pk)
    assert balance.frozen_at is not None
    assert balance.frozen_reason == "Stolen card"
    page = admin.get(page_of(world, "change")).content.decode()
    assert "Stolen card" in page
    assert "/unfreeze/" in page
    assert "/freeze/" not in page

    admin.post(page_of(world, "unfreeze"), {"reason": "Bank confirmed"})
    assert CreditBalance.objects.get(pk=world.customer.pk).frozen_at is None
    messages = [log.get_change_message() for log in LogEntry.objects.order_by("pk")]
    assert messages == ["Frozen: Stolen card", "Freeze lifted: Bank confirmed"]


def test_a_flag_is_cleared_with_a_reason(admin: Client, world: World) -> None:
    from billing.services.flags import raise_flag

    raise_flag(customer_id=world.customer.pk, cause="payment:pay_x", reason="Paid another amount", freezes=False)
    assert "Paid another amount" in admin.get(page_of(world, "change")).content.decode()

    admin.post(page_of(world, "clear-flag"), {"reason": "Refunded"})

    world.customer.refresh_from_db()
    assert world.customer.flagged_at is None
    assert LogEntry.objects.get().get_change_message() == "Flag cleared: Refunded"


def test_a_customer_who_does_not_exist_is_not_found(admin: Client) -> None:
    assert admin.post("/admin/billing/billingcustomer/999999/adjust/", {**fill_in(), "confirm": "1"}).status_code == 404
