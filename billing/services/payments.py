"""Payments converge: merge facts, then post the difference between what the ledger holds and what it should hold."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import structlog
from django.db.models import Sum

from billing import conf
from billing.kinds import EntryKind
from billing.ledger.locking import lock_accounts
from billing.ledger.posting import post_entries
from billing.ledger.shapes import Posting
from billing.models import LedgerEntry, Payment
from billing.money import ZERO
from billing.pricing import Collected, Terms, find_mismatch, target_credits
from billing.selectors.payments import find_payment
from billing.services.flags import raise_flag
from billing.services.parked_events import wake_parked_events
from billing.services.payment_facts import PaymentFacts

log = structlog.get_logger(__name__)


class Convergence(StrEnum):
    """What became of a set of facts."""

    CONVERGED = "converged"
    UNKNOWN = "unknown"  # no payment of ours is meant (yet)
    CONTRADICTED = "contradicted"  # they name a payment of ours that belongs to other objects of Stripe's


def converge_payment(*, facts: Sequence[PaymentFacts]) -> Convergence:
    """Merge facts about one payment and bring its credits in line. Any order and any repetition ends in the same.

    Call inside `transaction.atomic()`, so that what told of the facts is marked done with the effect or not at all.
    Takes the lock on the customer's balance. Events that were parked for an id learned here become due.
    """
    named = facts[0]
    payment = find_payment(
        reference=named.payment_reference,
        session_id=named.checkout_session_id,
        payment_intent_id=named.payment_intent_id,
    )
    if payment is None:
        return Convergence.UNKNOWN
    lock_accounts(customer_ids=[payment.customer_id])
    payment = Payment.objects.select_for_update(of=("self",)).select_related("customer").get(pk=payment.pk)
    for one in facts:
        contradiction = _find_contradiction(payment=payment, facts=one)
        if contradiction:
            log.error("payment_contradicted", alarm=True, payment=payment.public_id, reason=contradiction)
            return Convergence.CONTRADICTED
    for one in facts:
        learned = _merge(payment=payment, facts=one)
        wake_parked_events(named=learned)
    _judge(payment)
    _post_difference(payment)
    payment.save()
    return Convergence.CONVERGED


def terms_of(payment: Payment) -> Terms:
    """What was offered, from the snapshot taken before Stripe was called."""
    return Terms(
        credits=payment.credits,
        bonus_credits=payment.bonus_credits,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
    )


def collected_of(payment: Payment) -> Collected | None:
    """What the stored facts say was collected."""
    if payment.paid_at is None or payment.paid_amount_minor is None:
        return None
    return Collected(
        amount_minor=payment.paid_amount_minor,
        currency=payment.paid_currency,
        subtotal_minor=payment.paid_subtotal_minor,
    )


def _find_contradiction(*, payment: Payment, facts: PaymentFacts) -> str:
    """Why these objects cannot be this payment's, though they name it; empty if they can."""
    if facts.livemode is not conf.is_live():
        return "An object of the other mode, test or live, names it."
    pairs = (
        (payment.checkout_session_id, facts.checkout_session_id),
        (payment.payment_intent_id, facts.payment_intent_id),
    )
    if any(known and told and known != told for known, told in pairs):
        return "It belongs to another checkout session or payment intent."
    if any(known and known == told for known, told in pairs):
        return ""
    if facts.stripe_customer_id != (payment.customer.stripe_customer_id or ""):
        return "Another customer of Stripe's names it."
    return ""


def _merge(*, payment: Payment, facts: PaymentFacts) -> list[str]:
    """Add facts to a locked payment, whatever came before; gives the ids that it has learned."""
    learned = []
    for name in ("checkout_session_id", "payment_intent_id", "charge_id"):
        told = getattr(facts, name)
        if told and not getattr(payment, name):
            setattr(payment, name, told)
            learned.append(told)
    payment.invoice_id = payment.invoice_id or facts.invoice_id
    payment.receipt_url = payment.receipt_url or facts.receipt_url
    payment.completed_at = _earlier(payment.completed_at, facts.completed_at)
    payment.failed_at = _earlier(payment.failed_at, facts.failed_at)
    payment.expired_at = _earlier(payment.expired_at, facts.expired_at)
    payment.paid_at = _earlier(payment.paid_at, facts.collected_at)
    payment.failed_attempts = {**facts.failed_attempts, **payment.failed_attempts}
    _merge_collected(payment=payment, facts=facts)
    return learned


def _merge_collected(*, payment: Payment, facts: PaymentFacts) -> None:
    """A session knows more than its intent (subtotal, tax), so its word counts whichever came first."""
    collected = facts.collected
    if collected is None or (payment.paid_subtotal_minor is not None and collected.subtotal_minor is None):
        return
    payment.paid_amount_minor = collected.amount_minor
    payment.paid_currency = collected.currency
    payment.paid_subtotal_minor = collected.subtotal_minor
    payment.paid_tax_minor = facts.tax_minor


def _judge(payment: Payment) -> None:
    """Derive the mismatch from the stored facts, each time anew: better facts may settle it."""
    collected = collected_of(payment)
    mismatch = find_mismatch(terms=terms_of(payment), collected=collected) if collected else ""
    if mismatch and mismatch != payment.mismatch:
        log.error("payment_mismatched", alarm=True, payment=payment.public_id, reason=mismatch)
        reason = f"Payment {payment.public_id}: {mismatch}"
        raise_flag(customer_id=payment.customer_id, cause=f"payment:{payment.public_id}", reason=reason, freezes=False)
    payment.mismatch = mismatch


def _post_difference(payment: Payment) -> None:
    """Post what the ledger lacks of the target; `posting_count` numbers the entries, under the balance's lock."""
    difference = target_credits(terms=terms_of(payment), collected=collected_of(payment)) - _posted_so_far(payment)
    if difference < 0:  # facts that contradict earlier ones; nothing that Stripe does to a pack's checkout leads here
        log.error("payment_credited_too_much", alarm=True, payment=payment.public_id, credits=str(-difference))
    if difference <= 0:
        return
    payment.posting_count += 1
    post_entries(
        postings=[
            Posting(
                customer_id=payment.customer_id,
                kind=EntryKind.PURCHASE,
                amount=difference,
                key=_entry_key(payment=payment, number=payment.posting_count),
                description=payment.description,
                occurred_at=payment.paid_at,
                payment_id=payment.pk,
                cost_minor=payment.paid_amount_minor or 0,
                currency=payment.paid_currency,
                expires_at=_expiry_of(payment),
            )
        ]
    )


def _posted_so_far(payment: Payment) -> Decimal:
    keys = [_entry_key(payment=payment, number=number) for number in range(1, payment.posting_count + 1)]
    if not keys:
        return ZERO
    entries = LedgerEntry.objects.filter(customer_id=payment.customer_id, idempotency_key__in=keys)
    return entries.aggregate(posted=Sum("amount"))["posted"] or ZERO


def _entry_key(*, payment: Payment, number: int) -> str:
    return f"payment:{payment.pk}:{number}"


def _expiry_of(payment: Payment) -> datetime | None:
    if payment.lifetime_days is None or payment.paid_at is None:
        return None
    return payment.paid_at + timedelta(days=payment.lifetime_days)


def _earlier(known: datetime | None, told: datetime | None) -> datetime | None:
    """The first time that was told: a minimum does not depend on the order."""
    times = [moment for moment in (known, told) if moment]
    return min(times) if times else None
