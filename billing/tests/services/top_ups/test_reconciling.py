"""Reconciliation knows payments that have no checkout session."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing.models import ReconciliationFinding
from billing.services.payment_reading import refresh_payment
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import DECLINED, Shopper

pytestmark = pytest.mark.django_db


def reconcile(*, repairs: bool = False) -> int:
    """Compare with Stripe; gives the exit code."""
    arguments = ["--repair"] if repairs else []
    try:
        call_command("reconcile_stripe", *arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def found() -> list[str]:
    return list(ReconciliationFinding.objects.filter(state="open").values_list("kind", flat=True))


def test_top_ups_that_went_well_and_badly_agree_with_stripe(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    shopper.run()
    clock.move(minutes=6)
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    shopper.run()
    shopper.deliver()
    assert [attempt.state for attempt in shopper.attempts] == ["paid", "failed"]

    assert (reconcile(), found()) == (0, [])


def test_a_charge_that_nobody_heard_of_is_found_and_repaired(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("dropped_connection", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    shopper.sandbox.control.take_events(secret="whsec_unused")  # the events are lost, too
    clock.move(minutes=30)
    assert reconcile() == 1

    assert reconcile(repairs=True) == 0

    assert (shopper.charges(), shopper.topped_up(), found()) == ([1000], 1, [])
    clock.move(hours=1)
    shopper.run()
    assert (shopper.attempts[0].next_try_at, shopper.topped_up()) == (None, 1)


def test_staff_check_an_attempt_with_stripe(shopper: Shopper) -> None:
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("dropped_connection", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    (attempt,) = shopper.attempts

    refresh_payment(payment=attempt, gateway=shopper.gateway)

    assert shopper.topped_up() == 1
    assert shopper.attempts[0].paid_at is not None
    assert shopper.attempts[0].paid_at > timezone.now() - timedelta(minutes=5)
