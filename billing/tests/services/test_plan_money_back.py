"""Money of a plan's invoice that goes back and comes again, and the credits with it."""

from decimal import Decimal

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from billing.credits import add_credits
from billing.gateway.facts import RefundFacts
from billing.kinds import EntryKind
from billing.ledger.shapes import Posting
from billing.models import (
    BillingCustomer,
    CreditGrant,
    Payment,
    Subscription,
)
from billing.services.convergence import Convergence
from billing.services.expiry import expire_lapsed_credits
from billing.services.payment_facts import facts_of_refunds
from billing.services.payments import converge_payment
from billing.services.plan_lives import end_with_subscription
from billing.services.posting import post
from billing.tests.plan_world import (
    Month,
    amounts,
    check_books,
    invoice,
    line,
    posted,
    spend,
    tell,
)

pytestmark = pytest.mark.django_db
MONTH = Month()


def refund(payment: Payment, amount_minor: int, *, status: str = "succeeded", number: int = 1) -> None:
    told = RefundFacts(
        id=f"re_{payment.pk}_{number}",
        amount_minor=amount_minor,
        currency="usd",
        status=status,
        reason="",
        charge_id="",
        payment_intent_id=payment.payment_intent_id or "",
        created_at=timezone.now(),
    )
    with transaction.atomic():
        facts = facts_of_refunds(refunds=[told], livemode=False, occurred_at=timezone.now())
        assert converge_payment(facts=[facts]) is Convergence.CONVERGED


def test_refund_of_a_renewal_takes_its_part_and_a_refund_that_fails_gives_it_back(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 15_000)

    refund(payment, 950)
    assert posted(subscriber) == -5_000
    assert check_books() == {"cash_at_stripe": 950, "revenue": -1425, "refunds_of_consumed_credits": 475}
    refund(payment, 950, number=2)
    assert posted(subscriber) == -15_000
    refund(payment, 950, number=2, status="failed")
    assert posted(subscriber) == -5_000
    refund(payment, 950, status="failed")

    assert posted(subscriber) == 5_000
    assert amounts(subscriber, "plan_allowance", "refund", "refund_reversal") == [
        "20000.000000",
        "-10000.000000",
        "-10000.000000",
        "10000.000000",
        "10000.000000",
    ]
    assert check_books() == {"cash_at_stripe": 1900, "deferred_revenue": -475, "revenue": -1425}


@pytest.mark.parametrize("refunded_first", [True, False])
def test_what_expired_of_a_period_counts_as_taken(
    subscriber: BillingCustomer, traveller: time_machine.Traveller, refunded_first: bool
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 5_000)
    if refunded_first:
        refund(payment, 950)

    traveller.move_to(MONTH.at(1, day=4))
    if not refunded_first:
        refund(payment, 950)
    spend_nothing = invoice(subscriber, [line(0, "pro", span=MONTH.span(1))])
    tell(spend_nothing)

    if refunded_first:
        expire_lapsed_credits(now=timezone.now())
    assert posted(subscriber) == 0
    check_books()


def test_money_that_comes_back_returns_credits_to_where_they_were_taken(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    """All spent, refunded out of credits of one's own, renewed, and then the refund fails after all."""
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 20_000)
    assert subscriber.user is not None
    add_credits(subscriber.user, 30_000, kind=EntryKind.ADJUSTMENT, idempotency_key="own", description="Own")
    own = CreditGrant.objects.get(kind="adjustment")
    refund(payment, 1900)
    own.refresh_from_db()
    assert (own.remaining, posted(subscriber)) == (10_000, 10_000)

    traveller.move_to(MONTH.at(1))
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(1))]))
    refund(payment, 1900, status="failed")

    own.refresh_from_db()
    assert (own.remaining, posted(subscriber)) == (30_000, 50_000)
    check_books()


def test_credits_that_come_back_after_the_end_live_as_long_as_the_money_was_away(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    refund(payment, 1900)
    Subscription.objects.create(
        customer=subscriber, subscription_id="sub_1", status="canceled", ended_at=MONTH.at(0), read_at=MONTH.at(0)
    )
    with transaction.atomic():
        end_with_subscription(customer_id=subscriber.pk, subscription_id="sub_1")

    traveller.move_to(MONTH.at(1, day=10))
    refund(payment, 1900, status="failed")

    assert posted(subscriber) == 20_000
    check_books()


def test_debt_that_was_forgiven_stands_again_when_its_money_comes_back(
    subscriber: BillingCustomer, traveller: object
) -> None:
    tell(invoice(subscriber, [line(1900, "pro", span=MONTH.span(0))]))
    payment = Payment.objects.get()
    spend(subscriber, 20_000)
    refund(payment, 1900)
    post(
        posting=Posting(
            customer_id=subscriber.pk,
            kind=EntryKind.WRITE_OFF,
            amount=Decimal(20_000),
            key="staff:forgiven",
            description="Forgiven",
        )
    )
    assert posted(subscriber) == 0

    refund(payment, 1900, status="failed")

    assert posted(subscriber) == 0
    assert check_books() == {"cash_at_stripe": 1900, "revenue": -1900}


def test_refund_of_an_invoice_of_two_periods_leaves_nothing_open(
    subscriber: BillingCustomer, traveller: time_machine.Traveller
) -> None:
    tell(invoice(subscriber, [line(4900, "pro_plus", span=MONTH.span(0))]))
    changed, following = MONTH.span(0, day=20), MONTH.span(1)
    traveller.move_to(MONTH.at(1))
    both = [line(-1633, "pro_plus", span=changed), line(633, "pro", span=changed), line(1900, "pro", span=following)]
    tell(invoice(subscriber, both))

    refund(Payment.objects.order_by("-pk")[0], 900)

    traveller.move_to(MONTH.at(1, day=4))
    expire_lapsed_credits(now=timezone.now())
    balances = check_books()
    assert balances["cash_at_stripe"] == 4900
    assert balances.get("deferred_revenue", 0) == 0
