"""Celery tasks: thin doors to what the sweeper would do a little later anyway."""

from celery import shared_task

from billing import wake
from billing.services.gateway import configured_gateway
from billing.webhooks.inbox import work_off_due_events, work_off_event


@shared_task(name=wake.WORK_OFF_EVENT)
def work_off_stored_event(event_id: str) -> None:
    """Work off one event that was just stored."""
    work_off_event(event_id=event_id, gateway=configured_gateway())


@shared_task(name="billing.work_off_inbox")
def work_off_inbox() -> int:
    """Work off all events that are due; gives how many."""
    return work_off_due_events(gateway=configured_gateway())
