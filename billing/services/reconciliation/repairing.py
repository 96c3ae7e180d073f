"""Repairs: the same paths that webhooks take. Nothing here edits; what convergence cannot settle stays a finding."""

import json
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.errors import BillingError
from billing.gateway.client import StripeGateway
from billing.models import (
    BillingCustomer,
    DisputeMovement,
    EventState,
    FindingState,
    FraudWarning,
    Payment,
    PaymentDispute,
    PaymentRefund,
    ReconciliationFinding,
    StripeEvent,
)
from billing.services.findings import end_finding
from billing.services.payment_facts import PaymentFacts, facts_of_fraud_warning
from billing.services.payment_reading import read_payment_facts
from billing.services.payments import converge_payment
from billing.services.reconciliation.kinds import FINDING_KINDS, Repair
from billing.services.reconciliation.shapes import Inbox
from billing.services.stripe_customers import forget_stripe_customer

log = structlog.get_logger(__name__)

# What these tell is read with their payment; the others say something that only the event or its own object knows.
_TOLD_BY_THE_PAYMENT = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "charge.refunded",
    "charge.refund.updated",
    "refund.",
    "charge.dispute.",
)
_FOUND_BY_RECONCILIATION = "It never came; reconciliation read its object instead."


def is_repairable(finding: ReconciliationFinding) -> bool:
    """Whether a repair without a person's decision exists for it."""
    kind = FINDING_KINDS.get(finding.kind)
    return kind is not None and kind.repair is not Repair.STAFF


def repair_findings(
    *,
    findings: Sequence[ReconciliationFinding],
    gateway: StripeGateway,
    inbox: Inbox,
    actor: User | None = None,
    reason: str = "Repaired by reconciliation.",
    is_due: Callable[[Payment], bool] = lambda payment: True,
) -> int:
    """Repair open findings and end those that are settled by it; gives how many repairs failed.

    Each payment is read and converged once, however many findings it has; `is_due` leaves out those that were before.
    A repair that fails leaves its findings open and the others untouched: the next run tries again.
    """
    failed = 0
    payments = {one.payment.pk: one.payment for one in findings if one.payment is not None and is_repairable(one)}
    converged = set(payments)
    for payment in payments.values():
        if is_due(payment) and not _attempt(partial(_converge, payment, findings, gateway)):
            converged.discard(payment.pk)
            failed += 1
    for finding in findings:
        if FINDING_KINDS[finding.kind].repair is Repair.FORGET_CUSTOMER:
            failed += not _attempt(partial(_forget_customer, finding))
        elif FINDING_KINDS[finding.kind].repair is Repair.INBOX:
            is_told = finding.payment_id in converged and _is_told_by_payment(finding)
            failed += not _attempt(partial(_put_into_inbox, finding, inbox, is_told=is_told))
    for finding in findings:
        if is_settled(finding):
            end_finding(finding=finding, state=FindingState.REPAIRED, reason=reason, actor=actor)
    return failed


def is_settled(finding: ReconciliationFinding) -> bool:
    """Whether our rows by now say what Stripe said when the finding was seen."""
    check = SETTLED.get(finding.kind)
    if check is None:
        return False
    payment = Payment.objects.filter(pk=finding.payment_id).first() if finding.payment_id else None
    return check(finding, payment)


def _attempt(act: Callable[[], object]) -> bool:
    try:
        act()
    except (BillingError, RuntimeError, ValueError) as error:  # the finding stays, with the reason in the log
        log.error("repair_failed", alarm=True, error=f"{type(error).__name__}: {error}")
        return False
    return True


def read_facts_of_repair(
    *, payment: Payment, findings: Iterable[ReconciliationFinding], gateway: StripeGateway
) -> list[PaymentFacts]:
    """Everything that Stripe says now about a payment with findings; no database transaction is open.

    Its fraud warnings too, where one was missed: no object of the payment names them.
    """
    mine = [finding for finding in findings if finding.payment_id == payment.pk]
    named = _with_names_of(payment, mine, gateway)
    facts = read_payment_facts(payment=named, gateway=gateway)
    if named.payment_intent_id and any(finding.kind == "fraud_warning_not_recorded" for finding in mine):
        now = timezone.now()
        facts += [
            facts_of_fraud_warning(warning=warning, occurred_at=now)
            for warning in gateway.list_fraud_warnings_of(payment_intent_id=named.payment_intent_id)
        ]
    return facts


def _converge(payment: Payment, findings: Iterable[ReconciliationFinding], gateway: StripeGateway) -> None:
    facts = read_facts_of_repair(payment=payment, findings=findings, gateway=gateway)
    if facts:
        with transaction.atomic(durable=True):
            converge_payment(facts=facts)


def _with_names_of(payment: Payment, findings: Iterable[ReconciliationFinding], gateway: StripeGateway) -> Payment:
    """The payment with the names at Stripe under which it was found, where it does not know its own: it is read by
    them, and convergence judges what they say.
    """
    named = copy(payment)
    for finding in findings:
        if finding.payment_id == payment.pk:
            named.checkout_session_id = named.checkout_session_id or finding.theirs.get("session")
            named.payment_intent_id = named.payment_intent_id or finding.theirs.get("payment_intent")
    if named.payment_intent_id and not named.checkout_session_id:
        session = gateway.find_session_of_intent(payment_intent_id=named.payment_intent_id)
        named.checkout_session_id = session.id if session else None
    return named


def _forget_customer(finding: ReconciliationFinding) -> None:
    with transaction.atomic():
        forget_stripe_customer(stripe_customer_id=finding.stripe_id)


def _is_told_by_payment(finding: ReconciliationFinding) -> bool:
    event_type = str(finding.theirs.get("type", ""))
    return event_type.startswith(_TOLD_BY_THE_PAYMENT)


def _put_into_inbox(finding: ReconciliationFinding, inbox: Inbox, *, is_told: bool) -> None:
    """Store the event by its ids alone, so that its handler reads the object as it is now.

    What Stripe lists is frozen in the version of its time. An event whose payment was just converged is done.
    """
    told, now = finding.theirs, timezone.now()
    body: dict[str, Any] = {
        "id": told["event"],
        "object": "event",
        "type": told["type"],
        "created": int(finding.occurred_at.timestamp()),
        "livemode": told["livemode"],
        "data": {"object": {"id": told["object"], "object": told["object_type"]}},
    }
    StripeEvent.objects.bulk_create(
        [
            StripeEvent(
                event_id=told["event"],
                type=told["type"],
                livemode=told["livemode"],
                object_id=told["object"],
                related_ids=told["names"].split(),
                body=json.dumps(body),
                occurred_at=finding.occurred_at,
                state=EventState.DONE if is_told else EventState.PENDING,
                reason=_FOUND_BY_RECONCILIATION if is_told else "",
                done_at=now if is_told else None,
                next_try_at=None if is_told else now,
            )
        ],
        ignore_conflicts=True,
    )
    if not is_told:
        inbox.work_off(told["event"])


def _is_granted(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    """A payment that turns out not to be what was offered is recorded, and a finding of its own for staff."""
    return payment is not None and payment.paid_at is not None and bool(payment.posting_count or payment.mismatch)


def _is_amount_the_same(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return payment is not None and (payment.paid_amount_minor, payment.paid_currency) == (
        finding.theirs.get("amount_minor"),
        finding.theirs.get("currency"),
    )


def _has_state(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    if payment is None:
        return False
    ended = payment.expired_at if finding.theirs.get("status") == "expired" else payment.completed_at
    return ended is not None or payment.paid_at is not None


def _is_refund_the_same(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = PaymentRefund.objects.filter(refund_id=finding.stripe_id).first()
    return known is not None and known.is_dead is (finding.theirs.get("status") in ("failed", "canceled"))


def _is_dispute_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return PaymentDispute.objects.filter(dispute_id=finding.stripe_id).exists()


def _has_read_dispute_since(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    known = PaymentDispute.objects.filter(dispute_id=finding.stripe_id).first()
    return known is not None and (
        known.status == finding.theirs.get("status") or known.status_read_at > finding.last_seen_at
    )


def _is_movement_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return DisputeMovement.objects.filter(balance_transaction_id=finding.theirs.get("movement")).exists()


def _is_warning_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return FraudWarning.objects.filter(warning_id=finding.stripe_id).exists()


def _is_event_known(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    """A dead one is not: staff have to look at it."""
    known = StripeEvent.objects.filter(event_id=finding.stripe_id)
    return known.exclude(state=EventState.DEAD).exists()


def _is_customer_forgotten(finding: ReconciliationFinding, payment: Payment | None) -> bool:
    return not BillingCustomer.objects.filter(stripe_customer_id=finding.stripe_id).exists()


SETTLED: dict[str, Callable[[ReconciliationFinding, Payment | None], bool]] = {
    "paid_not_granted": _is_granted,
    "amount_differs": _is_amount_the_same,
    "currency_differs": _is_amount_the_same,
    "checkout_state_differs": _has_state,
    "refund_not_recorded": _is_refund_the_same,
    "refund_state_differs": _is_refund_the_same,
    "dispute_not_recorded": _is_dispute_known,
    "dispute_state_differs": _has_read_dispute_since,
    "dispute_movement_not_recorded": _is_movement_known,
    "fraud_warning_not_recorded": _is_warning_known,
    "event_missed": _is_event_known,
    "customer_deleted": _is_customer_forgotten,
}
