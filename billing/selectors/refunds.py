"""What of a payment can go back, what is unused of it, and what a refund would do to the balance. Reads never lock."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Q, Sum

from billing.kinds import CLAW_BACKS, EntryKind
from billing.models import (
    CreditGrant,
    GrantAllocation,
    LedgerEntry,
    Payment,
    PaymentRefund,
    RefundRequest,
    RefundRequestState,
)
from billing.money import ZERO, share_minor_down
from billing.pricing import credits_kept, credits_taken
from billing.selectors.balances import read_balance

_UNANSWERED = (RefundRequestState.WAITING, RefundRequestState.READY, RefundRequestState.SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refundable:
    """What can still go back of a payment, and the part of it that pays for credits nobody has used."""

    collected_minor: int
    given_back_minor: int
    requested_minor: int  # asked for and not given back yet
    unused_minor: int
    currency: str

    @property
    def most_minor(self) -> int:
        return max(0, self.collected_minor - self.given_back_minor - self.requested_minor)

    @property
    def proposed_minor(self) -> int:
        return min(self.unused_minor, self.most_minor)


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


def read_refundable(*, payment: Payment, now: datetime) -> Refundable:
    """What can go back of a payment as it is stored; under the lock of its row nothing changes meanwhile."""
    collected = (payment.paid_amount_minor or 0) if payment.paid_at else 0
    return Refundable(
        collected_minor=collected,
        given_back_minor=payment.given_back_minor,
        requested_minor=_sum_requests(payment),
        unused_minor=_unused_minor(payment, collected_minor=collected, now=now),
        currency=payment.paid_currency or payment.currency,
    )


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


def _sum_requests(payment: Payment) -> int:
    """What staff have asked for and Stripe has not given back yet, as far as we know."""
    known = PaymentRefund.objects.filter(payment=payment).values("refund_id")
    still_open = Q(state__in=_UNANSWERED) | (Q(state=RefundRequestState.ACCEPTED) & ~Q(refund_id__in=known))
    rows = RefundRequest.objects.filter(still_open, payment=payment)
    return rows.aggregate(total=Sum("amount_minor"))["total"] or 0


def _unused_minor(payment: Payment, *, collected_minor: int, now: datetime) -> int:
    """Money for the credits of the payment's own grant that remain. What was never granted is unused as a whole."""
    grants = list(CreditGrant.objects.filter(payment=payment))
    if not grants:
        return collected_minor
    remaining = sum((each.remaining for each in grants if not _has_lapsed(each, now=now)), ZERO)
    return share_minor_down(
        amount_minor=collected_minor, part=remaining, whole=sum((each.amount for each in grants), ZERO)
    )


def _credits_to_take(payment: Payment, *, amount_minor: int, now: datetime) -> Decimal:
    """The claw-back that convergence would post for it: the rules are those of `billing.pricing`."""
    grants = list(CreditGrant.objects.filter(payment=payment))
    granted = sum((each.amount for each in grants), ZERO)
    if not granted:
        return ZERO
    entries = LedgerEntry.objects.filter(payment=payment)
    expired = -(entries.filter(kind=EntryKind.EXPIRY).aggregate(total=Sum("amount"))["total"] or ZERO)
    own_claw_backs = entries.filter(kind__in=CLAW_BACKS)
    claimed = GrantAllocation.objects.filter(entry__in=own_claw_backs, grant__payment=payment)
    drawn = CreditGrant.objects.filter(payment=payment).aggregate(total=Sum(F("amount") - F("remaining")))["total"]
    consumed = (drawn or ZERO) - expired - (claimed.aggregate(total=Sum("amount"))["total"] or ZERO)
    expired += sum((each.remaining for each in grants if _has_lapsed(each, now=now)), ZERO)
    kept = credits_kept(
        granted=granted,
        paid_minor=payment.paid_amount_minor or 0,
        given_back_minor=payment.given_back_minor + amount_minor,
    )
    target = credits_taken(granted=granted, kept=kept, consumed=consumed, expired=expired)
    numbered = entries.filter(idempotency_key__startswith=f"payment:{payment.pk}:")
    taken_so_far = granted - (numbered.aggregate(total=Sum("amount"))["total"] or ZERO)
    return max(ZERO, target - taken_so_far)


def _has_lapsed(grant: CreditGrant, *, now: datetime) -> bool:
    return grant.expires_at is not None and grant.expires_at <= now
