"""From spending to a charge: when one is made, and what comes of it."""

from decimal import Decimal

import pytest

from billing.kinds import EntryKind
from billing.ledger.verification import verify_ledger
from billing.models import CreditGrant, LedgerEntry
from billing.services.holds import place_hold, release_hold
from billing.tests.top_ups import Shopper

pytestmark = pytest.mark.django_db


def test_spending_below_the_threshold_charges_the_saved_card_once(shopper: Shopper) -> None:
    shopper.spend_down_to(999)

    assert shopper.run() == 1

    (attempt,) = shopper.attempts
    assert (attempt.kind, attempt.state, attempt.amount_minor, attempt.next_try_at) == (
        "auto_top_up",
        "paid",
        1000,
        None,
    )
    assert shopper.charges() == [1000]
    entry = LedgerEntry.objects.get(kind=EntryKind.AUTO_TOP_UP)
    assert (entry.amount, entry.payment_id) == (Decimal(10_500), attempt.pk)
    grant = CreditGrant.objects.get(entry=entry)
    assert (grant.cost_minor, grant.currency) == (1000, "usd")
    assert shopper.balance.posted == 11_499
    assert shopper.run() == 0
    shopper.deliver()
    assert (shopper.topped_up(), shopper.charges()) == (1, [1000])
    assert list(verify_ledger()) == []


def test_at_the_threshold_nothing_is_charged(shopper: Shopper) -> None:
    shopper.spend_down_to(1000)

    assert shopper.run() == 0
    assert shopper.attempts == []


def test_a_hold_below_the_threshold_charges(shopper: Shopper) -> None:
    place_hold(customer_id=shopper.customer.pk, amount=Decimal(9_600), key="api:hold")

    shopper.run()

    assert shopper.charges() == [1000]


def test_a_hold_that_was_released_before_anybody_looked_charges_nothing(shopper: Shopper) -> None:
    hold = place_hold(customer_id=shopper.customer.pk, amount=Decimal(9_600), key="api:hold")
    release_hold(hold=hold.public_id)

    shopper.run()

    assert (shopper.attempts, shopper.due_in) == ([], None)


def test_credits_that_came_meanwhile_leave_nothing_to_charge(shopper: Shopper) -> None:
    shopper.spend_down_to(10)
    shopper.buy(saves_card=False)

    shopper.run()

    assert (shopper.attempts, shopper.due_in) == ([], None)
