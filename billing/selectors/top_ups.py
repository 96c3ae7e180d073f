"""Automatic top-ups, read: what decides about the next one, and what became of the last ones."""

from datetime import datetime
from decimal import Decimal

from django.db.models import BigIntegerField, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Greatest

from billing import conf
from billing.kinds import UNDONE_BY_MONEY
from billing.models import (
    AutoTopUp,
    CreditBalance,
    CreditPack,
    Payment,
    PaymentKind,
    PaymentRefund,
    RefundRequest,
    RefundRequestState,
    TopUpCause,
    TopUpConsent,
    TopUpState,
    UncoveredPart,
)
from billing.money import ZERO
from billing.selectors.selling import sells_to
from billing.top_up_rules import MOST_DECLINES, Situation, count_declines, month_start

OPEN = Q(paid_at__isnull=True, failed_at__isnull=True, refused_at__isnull=True)
_LOOKED_AT = 5 * MOST_DECLINES


def attempts_of(*, customer_id: int) -> QuerySet[Payment]:
    """All attempts to top up a customer, the newest first."""
    return Payment.objects.filter(customer_id=customer_id, kind=PaymentKind.AUTO_TOP_UP).order_by("-pk")


def find_consent_gap(*, top_up: AutoTopUp) -> TopUpCause | None:
    """Why what was agreed to does not hold any more; None if it does."""
    consent = top_up.consent
    if consent is None:
        return TopUpCause.NEVER_SET_UP
    user = top_up.customer.user
    if user is None or not user.is_active:
        return TopUpCause.ACCOUNT_CLOSED
    if not top_up.payment_method_id:
        return TopUpCause.CARD_REMOVED
    if top_up.payment_method_id != consent.payment_method_id:
        return TopUpCause.CARD_CHANGED
    if not consent.pack.is_active:
        return TopUpCause.PACK_GONE
    if consent.is_taxed is not conf.is_automatic_tax_on() or not is_as_agreed(consent=consent, pack=consent.pack):
        return TopUpCause.TERMS_CHANGED
    return None


def is_as_agreed(*, consent: TopUpConsent, pack: CreditPack) -> bool:
    """Whether a pack still has the terms that a consent names."""
    return (consent.credits, consent.bonus_credits, consent.amount_minor, consent.currency, consent.lifetime_days) == (
        pack.credits,
        pack.bonus_credits,
        pack.price_minor,
        pack.currency,
        pack.lifetime_days,
    )


def read_situation(
    *, top_up: AutoTopUp, consent: TopUpConsent, balance: CreditBalance, now: datetime, but: Payment | None = None
) -> Situation:
    """What decides about a top-up now, as if the attempt `but` did not exist. A handful of queries."""
    others = attempts_of(customer_id=top_up.customer_id)
    if but is not None:
        others = others.exclude(pk=but.pk)
    declines, last_declined_at = declines_of(consent=consent)
    sums = others.aggregate(
        spent=Coalesce(Sum(_counted_minor(), filter=_counts(consent, now)), 0, output_field=BigIntegerField()),
        open=Max("pk", filter=OPEN),
        last_sent_at=Max(Greatest("sent_at", "asked_at", "paid_at")),  # of those that are there
    )
    return Situation(
        is_on=top_up.state == TopUpState.ON,
        consent_gap=find_consent_gap(top_up=top_up) or "",
        available=balance.posted - balance.held,
        threshold=consent.threshold,
        is_selling=sells_to(top_up.customer),
        is_frozen=balance.frozen_at is not None,
        claw_back_debt=claw_back_debt(customer_id=top_up.customer_id) if balance.posted < 0 else ZERO,
        has_open_attempt=sums["open"] is not None,
        has_open_refund=has_open_refund(customer_id=top_up.customer_id),
        last_sent_at=sums["last_sent_at"],
        declines=declines,
        last_declined_at=last_declined_at,
        spent_minor=sums["spent"],
        price_minor=consent.amount_minor,
        ceiling_minor=consent.ceiling_minor,
    )


def has_open_refund(*, customer_id: int) -> bool:
    """Whether staff have asked for a refund of a payment of the customer, and it is not made and merged yet."""
    known = PaymentRefund.objects.filter(payment__customer_id=customer_id).values("refund_id")
    is_open = Q(state__in=(RefundRequestState.READY, RefundRequestState.SENT))
    is_unmerged = Q(state=RefundRequestState.ACCEPTED) & ~Q(refund_id__in=known)
    return RefundRequest.objects.filter(is_open | is_unmerged, payment__customer_id=customer_id).exists()


def claw_back_debt(*, customer_id: int) -> Decimal:
    """What a customer owes because money went back, and not because of usage."""
    parts = UncoveredPart.objects.filter(customer_id=customer_id, is_open=True, entry__kind__in=UNDONE_BY_MONEY)
    return parts.aggregate(total=Sum("amount"))["total"] or ZERO


def _counted_minor() -> Coalesce:
    """What was collected, tax included, or what may still be."""
    return Coalesce("paid_amount_minor", "amount_minor")


def _counts(consent: TopUpConsent, now: datetime) -> Q:
    """Attempts that use up this month's ceiling: paid in it, or still open, in whichever month they began."""
    start = month_start(now)
    is_of_month = Q(paid_at__isnull=False) & (Q(paid_at__gte=start) | Q(created_at__gte=start))
    return Q(currency=consent.currency) & (is_of_month | OPEN)


def declines_of(*, consent: TopUpConsent) -> tuple[int, datetime | None]:
    """How many attempts were declined in a row since the consent, and when the last one was."""
    rows = list(consent.payments.order_by("-pk").values_list("paid_at", "failed_at")[:_LOOKED_AT])
    outcomes = [True if paid_at else False if failed_at else None for paid_at, failed_at in rows]
    last = next((failed_at for paid_at, failed_at in rows if failed_at and not paid_at), None)
    return count_declines(outcomes), last
