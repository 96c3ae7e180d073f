"""Where the steps of a run put what does not agree."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.models import FindingState, ReconciliationFinding, ReconciliationRun, Severity
from billing.services.findings import Notice, raise_findings
from billing.services.payment_reading import read_payment_facts
from billing.services.reconciliation.kinds import FINDING_KINDS
from billing.services.reconciliation.seen import remember_findings, remember_names
from billing.services.reconciliation.shapes import Counts, Difference, Progress, StripeScope


@dataclass(slots=True, kw_only=True)
class Reading:
    """One run while it reads: what it compares, where it counts, and whom it tells.

    `run` is None where nothing is recorded; `tell_difference` then gets what would have been.
    """

    scope: StripeScope
    gateway: StripeGateway
    run: ReconciliationRun | None
    now: datetime
    tell_difference: Callable[[Difference], None] = lambda difference: None
    tell_progress: Callable[[Progress], None] = lambda progress: None
    counts: Counts = field(default_factory=Counts)

    def collect(self, differences: Iterable[Difference]) -> None:
        """Take differences that are no longer young, each once in a run: several objects may tell of one thing."""
        found = {
            f"{one.kind}:{one.subject}": one
            for one in differences
            if not one.is_young(now=self.now, grace=self.scope.grace)
        }
        new = [found[name] for name in remember_names(found)]
        confirmed = [one for one in new if one.kind != "granted_not_paid" or not self._is_paid_after_all(one)]
        if self.run is not None:
            self._record(confirmed, self.run)
            return
        for difference in confirmed:
            self.counts.add_finding(difference.kind)
            self.tell_difference(difference)

    def progress(self, *, step: str, at: datetime | None) -> None:
        """Tell how far a step has come: at an object made at that time, or at its end."""
        whole = (self.now - self.scope.since).total_seconds()
        done = (self.now - at).total_seconds() if at else whole
        self.tell_progress(
            Progress(
                step=step,
                share=min(1.0, max(0.0, done / whole)) if whole > 0 else 1.0,
                count=self.counts.objects.get(step, 0),
                findings=sum(self.counts.findings.values()),
            )
        )

    def _record(self, differences: Sequence[Difference], run: ReconciliationRun) -> None:
        if not differences:
            return
        raised = raise_findings(notices=[_notice_of(one) for one in differences], run=run)
        still_open = {finding.pk: (finding, is_new) for finding, is_new in raised if finding.state == FindingState.OPEN}
        remember_findings(list(still_open))
        for finding, is_new in still_open.values():
            self.counts.add_finding(finding.kind)
            self.counts.new += is_new

    def _is_paid_after_all(self, difference: Difference) -> bool:
        """An intent succeeds a moment before its session is complete, and lists are older than what they are about."""
        if difference.payment is None:
            return False
        try:
            facts = read_payment_facts(payment=difference.payment, gateway=self.gateway)
        except StripeObjectMissing:
            return False
        return any(one.collected is not None for one in facts)


def _notice_of(difference: Difference) -> Notice:
    kind, payment = FINDING_KINDS[difference.kind], difference.payment
    return Notice(
        kind=kind.name,
        severity=difference.severity or kind.severity,
        subject=difference.subject,
        detail=difference.detail,
        customer=difference.customer or (payment.customer if payment else None),
        payment=payment,
        stripe_id=difference.stripe_id,
        ours=_as_json(difference.ours),
        theirs=_as_json(difference.theirs),
        suggested_repair=kind.suggestion,
        occurred_at=difference.occurred_at,
    )


def finding_as_json(finding: ReconciliationFinding) -> dict[str, Any]:
    """A finding for machines."""
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "state": finding.state,
        "customer": finding.customer.public_id if finding.customer else None,
        "payment": finding.payment.public_id if finding.payment else None,
        "stripe_id": finding.stripe_id or None,
        "ours": finding.ours,
        "theirs": finding.theirs,
        "detail": finding.detail,
        "occurred_at": finding.occurred_at.isoformat(),
        "first_seen_at": finding.first_seen_at.isoformat(),
        "suggested_repair": finding.suggested_repair,
    }


def difference_as_json(difference: Difference) -> dict[str, Any]:
    """A difference that was not recorded, in the same form."""
    kind, payment = FINDING_KINDS[difference.kind], difference.payment
    customer = difference.customer or (payment.customer if payment else None)
    return {
        "kind": kind.name,
        "severity": (difference.severity or Severity(kind.severity)).value,
        "state": "not recorded",
        "customer": customer.public_id if customer else None,
        "payment": payment.public_id if payment else None,
        "stripe_id": difference.stripe_id or None,
        "ours": _as_json(difference.ours),
        "theirs": _as_json(difference.theirs),
        "detail": difference.detail,
        "occurred_at": difference.occurred_at.isoformat(),
        "first_seen_at": None,
        "suggested_repair": kind.suggestion,
    }


def _as_json(side: Any) -> dict[str, Any]:
    return {name: value if isinstance(value, int | str | bool | None) else str(value) for name, value in side.items()}
