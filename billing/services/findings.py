"""Findings: what does not agree, raised once for each thing, by whoever notices."""

from collections.abc import Collection, Mapping
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

log = structlog.get_logger(__name__)


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
    now, fingerprint = timezone.now(), _fingerprint(kind=kind, subject=subject)
    seen: dict[str, Any] = {
        "severity": severity,
        "ours": dict(ours or {}),
        "theirs": dict(theirs or {}),
        "detail": detail[:1000],
        "suggested_repair": suggested_repair[:300],
        "last_seen_at": now,
        "last_run": run,
    }
    with transaction.atomic():
        same = ReconciliationFinding.objects.filter(fingerprint=fingerprint)
        accepted = same.filter(state=FindingState.ACCEPTED, detail=seen["detail"]).order_by("-pk").first()
        if accepted is not None:
            return accepted, False
        finding, is_new = same.select_for_update().get_or_create(
            fingerprint=fingerprint,
            state=FindingState.OPEN,
            defaults={
                **seen,
                "kind": kind,
                "customer": customer,
                "payment": payment,
                "stripe_id": stripe_id,
                "occurred_at": occurred_at or now,
                "first_seen_at": now,
            },
        )
        if not is_new:
            same.filter(pk=finding.pk).update(**seen)
    if is_new:
        log.error("finding_raised", alarm=True, kind=kind, severity=severity, subject=subject, detail=detail)
    return finding, is_new


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
