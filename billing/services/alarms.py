"""Tells finance of new findings: one plain mail a run, with kinds and counts and no personal data."""

from collections import Counter

import structlog
from django.db.models import Q

from billing import conf
from billing.models import FindingState, ReconciliationFinding, ReconciliationRun, RunKind
from billing.services.mails import queue_mail
from billing.services.reconciliation.kinds import FINDING_KINDS

log = structlog.get_logger(__name__)


def alarm_of_run(*, run: ReconciliationRun) -> int:
    """Queue one mail if the run has new findings; gives how many it tells of.

    Call inside the database transaction that ends the run, so that the mail is not lost with the process or the mail
    server. A run with Stripe also tells of what webhooks have raised since the one before.
    """
    fresh = Q(last_run=run, first_seen_at__gte=run.started_at)
    if run.kind == RunKind.STRIPE:
        before = ReconciliationRun.objects.filter(kind=run.kind, pk__lt=run.pk, ended_at__isnull=False)
        previous = before.order_by("-pk").first()
        if previous is not None:
            fresh |= Q(last_run=None, first_seen_at__gte=previous.ended_at)
    new = Counter(ReconciliationFinding.objects.filter(fresh).values_list("kind", "state").iterator())
    if not new:
        return 0
    log.error(
        "findings_new",
        alarm=True,
        run=run.pk,
        kinds={kind: sum(count for (name, _), count in new.items() if name == kind) for kind, _ in new},
    )
    left = sum(count for (_, state), count in new.items() if state == FindingState.OPEN)
    queue_mail(
        to=conf.finance_emails(),
        kind="alarm.findings_new",
        subject=f"Prepaid: {new.total()} new findings, {left} of them open",
        text=_body(run=run, new=new),
    )
    return new.total()


def _body(*, run: ReconciliationRun, new: Counter[tuple[str, str]]) -> str:
    states = dict(FindingState.choices)
    lines = [
        f"{count:>6}  {FINDING_KINDS[kind].label if kind in FINDING_KINDS else kind}: {states[state].lower()}"
        for (kind, state), count in sorted(new.items())
    ]
    address = f"{conf.site_url()}/admin/billing/reconciliationfinding/?state__exact=open"
    return "\n".join(
        [
            f"{run.get_kind_display()}, {run.started_at:%Y-%m-%d %H:%M} UTC, has found what was not there before:",
            "",
            *lines,
            "",
            f"What is open waits for a decision: {address}",
            "What each kind means and what to do: docs/reconciliation.md",
        ]
    )
