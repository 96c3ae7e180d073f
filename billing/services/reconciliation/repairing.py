"""Repairs: the same paths that webhooks take. Nothing here edits; what convergence cannot settle stays a finding."""

import json
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.errors import BillingError, StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.models import (
    EventState,
    FindingState,
    Payment,
    ReconciliationFinding,
    StripeEvent,
)
from billing.services.findings import end_finding
from billing.services.payment_facts import PaymentFacts, facts_of_fraud_warning
from billing.services.payment_reading import read_payment_facts, refresh_payment
from billing.services.payments import converge_payment
from billing.services.plan_reading import read_plan_object
from billing.services.reconciliation.kinds import FINDING_KINDS, Repair
from billing.services.reconciliation.settling import is_settled
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
_WARNING = "fraud_warning_not_recorded"
_PATIENCE = 5  # each of which is a call with its retries and their timeouts
_FOUND_BY_RECONCILIATION = "It never came; reconciliation read its object instead."


def is_repairable(finding: ReconciliationFinding) -> bool:
    """Whether a repair without a person's decision exists for it."""
    kind = FINDING_KINDS.get(finding.kind)
    return kind is not None and kind.repair is not Repair.STAFF


@dataclass(slots=True)
class Repairs:
    """What a series of repairs remembers: which payments were converged, and how often Stripe has failed."""

    is_converged: Callable[[int], bool]
    remember_converged: Callable[[int], object]
    failed: int = 0
    unanswered: int = 0  # in a row

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do one repair; one that fails leaves its findings open, with the reason in the log.

        Raises:
            StripeUnavailable: again and again, so that going on is no use.
        """
        try:
            act()
        except (BillingError, RuntimeError, ValueError) as error:
            log.error("repair_failed", alarm=True, error=f"{type(error).__name__}: {error}")
            self.failed += 1
            self.unanswered = self.unanswered + 1 if isinstance(error, StripeUnavailable) else 0
            if self.unanswered >= _PATIENCE:
                raise
            return False
        self.unanswered = 0
        return True


def repairs_of_one() -> Repairs:
    """For a single finding that staff repair."""
    converged: set[int] = set()
    return Repairs(is_converged=converged.__contains__, remember_converged=converged.add)


def repair_findings(
    *,
    findings: Sequence[ReconciliationFinding],
    gateway: StripeGateway,
    inbox: Inbox,
    repairs: Repairs,
    actor: User | None = None,
    reason: str = "Repaired by reconciliation.",
) -> None:
    """Repair open findings and end those that are settled by it.

    Each payment is read and converged once, however many findings it has. A repair that fails leaves its findings open
    and the others untouched: the next run tries again.

    Raises:
        StripeUnavailable: Stripe has failed several times in a row; what was repaired before is repaired.
    """
    payments = {one.payment.pk: one.payment for one in findings if one.payment is not None and is_repairable(one)}
    for payment in payments.values():
        if not repairs.is_converged(payment.pk) and repairs.attempt(partial(_converge, payment, findings, gateway)):
            repairs.remember_converged(payment.pk)
    for finding in findings:
        repair = FINDING_KINDS[finding.kind].repair
        if repair is Repair.FORGET_CUSTOMER:
            repairs.attempt(partial(_forget_customer, finding))
        elif repair is Repair.INBOX:
            is_known = finding.payment_id is not None and repairs.is_converged(finding.payment_id)
            is_told = is_known and _is_told_by_payment(finding)
            repairs.attempt(partial(_put_into_inbox, finding, inbox, is_told=is_told))
        elif repair is Repair.PLAN:
            repairs.attempt(partial(read_plan_object, stripe_id=finding.stripe_id, gateway=gateway))
        elif finding.kind == _WARNING:
            repairs.attempt(partial(_hear_warnings, finding, gateway))
    for finding in findings:
        if is_settled(finding):
            end_finding(finding=finding, state=FindingState.REPAIRED, reason=reason, actor=actor)


def read_facts_of_repair(
    *, payment: Payment, findings: Iterable[ReconciliationFinding], gateway: StripeGateway
) -> list[PaymentFacts]:
    """Everything that Stripe says now about a payment with findings; no database transaction is open.

    Its fraud warnings too, where one was missed: no object of the payment names them. This is what a repair would do.
    """
    mine = [finding for finding in findings if finding.payment_id == payment.pk]
    named = _with_names_of(payment, mine, gateway)
    facts = read_payment_facts(payment=named, gateway=gateway)
    if named.payment_intent_id and any(finding.kind == _WARNING for finding in mine):
        facts += _read_warnings(payment_intent_id=named.payment_intent_id, gateway=gateway)
    return facts


def _converge(payment: Payment, findings: Iterable[ReconciliationFinding], gateway: StripeGateway) -> None:
    refresh_payment(payment=_with_names_of(payment, findings, gateway), gateway=gateway)


def _hear_warnings(finding: ReconciliationFinding, gateway: StripeGateway) -> None:
    """By itself, as its payment may have been converged for another finding before."""
    intent_id = Payment.objects.values_list("payment_intent_id", flat=True).get(pk=finding.payment_id or 0)
    facts = _read_warnings(payment_intent_id=intent_id, gateway=gateway) if intent_id else []
    if facts:
        with transaction.atomic(durable=True):
            converge_payment(facts=facts)


def _read_warnings(*, payment_intent_id: str, gateway: StripeGateway) -> list[PaymentFacts]:
    now = timezone.now()
    return [
        facts_of_fraud_warning(warning=warning, occurred_at=now)
        for warning in gateway.list_fraud_warnings_of(payment_intent_id=payment_intent_id)
    ]


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
