"""The ledger against itself, on schedule: whose books do not close may not spend until staff have looked."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from billing.ledger.locking import lock_accounts
from billing.models import (
    BillingCustomer,
    CreditBalance,
    CreditHold,
    FindingState,
    LedgerEntry,
    ReconciliationFinding,
    ReconciliationRun,
    RunKind,
    RunState,
    RunTrigger,
)
from billing.services.findings import end_finding, raise_finding
from billing.services.flags import BOOKS, raise_flag
from billing.services.reconciliation.kinds import FINDING_KINDS
from billing.services.reconciliation.runs import ending_badly, finish_run, start_run
from billing.services.verification import Finding, find_ledger_faults

KIND = FINDING_KINDS["books_do_not_close"]
_CHUNK = 500
# Ids are given before rows are committed: what was still under way at the last look is below its mark. So a look goes
# back to the mark of one that began a minute before, which is longer than any write of the ledger takes.
_LONGEST_WRITE = timedelta(minutes=1)
_LONGEST_SILENCE = timedelta(minutes=3)


def reconcile_ledger(*, trigger: RunTrigger, is_recent: bool) -> tuple[ReconciliationRun, list[Finding]]:
    """Verify the books of all customers, or of those that have moved since the last look; gives the run and its faults.

    A customer whose books do not close is frozen and a finding. The freeze stays when they close again: staff lift it
    once they know why. Whoever changed rows by hand, past the ledger, is found by the look at all.
    """
    run = start_run(kind=RunKind.LEDGER, trigger=trigger, repairs=False)
    with ending_badly(run):
        marks = _marks()
        customer_ids = _moved_since(_marks_of_last_look(run.started_at)) if is_recent else None
        faults = _verify(customer_ids)
        new = [_report(fault, run=run) for fault in faults]
        gone = _end_what_is_gone(run=run, customer_ids=customer_ids)
        checked = BillingCustomer.objects.count() if customer_ids is None else len(customer_ids)
        counts = {
            **marks,
            "objects": {"customers": checked},
            "findings": {KIND.name: len(faults)} if faults else {},
            "left": len(faults),
            "new": sum(new),
            "gone": gone,
        }
        finish_run(run=run, state=RunState.FINDINGS if faults else RunState.CLEAN, counts=counts)
    return run, faults


def _marks() -> dict[str, int]:
    """How far the ledger has come: taken before it is read, so that nothing falls between two looks."""
    return {
        "through_entry": LedgerEntry.objects.aggregate(last=Max("pk"))["last"] or 0,
        "through_hold": CreditHold.objects.aggregate(last=Max("pk"))["last"] or 0,
    }


def _marks_of_last_look(now: datetime) -> dict[str, int] | None:
    looks = ReconciliationRun.objects.filter(
        kind=RunKind.LEDGER,
        state__in=[RunState.CLEAN, RunState.FINDINGS],
        started_at__lte=now - _LONGEST_WRITE,
    )
    last = looks.order_by("-started_at").first()
    return last.counts if last else None


def _moved_since(marks: dict[str, int] | None) -> list[int] | None:
    """Customers with entries or holds since then, and those whose books did not close; None, all, on the first look."""
    if marks is None:
        return None
    entries = LedgerEntry.objects.filter(pk__gt=marks["through_entry"]).values_list("customer_id", flat=True)
    holds = CreditHold.objects.filter(pk__gt=marks["through_hold"]).values_list("customer_id", flat=True)
    faulty = ReconciliationFinding.objects.filter(
        kind=KIND.name, state=FindingState.OPEN, customer_id__isnull=False
    ).values_list("customer_id", flat=True)
    return sorted({*entries.distinct(), *holds.distinct(), *(one for one in faulty if one)})


def _verify(customer_ids: Sequence[int] | None) -> list[Finding]:
    """Read to the end before anything is written: each look is one read-only snapshot."""
    if customer_ids is None:
        return list(find_ledger_faults())
    chunks = (customer_ids[start : start + _CHUNK] for start in range(0, len(customer_ids), _CHUNK))
    return [fault for chunk in chunks for fault in find_ledger_faults(customer_ids=chunk)]


def _report(fault: Finding, *, run: ReconciliationRun) -> bool:
    """Record a fault and freeze its customer; says whether it is new. What staff have accepted freezes nobody."""
    customer = BillingCustomer.objects.filter(pk=fault.customer_id).first() if fault.customer_id else None
    with transaction.atomic():
        can_spend = CreditBalance.objects.filter(pk=fault.customer_id).exists()
        if can_spend and customer is not None:  # first, as everywhere: the finding's row refers to the customer's
            lock_accounts(customer_ids=[customer.pk])
        finding, is_new = raise_finding(
            kind=KIND.name,
            severity=KIND.severity,
            subject=f"{fault.check}:{fault.customer_id or '-'}:{fault.entry_id or '-'}",
            detail=f"{fault.check}: {fault.detail}",
            customer=customer,
            ours={"check": fault.check, "entry": fault.entry_id},
            suggested_repair=KIND.suggestion,
            run=run,
        )
        if customer is not None and can_spend and finding.state == FindingState.OPEN:
            raise_flag(
                customer_id=customer.pk,
                cause=BOOKS,
                reason=f"The books of this customer do not close: {fault.check}.",
                freezes=True,
            )
    return is_new


def _end_what_is_gone(*, run: ReconciliationRun, customer_ids: Sequence[int] | None) -> int:
    still_open = ReconciliationFinding.objects.filter(
        kind=KIND.name, state=FindingState.OPEN, last_seen_at__lt=run.started_at
    )
    if customer_ids is not None:
        still_open = still_open.filter(customer_id__in=customer_ids)
    reason = "The books close again. The freeze stays until staff lift it."
    return sum(end_finding(finding=one, state=FindingState.GONE, reason=reason) for one in still_open.iterator())


def is_worth_a_look(*, now: datetime) -> bool:
    """Whether something has moved since the last look, or that one is long ago: quiet minutes leave no rows of runs."""
    marks = _marks_of_last_look(now)
    is_recent = ReconciliationRun.objects.filter(kind=RunKind.LEDGER, started_at__gt=now - _LONGEST_SILENCE).exists()
    return marks is None or not is_recent or bool(_moved_since(marks))
