"""Findings: what does not agree, raised once for each thing, by whoever notices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.models import (
    BillingCustomer,
    FindingState,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    Severity,
)
from billing.services.audit import record_audit

_SEEN_FIELDS = ("severity", "ours", "theirs", "detail", "suggested_repair", "last_seen_at", "last_run")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that does not agree. `subject` is what makes it the same thing whenever it is noticed."""

    kind: str
    severity: Severity
    subject: str
    detail: str
    customer: BillingCustomer | None = None
    payment: Payment | None = None
    stripe_id: str = ""
    ours: Mapping[str, Any] | None = None
    theirs: Mapping[str, Any] | None = None
    suggested_repair: str = ""
    occurred_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        return _fingerprint(kind=self.kind, subject=self.subject)


def raise_finding(
    *,
    kind: str,
    severity: Severity,
    subject: str,
    detail: str,
    customer: BillingCustomer | None = None,
    payment: Payment | None = None,
    stripe_id: str = "",
    ours: Mapping[str, Any] | None = None,
    theirs: Mapping[str, Any] | None = None,
    suggested_repair: str = "",
    occurred_at: datetime | None = None,
    run: ReconciliationRun | None = None,
) -> tuple[ReconciliationFinding, bool]:
    """Record a finding, or see an open one of the same kind and subject again; says whether it is new.

    What staff have accepted is the same finding still and is not opened again while its detail stays the same.
    """
    notice = Notice(
        kind=kind,
        severity=severity,
        subject=subject,
        detail=detail,
        customer=customer,
        payment=payment,
        stripe_id=stripe_id,
        ours=ours,
        theirs=theirs,
        suggested_repair=suggested_repair,
        occurred_at=occurred_at,
    )
    return raise_findings(notices=[notice], run=run)[0]


def raise_findings(
    *, notices: Sequence[Notice], run: ReconciliationRun | None = None
) -> list[tuple[ReconciliationFinding, bool]]:
    """Record many findings by a handful of statements; for each, in the order given, its row and whether it is new."""
    by_name = {notice.fingerprint: notice for notice in notices}
    now = timezone.now()
    with transaction.atomic():
        accepted = _accepted(by_name)
        wanted = {name: notice for name, notice in by_name.items() if name not in accepted}
        known = _open(wanted)
        for name, finding in known.items():
            for field, value in _seen(wanted[name], now=now, run=run).items():
                setattr(finding, field, value)
        ReconciliationFinding.objects.bulk_update(known.values(), _SEEN_FIELDS)
        # Sorted, as rows are locked in one order: two runs at once cannot wait for each other in a circle.
        ReconciliationFinding.objects.bulk_create(
            [_make(wanted[name], now=now, run=run) for name in sorted(set(wanted) - set(known))], ignore_conflicts=True
        )
        rows = known if len(known) == len(wanted) else _open(wanted)
    # A row that somebody else has made at this very moment is theirs to call new; it was first seen at another time.
    fresh = {name for name, row in rows.items() if name not in known and row.first_seen_at == now}
    for name in sorted(fresh):
        notice = wanted[name]
        log.error(
            "finding_raised",
            alarm=True,
            kind=notice.kind,
            severity=notice.severity,
            subject=notice.subject,
            detail=notice.detail,
        )
    rows |= accepted
    return [(rows[notice.fingerprint], notice.fingerprint in fresh) for notice in notices]


def _accepted(by_name: Mapping[str, Notice]) -> dict[str, ReconciliationFinding]:
    same = ReconciliationFinding.objects.filter(fingerprint__in=by_name, state=FindingState.ACCEPTED).order_by("pk")
    return {one.fingerprint: one for one in same if one.detail == by_name[one.fingerprint].detail[:1000]}


def _open(names: Collection[str]) -> dict[str, ReconciliationFinding]:
    """The open findings of these fingerprints, locked in ascending order."""
    if not names:
        return {}
    rows = ReconciliationFinding.objects.filter(fingerprint__in=names, state=FindingState.OPEN)
    return {row.fingerprint: row for row in rows.select_for_update().order_by("pk")}


def _seen(notice: Notice, *, now: datetime, run: ReconciliationRun | None) -> dict[str, Any]:
    """What each look at a finding renews."""
    return {
        "severity": notice.severity,
        "ours": dict(notice.ours or {}),
        "theirs": dict(notice.theirs or {}),
        "detail": notice.detail[:1000],
        "suggested_repair": notice.suggested_repair[:300],
        "last_seen_at": now,
        "last_run": run,
    }


def _make(notice: Notice, *, now: datetime, run: ReconciliationRun | None) -> ReconciliationFinding:
    return ReconciliationFinding(
        fingerprint=notice.fingerprint,
        kind=notice.kind,
        customer=notice.customer,
        payment=notice.payment,
        stripe_id=notice.stripe_id,
        occurred_at=notice.occurred_at or now,
        first_seen_at=now,
        **_seen(notice, now=now, run=run),
    )


def end_finding(*, finding: ReconciliationFinding, state: FindingState, reason: str, actor: User | None = None) -> bool:
    """End an open finding: repaired, accepted or no longer so; says whether it was open."""
    still_open = ReconciliationFinding.objects.filter(pk=finding.pk, state=FindingState.OPEN)
    has_ended = bool(still_open.update(state=state, ended_at=timezone.now(), ended_by=actor, ended_reason=reason[:500]))
    if has_ended:
        log.info("finding_ended", kind=finding.kind, fingerprint=finding.fingerprint, state=state)
    return has_ended


def accept_finding(*, finding: ReconciliationFinding, actor: User, reason: str, address: str = "") -> bool:
    """End a finding that shall stay as it is, audited; says whether it was open.

    It is not opened again while its detail stays the same.
    """
    with transaction.atomic():
        has_ended = end_finding(finding=finding, state=FindingState.ACCEPTED, reason=reason, actor=actor)
        if has_ended:
            record_audit(
                actor=actor,
                action="finding.accept",
                target=finding,
                before={"state": FindingState.OPEN.value},
                after={"state": FindingState.ACCEPTED.value},
                reason=reason,
                address=address,
                customer=finding.customer,
            )
    return has_ended


def end_findings_about(*, kinds: Collection[str], subject: str, reason: str) -> int:
    """End the open findings of these kinds about one subject, because it has been settled; gives how many."""
    fingerprints = [_fingerprint(kind=kind, subject=subject) for kind in kinds]
    found = ReconciliationFinding.objects.filter(fingerprint__in=fingerprints, state=FindingState.OPEN)
    return sum(end_finding(finding=finding, state=FindingState.REPAIRED, reason=reason) for finding in found)


def _fingerprint(*, kind: str, subject: str) -> str:
    return f"{kind}:{subject}"[:300]
