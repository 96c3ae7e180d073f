"""What puts a charge off, and until when."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from billing.kinds import EntryKind
from billing.ledger import balances
from billing.models import Payment, RefundRequest, RefundRequestState
from billing.services import refund_sending
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.services.holds import place_hold, settle_hold
from billing.tests.ledger.steps import give, post_one
from billing.tests.services.money_back import ask_refund, make_staff
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import Shopper
from billing.top_up_rules import next_month_start

pytestmark = pytest.mark.django_db
A_SECOND = timedelta(seconds=1)


def test_a_second_charge_waits_for_five_minutes(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    shopper.run()
    shopper.spend_down_to(0)

    shopper.run()
    assert shopper.charges() == [1000]
    clock.move(minutes=4, seconds=50)
    shopper.run()
    assert shopper.charges() == [1000]
    clock.move(seconds=15)
    shopper.run()

    assert shopper.charges() == [1000, 1000]
    assert shopper.topped_up() == 2


def test_five_minutes_count_from_the_last_time_that_an_attempt_was_sent(shopper: Shopper, clock: Clock) -> None:
    """Stripe was away when it was sent first: the card is charged by the same attempt, minutes later."""
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    clock.move(minutes=6)
    shopper.run()
    assert shopper.charges() == [1000]
    shopper.spend_down_to(0)
    clock.move(seconds=5)

    shopper.run()
    assert shopper.charges() == [1000]
    clock.move(minutes=5)
    shopper.run()

    assert shopper.charges() == [1000, 1000]


def test_the_monthly_limit_holds_until_the_next_month(shopper: Shopper, clock: Clock) -> None:
    clock.move_to(next_month_start(timezone.now()))
    for _ in range(5):
        shopper.spend_down_to(0)
        shopper.run()
        clock.move(minutes=6)
    assert shopper.charges() == [1000] * 5
    shopper.spend_down_to(0)

    shopper.run()
    next_month = next_month_start(timezone.now())
    assert shopper.balance.top_up_due_at == next_month
    clock.move_to(next_month - A_SECOND)
    shopper.run()
    assert shopper.charges() == [1000] * 5
    clock.move_to(next_month)
    shopper.run()

    assert shopper.charges() == [1000] * 6


def test_an_attempt_of_unknown_outcome_counts_towards_the_limit_of_the_month_it_may_end_in(
    shopper: Shopper, clock: Clock
) -> None:
    """Begun in one month, it may be charged in the next one: five charges and it are more than the limit."""
    shopper.ceiling_minor = 1000
    shopper.consent()
    clock.move_to(next_month_start(timezone.now()) - timedelta(minutes=10))
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    (unknown,) = shopper.attempts
    assert (unknown.state, shopper.charges()) == ("pending", [])
    clock.move_to(next_month_start(timezone.now()) + A_SECOND)
    Payment.objects.filter(pk=unknown.pk).update(next_try_at=timezone.now() + timedelta(hours=1))
    shopper.buy(saves_card=False)
    shopper.spend_down_to(0)

    shopper.run()

    assert shopper.attempts == [unknown]
    clock.move(hours=1)
    shopper.run()
    assert shopper.charges() == [1000]  # by the same key, in the new month
    clock.move(hours=1)
    shopper.spend_down_to(0)
    shopper.run()
    assert shopper.balance.top_up_due_at == next_month_start(timezone.now())
    assert shopper.charges() == [1000]


def test_frozen_nothing_is_charged_and_afterwards_it_is(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    freeze_customer(customer_id=shopper.customer.pk, reason="Looking into it")

    shopper.run()
    clock.move(minutes=16)
    shopper.run()
    assert shopper.attempts == []
    unfreeze_customer(customer_id=shopper.customer.pk, reason="All is well")
    clock.move(minutes=16)
    shopper.run()

    assert shopper.charges() == [1000]


def test_in_debt_by_a_claw_back_nothing_is_charged(shopper: Shopper, clock: Clock) -> None:
    """Spending had asked for it before a plan's allowance was taken back; it waits until that is settled."""
    shopper.spend_down_to(100)
    post_one(shopper.customer, EntryKind.PLAN_REVERSAL, -300)

    shopper.run()
    assert shopper.attempts == []
    give(shopper.customer, 250)
    clock.move(minutes=16)
    shopper.run()

    assert shopper.charges() == [1000]


def test_in_debt_by_usage_it_is_charged(shopper: Shopper) -> None:
    """Work that was done, and costs more than was held for it."""
    hold = place_hold(customer_id=shopper.customer.pk, amount=10_000, key="api:work")
    settle_hold(hold=hold.public_id, amount=10_800)
    assert shopper.balance.posted == -300

    shopper.run()

    assert shopper.charges() == [1000]


def test_while_a_payment_is_being_refunded_nothing_is_charged(shopper: Shopper, clock: Clock) -> None:
    """Staff have asked for it and Stripe has not answered. Once it is made, it pauses; refused, it does not matter."""
    shopper.spend_down_to(0)
    staff = make_staff("request_refunds")
    request = ask_refund(payment=shopper.bought, amount_minor=100, actor=staff)
    assert request.state == RefundRequestState.READY

    shopper.run()
    clock.move(minutes=16)
    shopper.run()
    assert shopper.attempts == []
    RefundRequest.objects.filter(pk=request.pk).update(
        sent_at=timezone.now(), answered_at=timezone.now(), refusal="charge_already_refunded"
    )
    clock.move(minutes=16)
    shopper.run()

    assert shopper.charges() == [1000]


def test_until_a_refund_that_was_made_is_merged_nothing_is_charged(
    shopper: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sent it was killed after Stripe had answered, and before the credits went."""
    shopper.spend_down_to(0)
    request = ask_refund(payment=shopper.bought, amount_minor=100, actor=make_staff("request_refunds"))
    with monkeypatch.context() as killed:
        killed.setattr(refund_sending, "_converge", lambda refund: None)
        sent = refund_sending.send_refund(request_id=request.public_id, gateway=shopper.gateway)
    assert sent.state == RefundRequestState.ACCEPTED

    shopper.run()

    assert (shopper.charges(), shopper.state) == ([], ("on", ""))
    shopper.deliver()
    clock.move(minutes=16)
    shopper.run()
    assert (shopper.charges(), shopper.state) == ([], ("paused", "refund"))


def test_nothing_is_charged_while_nothing_is_sold(shopper: Shopper, clock: Clock, settings: Settings) -> None:
    settings.STRIPE_BILLING_ENABLED = False
    shopper.spend_down_to(0)

    shopper.run()
    assert shopper.attempts == []
    settings.STRIPE_BILLING_ENABLED = True
    clock.move(minutes=16)
    shopper.run()

    assert shopper.charges() == [1000]


def test_an_overdraft_is_topped_up_like_any_usage(shopper: Shopper) -> None:
    balances.set_overdraft_limit(customer_id=shopper.customer.pk, limit=Decimal(500))
    shopper.spend(10_900)

    shopper.run()

    assert shopper.charges() == [1000]
    assert shopper.balance.posted == 10_100
