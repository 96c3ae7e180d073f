"""Payments converge: merge facts, then post the difference between what the ledger holds and what it should hold."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.ledger.locking import lock_accounts
from billing.models import FindingState, Payment, PaymentKind, PlanPeriod, Severity
from billing.pricing import Collected, Terms, find_mismatch, is_granted
from billing.selectors.payments import find_payment
from billing.services.audit import record_audit
from billing.services.convergence import Convergence
from billing.services.findings import end_finding, raise_finding
from billing.services.flags import end_flag, raise_flag
from billing.services.parked_events import wake_parked_events
from billing.services.payment_facts import PaymentFacts
from billing.services.payment_money_back import MoneyChange, follow_with_flags, merge_money_back, sum_given_back
from billing.services.payment_notices import announce_payment, remember
from billing.services.payment_postings import post_difference, post_purchase, record_movement
from billing.services.plan_postings import converge_periods
from billing.services.top_ups.following import find_news, stop_for_news

MISMATCHED = "payment_mismatched"
log = structlog.get_logger(__name__)


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
        charge_id=named.charge_id,
    )
    if payment is None:
        return Convergence.UNKNOWN
    payment = _lock(payment)
    before = remember(payment)
    for one in facts:
        contradiction = _find_contradiction(payment=payment, facts=one)
        if contradiction:
            log.error("payment_contradicted", alarm=True, payment=payment.public_id, reason=contradiction)
            return Convergence.CONTRADICTED
    for one in facts:
        learned = _merge(payment=payment, facts=one)
        wake_parked_events(named=learned)
    news = find_news(facts=facts)
    changes = merge_money_back(payment=payment, facts=facts)
    _converge(payment, changes=changes, told_at=named.told_at)
    payment.save()
    if changes or payment.given_back_minor or any(one.disputes or one.fraud_warnings for one in facts):
        follow_with_flags(payment=payment)
    stop_for_news(customer_id=payment.customer_id, news=news, changes=changes)
    has_disputes = any(one.disputes for one in facts)
    announce_payment(payment=payment, before=before, changes=changes, has_disputes=has_disputes)
    return Convergence.CONVERGED


def converge_credited(*, payment_id: int, credited_minor: int, change: MoneyChange) -> None:
    """Take in what credit notes gave back of a payment without a refund, in all, and bring its credits in line.

    Call inside `transaction.atomic()`; takes the lock on the customer's balance.
    """
    payment = _lock(Payment.objects.get(pk=payment_id))
    before = remember(payment)
    payment.credited_minor = credited_minor
    _converge(payment, changes=(change,), told_at=change.occurred_at)
    payment.save()
    stop_for_news(customer_id=payment.customer_id, news=(), changes=(change,))
    announce_payment(payment=payment, before=before, changes=(change,), has_disputes=False)


def follow_balance_use(*, payment_id: int, paid_at: datetime) -> None:
    """Take into the books what the customer's balance at Stripe paid of an invoice without a subscription.

    Call inside `transaction.atomic()`; takes the lock on the customer's balance.
    """
    payment = _lock(Payment.objects.get(pk=payment_id))
    if payment.paid_at is not None:  # else it is recorded with what was collected
        record_movement(payment, first_posting=payment.posting_count + 1, occurred_at=paid_at)
        payment.save(update_fields=["movement_count"])


def accept_mismatch(*, payment_id: int, actor: User, reason: str, address: str = "") -> Payment:
    """Grant what was offered although something else was paid; once, by a member of staff.

    Raises:
        RuntimeError: the payment is not under review.
    """
    with transaction.atomic(durable=True):
        payment = _lock(Payment.objects.get(pk=payment_id))
        if not payment.mismatch:
            raise RuntimeError(f"The payment {payment.public_id} is not under review.")
        before = remember(payment)
        mismatch, payment.accepted_at = payment.mismatch, timezone.now()
        for finding in payment.findings.filter(kind=MISMATCHED, state=FindingState.OPEN):
            end_finding(finding=finding, state=FindingState.REPAIRED, reason=reason, actor=actor)
        end_flag(customer_id=payment.customer_id, cause=_cause_of(payment), reason=reason, actor=actor)
        _converge(payment, changes=(), told_at=payment.accepted_at)
        payment.save()
        announce_payment(payment=payment, before=before, changes=(), has_disputes=False)
        record_audit(
            actor=actor,
            action="payment.grant",
            target=payment,
            before={"mismatch": mismatch},
            after={"credits": str(terms_of(payment).granted)},
            reason=reason,
            address=address,
            customer=payment.customer,
        )
    return payment


def _lock(payment: Payment) -> Payment:
    """The payment's row, locked after its customer's balance."""
    lock_accounts(customer_ids=[payment.customer_id])
    return Payment.objects.select_for_update(of=("self",)).select_related("customer").get(pk=payment.pk)


def terms_of(payment: Payment) -> Terms:
    """What was offered, from the snapshot taken before Stripe was called."""
    return Terms(
        credits=payment.credits,
        bonus_credits=payment.bonus_credits,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        min_paid_minor=payment.min_paid_minor,
    )


def collected_of(payment: Payment) -> Collected | None:
    """What the stored facts say was collected."""
    if payment.paid_at is None or payment.paid_amount_minor is None:
        return None
    return Collected(
        amount_minor=payment.paid_amount_minor,
        currency=payment.paid_currency,
        subtotal_minor=payment.paid_subtotal_minor,
        discount_minor=payment.paid_discount_minor,
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
    if any(known and known == told for known, told in (*pairs, (payment.charge_id, facts.charge_id))):
        return ""
    known_customers = {payment.customer.stripe_customer_id or "", *payment.customer.former_stripe_customer_ids}
    if facts.stripe_customer_id not in known_customers:
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
    payment.failed_attempts = {**facts.failed_attempts, **payment.failed_attempts}
    if payment.kind != PaymentKind.PLAN:  # what was collected for a plan, its invoice says
        payment.paid_at = _earlier(payment.paid_at, facts.collected_at)
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
    payment.paid_discount_minor = collected.discount_minor
    payment.paid_tax_minor = facts.tax_minor


def _judge(payment: Payment) -> None:
    """Derive the mismatch from the stored facts, each time anew: better facts, staff or a refund may settle it."""
    collected = collected_of(payment)
    mismatch = find_mismatch(terms=terms_of(payment), collected=collected) if collected else ""
    if payment.accepted_at is not None or _is_all_given_back(payment):
        mismatch = ""
    if mismatch and mismatch != payment.mismatch:
        _call_staff(payment, mismatch=mismatch)
    if payment.mismatch and not mismatch:
        end_flag(customer_id=payment.customer_id, cause=_cause_of(payment), reason="It was settled.")
        for finding in payment.findings.filter(kind=MISMATCHED, state=FindingState.OPEN):
            end_finding(finding=finding, state=FindingState.GONE, reason="What was paid has been settled.")
    payment.mismatch = mismatch


def _call_staff(payment: Payment, *, mismatch: str) -> None:
    """Flag the customer and raise a finding: somebody paid, and has nothing yet."""
    log.error("payment_mismatched", alarm=True, payment=payment.public_id, reason=mismatch)
    reason = f"Payment {payment.public_id}: {mismatch}"
    raise_flag(customer_id=payment.customer_id, cause=_cause_of(payment), reason=reason, freezes=False)
    raise_finding(
        kind=MISMATCHED,
        severity=Severity.CRITICAL,
        subject=payment.public_id,
        detail=mismatch,
        customer=payment.customer,
        payment=payment,
        stripe_id=payment.checkout_session_id or payment.payment_intent_id or "",
        ours={"amount_minor": payment.amount_minor, "currency": payment.currency},
        theirs={
            "amount_minor": payment.paid_amount_minor,
            "subtotal_minor": payment.paid_subtotal_minor,
            "currency": payment.paid_currency,
        },
        suggested_repair="Grant what was offered, or refund what was paid.",
        occurred_at=payment.paid_at,
    )


def _cause_of(payment: Payment) -> str:
    """What flags the customer while the payment is under review."""
    return f"payment:{payment.public_id}"


def _is_all_given_back(payment: Payment) -> bool:
    return bool(payment.paid_amount_minor) and payment.given_back_minor >= (payment.paid_amount_minor or 0)


def _converge(payment: Payment, *, changes: Sequence[MoneyChange], told_at: datetime) -> None:
    """From merged facts to entries: the same for every cause of a change."""
    payment.given_back_minor = sum_given_back(payment)
    if payment.kind == PaymentKind.PLAN:
        _converge_plan(payment, changes=changes, told_at=told_at)
        return
    _judge(payment)
    first_posting, granted = payment.posting_count + 1, terms_of(payment).granted
    if is_granted(terms=terms_of(payment), collected=collected_of(payment), is_accepted=bool(payment.accepted_at)):
        post_purchase(payment, granted=granted)
    if payment.posting_count:
        post_difference(payment, granted=granted, changes=changes)
    moved_at = max((change.occurred_at for change in changes), default=payment.paid_at or told_at)
    record_movement(payment, first_posting=first_posting, occurred_at=moved_at)


def _converge_plan(payment: Payment, *, changes: Sequence[MoneyChange], told_at: datetime) -> None:
    """What went back of an invoice lowers the targets of the periods that its lines are for."""
    payment.save()
    periods = PlanPeriod.objects.filter(lines__invoice__payment=payment).select_related("plan").distinct()
    converge_periods(
        customer_id=payment.customer_id,
        periods=list(periods),
        occurred_at=max((change.occurred_at for change in changes), default=told_at),
        payment=payment,
        changes=changes,
    )


def _earlier(known: datetime | None, told: datetime | None) -> datetime | None:
    """The first time that was told: a minimum does not depend on the order."""
    times = [moment for moment in (known, told) if moment]
    return min(times) if times else None
