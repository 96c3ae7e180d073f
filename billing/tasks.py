"""Celery tasks: thin doors. Whatever moves credits, the sweeper would do a little later anyway."""

from contextlib import suppress

from celery import shared_task
from django.utils import timezone

from billing import wake
from billing.errors import StripeUnavailable
from billing.models import EventState, StripeEvent
from billing.services.catalog import sync_catalog
from billing.services.gateway import configured_gateway
from billing.services.receipts import fetch_missing_receipts, fetch_receipt
from billing.webhooks.inbox import work_off_due_events, work_off_event


@shared_task(name=wake.WORK_OFF_EVENT)
def work_off_stored_event(event_id: str) -> None:
    """Work off one event that was just stored; then, the credits being safe, fetch the receipt."""
    gateway = configured_gateway()
    if work_off_event(event_id=event_id, gateway=gateway) is EventState.DONE:
        paid = StripeEvent.objects.filter(event_id=event_id, type="payment_intent.succeeded")
        with suppress(StripeUnavailable):  # the schedule asks again
            for payment_intent_id in paid.values_list("object_id", flat=True):
                fetch_receipt(payment_intent_id=payment_intent_id, gateway=gateway)


@shared_task(name="billing.work_off_inbox")
def work_off_inbox() -> int:
    """Work off all events that are due; gives how many."""
    return work_off_due_events(gateway=configured_gateway())


@shared_task(name="billing.fetch_receipts")
def fetch_receipts() -> int:
    """Fetch receipts that were missed; gives how many."""
    return fetch_missing_receipts(gateway=configured_gateway(), now=timezone.now())


@shared_task(name=wake.SYNC_CATALOG)
def sync_stripe_catalog() -> int:
    """Give packs that staff have changed their prices at Stripe; gives the number of steps."""
    return sum(1 for _ in sync_catalog(gateway=configured_gateway()))
