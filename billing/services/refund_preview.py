"""What a refund would do to the balance, for staff to see before they ask for it. Reads only, never locks."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from billing.models import CreditGrant, LedgerEntry, Payment, PaymentKind, PlanPeriod
from billing.money import ZERO
from billing.plan_pricing import plan_posted
from billing.pricing import credits_kept, credits_taken
from billing.selectors.balances import read_balance
from billing.selectors.refunds import has_lapsed, periods_of
from billing.services.payment_postings import drawn_on_own_grant
from billing.services.plan_postings import drawn_on, paid_lines, posted_for, target_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPreview:
    """What a refund would do: credits that are taken back, and the balance before and after."""

    amount_minor: int
    currency: str
    credits: Decimal
    posted_before: Decimal

    @property
    def posted_after(self) -> Decimal:
        return self.posted_before - self.credits

    @property
    def debt_after(self) -> Decimal:
        return max(ZERO, -self.posted_after)


def preview_refund(*, payment: Payment, amount_minor: int, now: datetime) -> RefundPreview:
    """What a refund of so much would do to the balance as it is now."""
    balance = read_balance(customer_id=payment.customer_id, now=now)
    if balance is None:
        raise RuntimeError(f"The customer {payment.customer_id} has no balance row.")
    return RefundPreview(
        amount_minor=amount_minor,
        currency=payment.paid_currency or payment.currency,
        credits=_credits_to_take(payment, amount_minor=amount_minor, now=now),
        posted_before=balance.posted,
    )


def _credits_to_take(payment: Payment, *, amount_minor: int, now: datetime) -> Decimal:
    """The claw-back that convergence would post for it: the rules are those of `billing.pricing`."""
    if payment.kind == PaymentKind.PLAN:
        leaving = {payment.pk: amount_minor}
        return max(ZERO, sum((_taken_from(period, leaving=leaving, now=now) for period in periods_of(payment)), ZERO))
    grants = list(CreditGrant.objects.filter(payment=payment))
    granted = sum((each.amount for each in grants), ZERO)
    if not granted:
        return ZERO
    consumed, expired = drawn_on_own_grant(payment)
    expired += sum((each.remaining for each in grants if has_lapsed(each, now=now)), ZERO)
    kept = credits_kept(
        granted=granted,
        paid_minor=payment.paid_amount_minor or 0,
        given_back_minor=payment.given_back_minor + amount_minor,
    )
    target = credits_taken(granted=granted, kept=kept, consumed=consumed, expired=expired)
    numbered = LedgerEntry.objects.filter(payment=payment, idempotency_key__startswith=f"payment:{payment.pk}:")
    taken_so_far = granted - (numbered.aggregate(total=Sum("amount"))["total"] or ZERO)
    return max(ZERO, target - taken_so_far)


def _taken_from(period: PlanPeriod, *, leaving: dict[int, int], now: datetime) -> Decimal:
    """What of a plan's period goes with money: the rules are those of `billing.plan_pricing`.

    Less than nothing of one that the invoice takes from: with its money, what it took comes back.
    """
    consumed, expired = drawn_on(period)
    lapsed = sum((each.remaining for each in period.grants.all() if has_lapsed(each, now=now)), ZERO)
    target = plan_posted(
        target=target_of(paid_lines(period), leaving=leaving),
        consumed=consumed,
        expired=expired + lapsed,
    )
    return posted_for(period) - target
