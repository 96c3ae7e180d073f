"""What staff are proposed to refund of a plan's payment: the days of its period that are still to come."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.admin.refund_page import describe_preview, describe_refundable
from billing.models import Payment, PaymentKind
from billing.selectors.refunds import read_refundable
from billing.services.refund_preview import preview_refund
from billing.tests.plan_world import invoice, line, make_plan, make_subscriber, tell

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


def test_the_preview_does_not_say_that_no_credits_go(payment: Payment) -> None:
    preview = preview_refund(payment=payment, amount_minor=1266, now=timezone.now())

    labels = [label for label, _ in describe_preview(preview)]

    assert preview.is_plan
    assert "Credits that are taken back" not in labels
    assert "Credits of the plan's period" in labels
