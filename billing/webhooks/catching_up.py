"""The inbox as reconciliation sees it, which finds the events that never came."""

from billing.gateway.client import StripeGateway
from billing.services.reconciliation.shapes import Inbox
from billing.webhooks.dispatch import HANDLERS
from billing.webhooks.inbox import work_off_event


def inbox_of(gateway: StripeGateway) -> Inbox:
    """Which events are read here, and how one is worked off with this gateway."""
    return Inbox(
        event_types=tuple(HANDLERS), work_off=lambda event_id: work_off_event(event_id=event_id, gateway=gateway)
    )
