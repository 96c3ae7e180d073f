"""Reconciliation as tests run it: from two days ago, without waiting for webhooks that may be on their way."""

from datetime import datetime, timedelta

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, ReconciliationFinding, ReconciliationRun
from billing.services.reconciliation.shapes import StripeScope
from billing.services.reconciliation.stripe_run import reconcile_with_stripe
from billing.webhooks.catching_up import inbox_of


def reconcile(
    gateway: StripeGateway,
    *,
    repairs: bool = False,
    grace: timedelta = timedelta(0),
    since: datetime | None = None,
    until: datetime | None = None,
    customer: BillingCustomer | None = None,
) -> ReconciliationRun:
    """One recorded run."""
    scope = StripeScope(
        since=since or timezone.now() - timedelta(days=2), until=until, repairs=repairs, grace=grace, customer=customer
    )
    run, _ = reconcile_with_stripe(scope=scope, gateway=gateway, inbox=inbox_of(gateway))
    assert run is not None
    return run


def open_kinds() -> list[str]:
    """The kinds of the findings that are open, but for the events that never came."""
    found = ReconciliationFinding.objects.filter(state="open").exclude(kind="event_missed")
    return sorted(found.values_list("kind", flat=True))
