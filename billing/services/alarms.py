"""Tells finance of new findings: one plain mail a run, with kinds and counts and no personal data."""

from collections import Counter
from smtplib import SMTPException

import structlog
from django.core.mail import EmailMessage
from django.db.models import Q

from billing import conf
from billing.models import FindingState, ReconciliationFinding, ReconciliationRun, RunKind
from billing.services.reconciliation.kinds import FINDING_KINDS

log = structlog.get_logger(__name__)


def alarm_of_run(*, run: ReconciliationRun) -> int:
    """Send one mail if the run has new findings; gives how many it told of. A mail that cannot be sent fails nothing.

    A run with Stripe also tells of what webhooks have raised since the one before.
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
    tell_finance(subject=f"Prepaid: {new.total()} new findings, {left} of them open", text=_body(run=run, new=new))
    return new.total()


def tell_finance(*, subject: str, text: str) -> None:
    """One plain mail to `FINANCE_EMAILS`. One that cannot be sent fails nothing: what it tells of stands in a table."""
    if not conf.finance_emails():
        return
    mail = EmailMessage(subject=subject, body=text, to=list(conf.finance_emails()))
    try:
        mail.send()
    except (OSError, SMTPException, ValueError) as error:
        log.error("alarm_mail_failed", alarm=True, subject=subject, error=type(error).__name__)


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
