"""Automatic top-ups in the admin: to look at, and to turn off with a reason."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import AuditEntry, AutoTopUp, CreditBalance, Notice, PaymentKind, TopUpConsent
from billing.tests.admin.conftest import World
from billing.tests.admin.rows import add_rows_of_everything
from billing.tests.views.rows import make_payment

pytestmark = pytest.mark.django_db


def page_of(world: World, page: str) -> str:
    return f"/admin/billing/billingcustomer/{world.other.pk}/{page}/"


@pytest.fixture
def topped(world: World) -> World:
    """A world whose second customer has automatic top-up."""
    add_rows_of_everything(world)
    return world


def test_the_customers_page_shows_it(admin: Client, topped: World) -> None:
    page = admin.get(page_of(topped, "change")).content.decode()

    assert "Visa ending in" in page
    assert "$50.00" in page
    assert "turn-off-top-up" in page


def test_its_page_tells_of_each_attempt(admin: Client, topped: World) -> None:
    declined = {
        "ch_1": {"code": "card_declined", "message": "Your card was declined.", "at": "2026-11-20T12:30:00+00:00"}
    }
    consent = TopUpConsent.objects.get(customer=topped.other)
    payment = make_payment(
        topped.other,
        kind=PaymentKind.AUTO_TOP_UP,
        pack=consent.pack,
        consent=consent,
        failed_at=timezone.now(),
        failed_attempts=declined,
    )

    page = admin.get(f"/admin/billing/autotopup/{topped.other.pk}/change/").content.decode()

    assert f'href="/admin/billing/payment/{payment.pk}/change/"' in page
    assert "$10.00, Failed. None: nothing was charged. Your card was declined." in page


def test_staff_turn_it_off_with_a_reason(admin: Client, staff: User, topped: World) -> None:
    asked = admin.get(page_of(topped, "turn-off-top-up"))
    assert "is not charged any more" in asked.content.decode()

    admin.post(page_of(topped, "turn-off-top-up"), {"reason": "Asked by phone"})

    top_up = AutoTopUp.objects.get(pk=topped.other.pk)
    assert (top_up.state, top_up.cause) == ("off", "staff")
    assert CreditBalance.objects.get(pk=topped.other.pk).top_up_below is None
    act = AuditEntry.objects.get(action="customer.turn_off_top_up")
    assert (act.actor, act.reason) == (staff, "Asked by phone")
    assert (act.before, act.after) == ({"top_up": "on"}, {"top_up": "off"})
    assert Notice.objects.get(event="top_up.turned_off").payload == {"reason": "Our staff turned it off."}
    assert "turn-off-top-up" not in admin.get(page_of(topped, "change")).content.decode()


def test_without_a_reason_it_stays_on(admin: Client, topped: World) -> None:
    admin.post(page_of(topped, "turn-off-top-up"), {"reason": ""})

    assert AutoTopUp.objects.get(pk=topped.other.pk).state == "on"
    assert not AuditEntry.objects.filter(action="customer.turn_off_top_up").exists()
