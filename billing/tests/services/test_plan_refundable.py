"""What staff are proposed to refund of a plan's payment: the days of its period that are still to come."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from billing.admin.refund_page import describe_preview, describe_refundable
from billing.models import Payment, PaymentKind
from billing.money import format_credits
from billing.selectors.refunds import read_refundable
from billing.services.refund_preview import preview_refund
from billing.tests.plan_world import PRO_PLUS, invoice, line, make_plan, make_subscriber, posted, spend, tell
from billing.tests.services.test_plan_money_back import refund

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def payment(db: None) -> Payment:
    """$19.00 for thirty days that begin now."""
    customer, now = make_subscriber(), timezone.now()
    make_plan("pro")
    tell(invoice(customer, [line(1900, "pro", span=(now, now + 30 * DAY))], paid_at=now))
    return Payment.objects.get(kind=PaymentKind.PLAN)


@pytest.mark.parametrize(
    ("days", "unused_days", "proposed_minor"),
    [(0, 30, 1900), (10, 20, 1266), (29.5, 0, 0), (31, 0, 0)],
)
def test_the_unused_days_of_the_period_are_proposed(
    payment: Payment, days: float, unused_days: int, proposed_minor: int
) -> None:
    began = payment.invoice_mirror.lines.get().starts_at

    refundable = read_refundable(payment=payment, now=began + days * DAY)

    assert (refundable.unused_days, refundable.period_days) == (unused_days, 30)
    assert refundable.proposed_minor == proposed_minor
    assert ("Unused days of the plan's period", f"{unused_days} of 30") in describe_refundable(refundable)


@pytest.fixture
def spent(db: None) -> Payment:
    """$49.00 of Pro Plus, whose 60,000 credits are all spent."""
    customer, now = make_subscriber(), timezone.now()
    make_plan("pro_plus", price=PRO_PLUS)
    tell(invoice(customer, [line(4900, "pro_plus", span=(now, now + 30 * DAY))], paid_at=now))
    spend(customer, 60_000)
    return Payment.objects.get(kind=PaymentKind.PLAN)


def test_credits_that_are_spent_are_not_unused(spent: Payment) -> None:
    refundable = read_refundable(payment=spent, now=timezone.now())

    assert (refundable.most_minor, refundable.proposed_minor) == (4900, 0)


@pytest.mark.parametrize(("amount_minor", "taken"), [(4900, 60_000), (2450, 30_000), (1, Decimal("12.244898"))])
def test_the_balance_is_afterwards_as_it_was_foretold(spent: Payment, amount_minor: int, taken: Decimal) -> None:
    preview = preview_refund(payment=spent, amount_minor=amount_minor, now=timezone.now())

    refund(spent, amount_minor)

    assert (preview.posted_before, preview.credits) == (0, taken)
    assert preview.posted_after == -taken == posted(spent.customer)
    assert ("Credits that are taken back", format_credits(Decimal(taken))) in describe_preview(preview)
    again = preview_refund(payment=Payment.objects.get(pk=spent.pk), amount_minor=0, now=timezone.now())
    assert again.credits == 0


@pytest.mark.parametrize("amount_minor", [633, 1900])
def test_an_unspent_plan_is_foretold_too(payment: Payment, amount_minor: int) -> None:
    spend(payment.customer, 5000)
    preview = preview_refund(payment=payment, amount_minor=amount_minor, now=timezone.now())

    refund(payment, amount_minor)

    assert preview.posted_after == posted(payment.customer)
    assert preview.credits > 0


def test_part_of_the_credits_spent_is_less_than_the_days_left(payment: Payment) -> None:
    spend(payment.customer, 15_000)

    refundable = read_refundable(payment=payment, now=payment.invoice_mirror.lines.get().starts_at)

    assert refundable.proposed_minor == 475


def test_money_from_the_balance_cannot_go_back(db: None) -> None:
    customer, now = make_subscriber(), timezone.now()
    make_plan("pro")
    told = invoice(customer, [line(1900, "pro", span=(now, now + 30 * DAY))], from_balance_minor=1000, paid_at=now)
    tell(told)

    refundable = read_refundable(payment=Payment.objects.get(kind=PaymentKind.PLAN), now=now)

    assert (refundable.collected_minor, refundable.most_minor, refundable.proposed_minor) == (900, 900, 900)


def test_credits_that_have_lapsed_are_foretold_as_expired(payment: Payment) -> None:
    spend(payment.customer, 5000)
    with time_machine.travel(timezone.now() + 90 * DAY, tick=False):
        refundable = read_refundable(payment=payment, now=timezone.now())
        preview = preview_refund(payment=payment, amount_minor=1900, now=timezone.now())

        refund(payment, 1900)

        assert refundable.proposed_minor == 0
        assert preview.credits == 5000
        assert preview.posted_after == posted(payment.customer)
