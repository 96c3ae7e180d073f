"""What staff are proposed to refund of a plan's payment: the days of its period that are still to come."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from billing.admin.refund_page import describe_preview, describe_refundable
from billing.models import CreditGrant, Payment, PaymentKind
from billing.money import format_credits
from billing.selectors.refunds import read_refundable
from billing.services.refund_preview import preview_refund
from billing.tests.plan_world import PRO_PLUS, invoice, line, make_plan, make_subscriber, posted, spend, tell
from billing.tests.services.test_credit_notes import credited, note
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


def test_money_stays_refundable_where_a_note_gave_back_what_the_balance_paid(db: None) -> None:
    customer, now = make_subscriber(), timezone.now()
    make_plan("pro")
    told = invoice(customer, [line(1900, "pro", span=(now, now + 30 * DAY))], from_balance_minor=1000, paid_at=now)
    tell(told, credited(told, note(told, to_balance=600)))

    refundable = read_refundable(payment=Payment.objects.get(), now=now)
    assert (refundable.collected_minor, refundable.given_back_minor, refundable.most_minor) == (900, 600, 900)

    tell(credited(told, note(told, to_balance=600), note(told, number=2, elsewhere=700)))
    assert read_refundable(payment=Payment.objects.get(), now=now).most_minor == 600


def test_what_a_note_gave_back_is_not_proposed_again(payment: Payment) -> None:
    """Half of the money is left for half of the credits, of which half is used."""
    customer, now = payment.customer, payment.invoice_mirror.lines.get().starts_at
    told = invoice(customer, [line(1900, "pro", span=(now, now + 30 * DAY), subscription="sub_2")], paid_at=now)
    tell(told, credited(told, note(told, to_balance=950)))
    credited_payment = Payment.objects.get(invoice_mirror__invoice_id=told.id)
    grant = CreditGrant.objects.get(plan_period__subscription_id="sub_2")
    spend(customer, 25_000)
    grant.refresh_from_db()

    refundable = read_refundable(payment=credited_payment, now=now)

    assert grant.remaining == 5000
    assert refundable.proposed_minor == 475


def test_what_an_invoice_took_of_another_period_comes_back_in_the_preview(payment: Payment) -> None:
    customer, now = payment.customer, payment.invoice_mirror.lines.get().starts_at
    make_plan("pro_plus", price=PRO_PLUS)
    month, year = (now, now + 30 * DAY), (now, now + 60 * DAY)
    change = invoice(customer, [line(-1900, "pro", span=month), line(4900, "pro_plus", span=year)], paid_at=now)
    tell(change)
    spend(customer, 60_000)
    changed = Payment.objects.get(invoice_mirror__invoice_id=change.id)

    preview = preview_refund(payment=changed, amount_minor=1500, now=now)
    refund(changed, 1500)

    assert preview.posted_after == posted(customer)
