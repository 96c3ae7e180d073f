"""What the schedule and staff start: each run with its window."""

from datetime import datetime, timedelta

import structlog
from django.utils import timezone

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import ReconciliationRun, RunKind, RunTrigger
from billing.services.reconciliation.ledger_run import is_worth_a_look, reconcile_ledger
from billing.services.reconciliation.runs import is_under_way
from billing.services.reconciliation.shapes import GRACE, Inbox, StripeScope
from billing.services.reconciliation.stripe_run import reconcile_with_stripe

RECENT = timedelta(hours=48)
# Stripe keeps events for 30 days, and a dispute of that age still finds its payment's other events in the window.
FULL = timedelta(days=35)
log = structlog.get_logger(__name__)


def reconcile_on_schedule(*, span: timedelta, gateway: StripeGateway, inbox: Inbox) -> ReconciliationRun | None:
    """Compare the last while with Stripe and repair; None if the run before is still at it.

    What is younger than `GRACE` is left out: its webhook may be on its way, and is no alarm.
    """
    if is_under_way(kind=RunKind.STRIPE, trigger=RunTrigger.SCHEDULE, span=span):
        log.warning("reconciliation_still_runs", kind=RunKind.STRIPE)
        return None
    scope = StripeScope(since=timezone.now() - span, repairs=True, trigger=RunTrigger.SCHEDULE)
    return _reconcile(scope, gateway=gateway, inbox=inbox)


def reconcile_for_staff(
    *,
    since: datetime,
    until: datetime | None,
    repairs: bool,
    started_by: User | None,
    gateway: StripeGateway,
    inbox: Inbox,
) -> ReconciliationRun | None:
    """Compare a window that a member of staff has chosen; with repairs also what is minutes old."""
    scope = StripeScope(
        since=since,
        until=until,
        repairs=repairs,
        grace=timedelta(0) if repairs else GRACE,
        trigger=RunTrigger.STAFF,
        started_by=started_by,
    )
    return _reconcile(scope, gateway=gateway, inbox=inbox)


def verify_on_schedule(*, is_recent: bool) -> ReconciliationRun | None:
    """Verify the books of whoever has moved, or of all; None if nothing has, or the run before is still at it."""
    if is_under_way(kind=RunKind.LEDGER, trigger=RunTrigger.SCHEDULE):
        return None
    if is_recent and not is_worth_a_look(now=timezone.now()):
        return None
    run, _ = reconcile_ledger(trigger=RunTrigger.SCHEDULE, is_recent=is_recent)
    return run


def _reconcile(scope: StripeScope, *, gateway: StripeGateway, inbox: Inbox) -> ReconciliationRun | None:
    run, _ = reconcile_with_stripe(scope=scope, gateway=gateway, inbox=inbox)
    return run
