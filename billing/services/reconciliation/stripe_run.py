"""Reconciliation with Stripe: read both sides, record what does not agree, repair it if that is wanted."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import (
    FindingState,
    ReconciliationFinding,
    ReconciliationRun,
    RunKind,
    RunState,
)
from billing.services.findings import end_finding
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.kinds import FINDING_KINDS, RAISED_ELSEWHERE
from billing.services.reconciliation.reading_customers import check_customer, read_customers
from billing.services.reconciliation.reading_events import read_events
from billing.services.reconciliation.reading_money_back import (
    read_balance_transactions,
    read_disputes,
    read_fraud_warnings,
    read_refunds,
)
from billing.services.reconciliation.reading_ours import read_our_disputes, read_our_payments, read_our_refunds
from billing.services.reconciliation.reading_payments import (
    read_charges,
    read_invoices,
    read_payment_intents,
    read_sessions,
)
from billing.services.reconciliation.reading_plans import read_credit_notes, read_our_invoices, read_subscriptions
from billing.services.reconciliation.repairing import Repairs, is_repairable, repair_findings
from billing.services.reconciliation.runs import ending_badly, finish_run, start_run
from billing.services.reconciliation.seen import (
    found_after,
    is_found,
    payments_seen,
    remember_findings,
    remember_names,
    remembering,
)
from billing.services.reconciliation.shapes import Counts, Difference, Inbox, Progress, StripeScope

_CHUNK = 100
_EVENTS_ARE_KEPT = timedelta(days=30)  # https://docs.stripe.com/api/events (2026-10-28.endive)


def reconcile_with_stripe(
    *,
    scope: StripeScope,
    gateway: StripeGateway,
    inbox: Inbox,
    tell_finding: Callable[[ReconciliationFinding], None] = lambda finding: None,
    tell_difference: Callable[[Difference], None] = lambda difference: None,
    tell_progress: Callable[[Progress], None] = lambda progress: None,
) -> tuple[ReconciliationRun | None, Counts]:
    """Compare a window of time with Stripe, both ways, in constant memory; gives the run and what it counted.

    First everything is read and compared, then, if the scope says so, repaired, a payment at a time. Findings are told
    at the end, as they are then. A scope that records nothing has no run: differences are told as they are found, and
    nothing is repaired. No database transaction may be open.

    Raises:
        StripeUnavailable, StripeRefused: Stripe's lists cannot be read; the run has failed and nothing was repaired.
    """
    run = None
    if scope.records:
        run = start_run(
            kind=RunKind.STRIPE,
            trigger=scope.trigger,
            repairs=scope.repairs,
            since=scope.since,
            until=scope.until,
            customer=scope.customer,
            started_by=scope.started_by,
        )
    reading = Reading(
        scope=scope,
        gateway=gateway,
        run=run,
        now=timezone.now(),
        tell_difference=tell_difference,
        tell_progress=tell_progress,
    )
    if run is None:
        with remembering():
            _read(reading, inbox)
        reading.counts.left = sum(reading.counts.findings.values())
        return None, reading.counts
    with ending_badly(run), remembering():
        _read(reading, inbox)
        if scope.repairs:
            _repair(reading, inbox)
        _end_what_is_gone(reading, run)
        _take_in(reading, run)
        state = _tell(reading, tell_finding)
        finish_run(run=run, state=state, counts=reading.counts.as_json())
    return run, reading.counts


def _read(reading: Reading, inbox: Inbox) -> None:
    """All lists of Stripe's, then ours. For one customer those that can be asked for by customer."""
    customer = reading.scope.customer
    if customer is None:
        read_customers(reading)
    else:
        check_customer(reading, customer=customer)
    read_invoices(reading)
    read_payment_intents(reading)
    read_sessions(reading)
    read_charges(reading)
    read_credit_notes(reading)
    read_subscriptions(reading)
    if customer is None:
        read_refunds(reading)
        read_disputes(reading)
        read_fraud_warnings(reading)
        read_balance_transactions(reading)
        read_events(reading, event_types=inbox.event_types)
    read_our_payments(reading)
    read_our_refunds(reading)
    read_our_disputes(reading)
    read_our_invoices(reading)


def _repair(reading: Reading, inbox: Inbox) -> None:
    repairs = Repairs(
        is_converged=lambda payment_id: bool(payments_seen([f"converged:{payment_id}"])),
        remember_converged=lambda payment_id: remember_names([f"converged:{payment_id}"]),
    )
    for findings in _found(reading):
        repairable = [finding for finding in findings if is_repairable(finding)]
        try:
            repair_findings(findings=repairable, gateway=reading.gateway, inbox=inbox, repairs=repairs)
        finally:
            reading.counts.failed_repairs = repairs.failed
        reading.counts.add_object("repairs", len(repairable))
        reading.progress(step="repairs", at=None)


def _found(reading: Reading) -> Iterator[list[ReconciliationFinding]]:
    """This run's findings, in chunks and as they are by then."""
    last = 0
    while ids := found_after(last, limit=_CHUNK):
        last = ids[-1]
        rows = ReconciliationFinding.objects.filter(pk__in=ids).select_related("payment", "customer")
        yield list(rows.order_by("pk"))


def _end_what_is_gone(reading: Reading, run: ReconciliationRun) -> None:
    """End open findings of the window that this run looked at again and did not see any more."""
    scope, kinds = reading.scope, sorted(set(FINDING_KINDS) - RAISED_ELSEWHERE)
    if scope.customer is not None:  # these lists cannot be asked for by customer
        kinds = [name for name in kinds if name not in ("event_missed", "customer_doubled", "payment_not_ours")]
    still_open = ReconciliationFinding.objects.filter(
        state=FindingState.OPEN, kind__in=kinds, occurred_at__gte=scope.since, last_seen_at__lt=run.started_at
    )
    if scope.until:
        still_open = still_open.filter(occurred_at__lt=scope.until)
    if scope.customer is not None:
        still_open = still_open.filter(customer=scope.customer)
    last = 0
    while chunk := list(still_open.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        last = chunk[-1].pk
        for finding in chunk:
            is_kept = finding.kind != "event_missed" or finding.occurred_at > reading.now - _EVENTS_ARE_KEPT
            if is_kept and not is_found(finding.pk):
                reading.counts.gone += end_finding(
                    finding=finding, state=FindingState.GONE, reason="A later run did not find it any more."
                )


def _take_in(reading: Reading, run: ReconciliationRun) -> None:
    """Count what convergence itself noticed during the repairs: payments that are not what was offered."""
    raised = ReconciliationFinding.objects.filter(
        kind="payment_mismatched", first_seen_at__gte=run.started_at, last_run=None
    )
    for finding in raised.iterator(chunk_size=_CHUNK):
        if remember_findings([finding.pk]):
            ReconciliationFinding.objects.filter(pk=finding.pk, last_run=None).update(last_run=run)
            reading.counts.add_finding(finding.kind)
            reading.counts.new += 1


def _tell(reading: Reading, tell_finding: Callable[[ReconciliationFinding], None]) -> RunState:
    """Tell all findings as they are now, and give the run's state."""
    for findings in _found(reading):
        for finding in findings:
            if finding.state == FindingState.OPEN:
                reading.counts.left += 1
            elif finding.state == FindingState.REPAIRED:
                reading.counts.repaired += 1
            tell_finding(finding)
    if reading.counts.left:
        return RunState.FINDINGS
    return RunState.REPAIRED if reading.counts.repaired else RunState.CLEAN
