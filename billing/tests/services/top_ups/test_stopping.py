"""What stops it: money that goes back, changed packs and cards, staff, and the customer."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import User
from billing.errors import CustomerFrozen
from billing.models import BillingCustomer, CreditPack, Notice
from billing.services.top_ups.cards import remove_card
from billing.services.top_ups.consenting import turn_off
from billing.services.top_ups.deciding import decide_top_up, pause_what_changed
from billing.services.top_ups.sending import send_attempt
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.top_ups import Shopper

pytestmark = pytest.mark.django_db
Happening = Callable[[Shopper], object]


def _refund(shopper: Shopper) -> None:
    shopper.sandbox.control.refund_payment(str(shopper.bought.payment_intent_id), amount=100)
    shopper.deliver()


def _credit_note(shopper: Shopper) -> None:
    shopper.sandbox.control.issue_credit_note(shopper.bought.invoice_id, amount=100, way="out_of_band")
    shopper.deliver()


def _credit_note_to_balance(shopper: Shopper) -> None:
    shopper.sandbox.control.issue_credit_note(shopper.bought.invoice_id, amount=100, way="balance")
    shopper.deliver()


def _dispute(shopper: Shopper) -> None:
    shopper.sandbox.control.open_dispute(str(shopper.bought.payment_intent_id))
    shopper.deliver()


def _inquiry(shopper: Shopper) -> None:
    shopper.sandbox.control.open_dispute(str(shopper.bought.payment_intent_id), inquiry=True)
    shopper.deliver()


def _warning(shopper: Shopper) -> None:
    shopper.sandbox.control.warn_of_fraud(str(shopper.bought.payment_intent_id))
    shopper.deliver()


def _change_price(shopper: Shopper) -> None:
    CreditPack.objects.filter(pk=shopper.pack.pk).update(price_minor=1100)


def _change_credits(shopper: Shopper) -> None:
    CreditPack.objects.filter(pk=shopper.pack.pk).update(bonus_credits=0)


def _change_lifetime(shopper: Shopper) -> None:
    CreditPack.objects.filter(pk=shopper.pack.pk).update(lifetime_days=30)


def _end_sale(shopper: Shopper) -> None:
    CreditPack.objects.filter(pk=shopper.pack.pk).update(is_active=False)


def _remove_card(shopper: Shopper) -> None:
    remove_card(customer_id=shopper.customer.pk, gateway=shopper.gateway)


def _remove_card_at_stripe(shopper: Shopper) -> None:
    shopper.sandbox.control.detach_card(shopper.top_up.payment_method_id)
    shopper.deliver()


def _save_another_card(shopper: Shopper) -> None:
    shopper.buy()
    shopper.spend(10_500)


def _delete_customer(shopper: Shopper) -> None:
    shopper.sandbox.control.delete_customer(str(shopper.customer.stripe_customer_id))
    shopper.deliver()


def _deactivate(shopper: Shopper) -> None:
    User.objects.filter(billing_customer=shopper.customer).update(is_active=False)


def _delete_user(shopper: Shopper) -> None:
    BillingCustomer.objects.filter(pk=shopper.customer.pk).update(user=None)


HAPPENINGS = [
    (_deactivate, ("off", "account_closed")),
    (_delete_user, ("off", "account_closed")),
    (_refund, ("paused", "refund")),
    (_credit_note, ("paused", "refund")),
    (_credit_note_to_balance, ("paused", "refund")),
    (_dispute, ("off", "dispute")),
    (_inquiry, ("off", "dispute")),
    (_warning, ("off", "fraud_warning")),
    (_change_price, ("paused", "terms_changed")),
    (_change_credits, ("paused", "terms_changed")),
    (_change_lifetime, ("paused", "terms_changed")),
    (_end_sale, ("paused", "pack_gone")),
    (_remove_card, ("paused", "card_removed")),
    (_remove_card_at_stripe, ("paused", "card_removed")),
    (_save_another_card, ("paused", "card_changed")),
    (_delete_customer, ("off", "customer_gone")),
]


@pytest.mark.parametrize(("happen", "state"), HAPPENINGS)
def test_what_happens_before_the_decision_lets_nothing_be_charged(
    shopper: Shopper, clock: Clock, happen: Happening, state: tuple[str, str]
) -> None:
    shopper.spend_down_to(0)

    happen(shopper)
    shopper.run()

    assert (shopper.charges(), shopper.state) == ([], state)
    clock.move(days=2)
    shopper.run()
    assert (shopper.charges(), shopper.state) == ([], state)
    balance = shopper.balance
    assert (balance.top_up_below, balance.top_up_due_at) == (None, None)


@pytest.mark.parametrize(("happen", "state"), HAPPENINGS)
def test_what_happens_between_decision_and_charge_lets_nothing_be_charged(
    shopper: Shopper, clock: Clock, happen: Happening, state: tuple[str, str]
) -> None:
    shopper.spend_down_to(0)
    attempt = decide_top_up(customer_id=shopper.customer.pk)
    assert attempt is not None

    happen(shopper)
    sent = send_attempt(attempt_id=attempt.pk, gateway=shopper.gateway)

    assert (sent.state, sent.sent_at, shopper.charges(), shopper.state) == ("failed", None, [], state)
    clock.move(days=2)
    shopper.run()
    assert shopper.charges() == []


@pytest.mark.parametrize(("happen", "state"), HAPPENINGS)
def test_what_happens_while_an_outcome_is_unknown_lets_no_second_request_be_sent(
    shopper: Shopper, clock: Clock, happen: Happening, state: tuple[str, str]
) -> None:
    """The first request never reached Stripe. The same key again would be a charge that nobody wants any more."""
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    assert shopper.attempts[0].state == "pending"

    happen(shopper)
    for _ in range(5):
        clock.move(minutes=31)
        shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["failed"]
    assert (shopper.charges(), shopper.state) == ([], state)


@pytest.mark.parametrize("happen", [_refund, _dispute])
def test_what_was_charged_before_is_found_and_its_credits_come(
    shopper: Shopper, clock: Clock, happen: Happening
) -> None:
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("dropped_connection", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    taken = shopper.sandbox.control.take_events(secret="whsec_unused")
    assert taken  # the events of the charge are lost

    happen(shopper)
    clock.move(minutes=2)
    shopper.run()

    assert (shopper.charges(), shopper.topped_up()) == ([1000], 1)


def test_the_customer_is_told_of_what_they_did_not_do(shopper: Shopper) -> None:
    _refund(shopper)

    told = Notice.objects.get(customer=shopper.customer, event="top_up.paused")
    assert told.payload == {
        "reason": "One of your payments was refunded. Please confirm that you still want automatic top-up."
    }


def test_after_a_refund_only_the_customers_consent_turns_it_on_and_the_same_refund_not_off_again(
    shopper: Shopper, clock: Clock
) -> None:
    _refund(shopper)
    shopper.buy(saves_card=False)
    shopper.spend_down_to(0)
    shopper.run()
    assert shopper.charges() == []

    shopper.consent()
    for event in shopper.sandbox.control.list_events("refund.created", "charge.refunded"):
        shopper.sandbox.control.resend_event(event["id"])
    shopper.deliver()

    assert shopper.state == ("on", "")


def test_off_is_not_paused_by_what_comes_later(shopper: Shopper) -> None:
    turn_off(customer_id=shopper.customer.pk)

    _refund(shopper)

    assert shopper.state == ("off", "customer")
    assert not Notice.objects.filter(event__startswith="top_up.").exists()


def test_paused_is_turned_off_by_a_dispute(shopper: Shopper) -> None:
    _refund(shopper)
    _dispute(shopper)

    assert shopper.state == ("off", "dispute")


@pytest.mark.parametrize("withdraws", [True, False])
def test_an_inquiry_that_becomes_a_dispute_turns_it_off_again(shopper: Shopper, withdraws: bool) -> None:
    """It keeps its id. The customer had confirmed after the bank's question, which froze nothing."""
    control = shopper.sandbox.control
    inquiry = control.open_dispute(str(shopper.bought.payment_intent_id), inquiry=True)
    shopper.deliver()
    shopper.consent()

    control.escalate_inquiry(inquiry["id"], withdraws=withdraws)
    shopper.deliver()
    assert shopper.state == ("off", "dispute")

    control.close_dispute(inquiry["id"], "won")
    shopper.deliver()
    shopper.spend_down_to(0)
    shopper.run()
    assert (shopper.charges(), shopper.state) == ([], ("off", "dispute"))


def test_an_appeal_that_takes_the_money_again_turns_it_off_again(shopper: Shopper) -> None:
    control = shopper.sandbox.control
    dispute = control.open_dispute(str(shopper.bought.payment_intent_id))
    control.close_dispute(dispute["id"], "won")
    shopper.deliver()
    shopper.consent()
    shopper.deliver()
    assert shopper.state == ("on", "")

    control.withdraw_funds(dispute["id"])
    shopper.deliver()

    assert shopper.state == ("off", "dispute")


def test_a_frozen_customer_cannot_turn_it_on(shopper: Shopper) -> None:
    _dispute(shopper)

    with pytest.raises(CustomerFrozen):
        shopper.consent()
    assert shopper.state == ("off", "dispute")


@pytest.mark.parametrize(
    ("happens", "state"),
    [
        (_change_lifetime, ("paused", "terms_changed")),
        (_deactivate, ("off", "account_closed")),
        (_delete_user, ("off", "account_closed")),
    ],
)
def test_what_ends_a_consent_stops_it_without_waiting_for_spending(
    shopper: Shopper, happens: Happening, state: tuple[str, str]
) -> None:
    happens(shopper)

    assert pause_what_changed() == 1

    assert shopper.state == state


def test_a_lifetime_that_is_as_agreed_stops_nothing(shopper: Shopper) -> None:
    _change_lifetime(shopper)
    shopper.consent()

    assert pause_what_changed() == 0

    assert shopper.top_up.consent is not None
    assert "They expire 30 days after that." in shopper.top_up.consent.wording


def test_a_change_of_the_pack_pauses_without_waiting_for_spending(shopper: Shopper) -> None:
    assert pause_what_changed() == 0
    _change_price(shopper)

    assert pause_what_changed() == 1

    assert shopper.state == ("paused", "terms_changed")


def test_removing_the_card_removes_it_at_stripe(shopper: Shopper) -> None:
    card = shopper.top_up.payment_method_id

    _remove_card(shopper)

    stored = shopper.sandbox.control.get_object(card)
    assert stored is not None
    assert stored["customer"] is None
    top_up = shopper.top_up
    assert (top_up.payment_method_id, top_up.card_last_four, top_up.card_exp_year) == ("", "", None)


def test_a_card_that_stripe_does_not_know_any_more_pauses_it(shopper: Shopper) -> None:
    """It was detached, and the event has not come yet."""
    shopper.sandbox.control.detach_card(shopper.top_up.payment_method_id)
    shopper.spend_down_to(0)

    shopper.run()

    assert [attempt.state for attempt in shopper.attempts] == ["failed"]
    assert shopper.state[0] == "paused"
    assert shopper.charges() == []


def test_turning_it_off_withdraws_what_was_decided(shopper: Shopper, clock: Clock) -> None:
    shopper.spend_down_to(0)
    attempt = decide_top_up(customer_id=shopper.customer.pk)
    assert attempt is not None
    turn_off(customer_id=shopper.customer.pk)
    clock.move(minutes=1)

    shopper.run()

    assert (shopper.attempts[0].state, shopper.charges()) == ("failed", [])
    assert shopper.attempts[0].next_try_at is None
    assert shopper.attempts[0].created_at < timezone.now() - timedelta(seconds=30)
    assert shopper.balance.posted == Decimal(0)
