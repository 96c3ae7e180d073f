"""Answers that were lost: the same key again for a day, then only looked up. Nobody is charged twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.facts import PaymentIntentFacts
from billing.models import Payment
from billing.services.top_ups import asking, sending
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.sending import send_attempt
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import DECLINED, Shopper
from sandbox.stripe.faults import FaultKind

pytestmark = pytest.mark.django_db
TRIES = 3  # of the SDK for one call


def lose_answers(shopper: Shopper, kind: FaultKind = "dropped_connection") -> None:
    """Stripe does the work and nobody hears of it."""
    shopper.sandbox.control.add_fault(kind, method="POST", path="/v1/payment_intents", times=TRIES)


def lose_requests(shopper: Shopper, *, calls: int = 1) -> None:
    """Stripe fails before it does anything."""
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_intents", times=TRIES * calls)


@pytest.mark.parametrize("kind", ["dropped_connection", "lost_response"])
def test_a_lost_answer_is_asked_for_again_and_charged_once(shopper: Shopper, clock: Clock, kind: FaultKind) -> None:
    shopper.spend_down_to(0)
    lose_answers(shopper, kind)
    shopper.run()
    (attempt,) = shopper.attempts
    assert (attempt.state, attempt.tries) == ("pending", 1)
    assert shopper.charges() == [1000]

    clock.move(seconds=61)
    shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["paid"]
    assert (shopper.charges(), shopper.topped_up()) == ([1000], 1)
    shopper.deliver()
    assert shopper.topped_up() == 1


def test_the_event_may_tell_what_the_answer_did_not(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    lose_answers(shopper)
    shopper.run()

    shopper.deliver()

    assert [attempt.state for attempt in shopper.attempts] == ["paid"]
    clock.move(hours=1)
    shopper.run()
    assert (shopper.attempts[0].next_try_at, shopper.attempts[0].tries) == (None, 1)
    assert (shopper.charges(), shopper.topped_up()) == ([1000], 1)


def test_while_an_outcome_is_unknown_nothing_else_is_charged(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    lose_requests(shopper, calls=20)
    for _ in range(20):
        shopper.run()
        clock.move(minutes=30)
        if shopper.balance.posted < 1000:
            shopper.buy(saves_card=False)
        shopper.spend_down_to(0)

    assert len(shopper.attempts) == 1
    assert shopper.charges() == []
    shopper.sandbox.control.clear_faults()
    clock.move(hours=1)
    shopper.run()
    assert (len(shopper.attempts), shopper.charges()) == (1, [1000])


def test_after_a_day_it_is_found_by_our_name_and_not_sent_again(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    lose_answers(shopper)
    shopper.run()
    clock.move(hours=25)
    shopper.sandbox.control.add_fault("error", method="POST", times=1)  # no POST may be made any more

    shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["paid"]
    assert (shopper.charges(), shopper.topped_up()) == ([1000], 1)


def test_after_a_day_what_is_not_there_was_never_charged_and_is_decided_anew(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    lose_requests(shopper)
    shopper.run()
    clock.move(hours=25)

    shopper.run()
    shopper.run()

    first, second = shopper.attempts
    assert (first.state, first.refusal) == ("failed", sending._NEVER_CHARGED)
    assert (second.state, shopper.charges()) == ("paid", [1000])
    assert shopper.state == ("on", "")


def test_a_declined_attempt_found_after_a_day_counts_as_declined(shopper: Shopper, clock: Clock) -> None:
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    lose_answers(shopper)
    shopper.run()
    clock.move(hours=25)

    shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["failed"]
    assert shopper.due_in is not None
    assert shopper.due_in > timedelta(minutes=59)


def test_stripe_away_for_reading_leaves_it_open(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    lose_answers(shopper)
    shopper.run()
    clock.move(hours=25)
    shopper.sandbox.control.add_fault("error", method="GET", path="/v1/payment_intents", times=TRIES)

    shopper.run()
    assert shopper.attempts[0].state == "pending"
    clock.move(hours=1)
    shopper.run()

    assert shopper.attempts[0].state == "paid"


def test_an_intent_that_waits_for_its_bank_is_looked_up_and_not_sent_again(
    shopper: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same key would say `processing` for a day, whatever became of it."""
    create = type(shopper.gateway).create_off_session_intent

    def create_slowly(self: StripeGateway, **arguments: Any) -> PaymentIntentFacts:
        return replace(create(self, **arguments), status="processing")

    monkeypatch.setattr(type(shopper.gateway), "create_off_session_intent", create_slowly)
    shopper.spend_down_to(0)
    shopper.run()
    (attempt,) = shopper.attempts
    assert attempt.state == "pending"
    assert attempt.payment_intent_id
    clock.move(seconds=61)

    shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["paid"]
    assert (shopper.charges(), shopper.topped_up()) == ([1000], 1)


# Processes that die: what each step has committed is enough for the next process to go on


def test_killed_after_the_decision_the_next_round_sends_it(shopper: Shopper) -> None:
    shopper.spend_down_to(0)
    decide_top_up(customer_id=shopper.customer.pk)
    assert shopper.balance.top_up_due_at is None

    shopper.run()

    assert (len(shopper.attempts), shopper.charges(), shopper.topped_up()) == (1, [1000], 1)


@pytest.mark.parametrize("has_reached_stripe", [False, True])
def test_killed_around_the_call_the_next_round_sends_the_same_key(
    shopper: Shopper, clock: Clock, monkeypatch: pytest.MonkeyPatch, has_reached_stripe: bool
) -> None:
    shopper.spend_down_to(0)
    attempt = decide_top_up(customer_id=shopper.customer.pk)
    assert attempt is not None
    ask, killed = asking.ask_stripe, KeyboardInterrupt("killed")

    def die(**arguments: object) -> None:
        if has_reached_stripe:
            ask(**arguments)  # type: ignore[arg-type]
        raise killed

    monkeypatch.setattr(sending, "ask_stripe", die)
    with pytest.raises(KeyboardInterrupt):
        send_attempt(attempt_id=attempt.pk, gateway=shopper.gateway)
    assert Payment.objects.get(pk=attempt.pk).state == "pending"
    assert shopper.charges() == ([1000] if has_reached_stripe else [])
    monkeypatch.setattr(sending, "ask_stripe", ask)

    shopper.run()
    assert Payment.objects.get(pk=attempt.pk).state == "pending"  # whoever claimed it may still be at it
    clock.move(seconds=61)
    shopper.run()

    assert (len(shopper.attempts), shopper.charges(), shopper.topped_up()) == (1, [1000], 1)
    assert shopper.attempts[0].sent_at is not None
    assert shopper.attempts[0].sent_at < timezone.now() - timedelta(minutes=1)
