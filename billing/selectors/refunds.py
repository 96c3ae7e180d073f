"""What of a payment can go back, and what of it is unused. Reads never lock."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Sum

from billing.models import (
    CreditGrant,
    Invoice,
    Payment,
    PaymentKind,
    PaymentRefund,
    PlanPeriod,
    RefundRequest,
    RefundRequestState,
)
from billing.money import ZERO, share_minor_down

_UNANSWERED = (RefundRequestState.WAITING, RefundRequestState.READY, RefundRequestState.SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refundable:
    """What can still go back of a payment, and the part of it that pays for credits nobody has used."""

    collected_minor: int
    given_back_minor: int  # by credit notes too, of which some is no money that was collected
    left_minor: int  # collected, and not gone back
    requested_minor: int  # asked for and not given back yet
    unused_minor: int
    currency: str
    unused_days: int = 0  # of a plan's period, whole ones
    period_days: int = 0  # 0: the payment is not for a period

    @property
    def most_minor(self) -> int:
        return max(0, self.left_minor - self.requested_minor)

    @property
    def proposed_minor(self) -> int:
        return min(self.unused_minor, self.most_minor)


def read_refundable(*, payment: Payment, now: datetime) -> Refundable:
    """What can go back of a payment as it is stored; under the lock of its row nothing changes meanwhile."""
    collected = _collected_minor(payment)
    left = _left_minor(payment, collected_minor=collected)
    unused_days, period_days = _days_of(payment, now=now)
    unused = _unused_minor(payment, collected_minor=collected, left_minor=left, now=now)
    if period_days:
        unused = min(unused, collected * unused_days // period_days)
    return Refundable(
        collected_minor=collected,
        given_back_minor=payment.given_back_minor,
        left_minor=left,
        requested_minor=_sum_requests(payment),
        unused_minor=unused,
        currency=payment.paid_currency or payment.currency,
        unused_days=unused_days,
        period_days=period_days,
    )


def _sum_requests(payment: Payment) -> int:
    """What staff have asked for and Stripe has not given back yet, as far as we know."""
    known = PaymentRefund.objects.filter(payment=payment).values("refund_id")
    still_open = Q(state__in=_UNANSWERED) | (Q(state=RefundRequestState.ACCEPTED) & ~Q(refund_id__in=known))
    rows = RefundRequest.objects.filter(still_open, payment=payment)
    return rows.aggregate(total=Sum("amount_minor"))["total"] or 0


def _collected_minor(payment: Payment) -> int:
    """What was paid in money: Stripe cannot refund what came from the customer's balance there."""
    if not payment.paid_at:
        return 0
    paid = payment.paid_amount_minor or 0
    invoice = Invoice.objects.filter(payment=payment).first()
    if invoice is None:
        return paid
    if payment.kind == PaymentKind.PLAN:
        return min(paid, invoice.amount_paid_minor)
    return max(0, paid - invoice.from_balance_minor)


def _left_minor(payment: Payment, *, collected_minor: int) -> int:
    """What a refund can still take: of the money that came, and of all that was paid, what has not gone back.

    A credit note may have given back what came from the customer's balance; then the money is still whole.
    """
    in_money = collected_minor - payment.refunded_minor - payment.withdrawn_minor
    in_all = (payment.paid_amount_minor or 0) - payment.given_back_minor
    return max(0, min(in_money, in_all))


def periods_of(payment: Payment) -> list[PlanPeriod]:
    """The periods of a plan that a payment's invoice is for, the latest first."""
    periods = PlanPeriod.objects.filter(lines__invoice__payment=payment).distinct()
    return list(periods.order_by("-ends_at", "-pk"))


def _days_of(payment: Payment, *, now: datetime) -> tuple[int, int]:
    """Whole days of a plan's paid period that are still to come, and all of them; 0 of 0 for other payments."""
    if payment.kind != PaymentKind.PLAN:
        return 0, 0
    period = next(iter(periods_of(payment)), None)
    if period is None:
        return 0, 0
    whole = max(1, (period.ends_at - period.starts_at).days)
    return min(whole, max(0, (period.ends_at - now).days)), whole


def _unused_minor(payment: Payment, *, collected_minor: int, left_minor: int, now: datetime) -> int:
    """Money for the credits of the payment's grants that remain. What was never granted is unused as a whole.

    A plan's grants are those of its invoice's periods, whose credits other invoices may have changed. What its periods
    allow has gone down with the money that went back.
    """
    money = collected_minor
    if payment.kind == PaymentKind.PLAN:
        periods = periods_of(payment)
        grants = list(CreditGrant.objects.filter(plan_period__in=periods))
        whole, money = sum((period.target_credits for period in periods), ZERO), left_minor
    else:
        grants = list(CreditGrant.objects.filter(payment=payment))
        whole = sum((each.amount for each in grants), ZERO)
    if not grants:
        return money
    remaining = sum((each.remaining for each in grants if not has_lapsed(each, now=now)), ZERO)
    if not whole:
        return 0
    return share_minor_down(amount_minor=money, part=min(remaining, whole), whole=whole)


def has_lapsed(grant: CreditGrant, *, now: datetime) -> bool:
    """Whether a grant is over, though no write may have expired it yet."""
    return grant.expires_at is not None and grant.expires_at <= now
