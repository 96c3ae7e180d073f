"""An integrator for tests: a receiver on this machine, endpoints that lead to it, and notices to tell of."""

import itertools
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing.models import BillingCustomer, Notice, WebhookDelivery, WebhookEndpoint
from billing.notice_kinds import NoticeEvent
from billing.services.notice_expansion import expand_due_notices
from billing.services.notices import announce
from billing.services.webhook_endpoints import NewSecret, create_endpoint
from billing.services.webhook_messages import expand_to_webhooks

_numbers = itertools.count(1)
EVENT = NoticeEvent.HOLD_EXPIRED


def subscribe(customer: BillingCustomer | None, url: str, *, events: tuple[str, ...] = (EVENT.value,)) -> NewSecret:
    """An endpoint for events of the customer, or of all."""
    return create_endpoint(customer=customer, url=url, events=events)


def say(customer: BillingCustomer, *, event: NoticeEvent = EVENT, **payload: Any) -> Notice:
    """Announce something that has happened to the customer."""
    key = f"fact-{next(_numbers)}"
    with transaction.atomic():
        announce(event=event, customer_id=customer.pk, key=key, payload=payload or {"hold": key})
    return Notice.objects.get(customer=customer, event=event, key=key)


def tell(customer: BillingCustomer, **payload: Any) -> Notice:
    """Announce something and write the messages that come of it."""
    notice = say(customer, **payload)
    expand_due_notices()
    return notice


def message_for(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """A message that waits at the endpoint, whose customer has one."""
    assert endpoint.customer is not None
    notice = say(endpoint.customer)
    with transaction.atomic():
        expand_to_webhooks(notice)
    return WebhookDelivery.objects.get(endpoint=endpoint, message_id=notice.public_id)


def pass_time(by: timedelta = timedelta(days=4)) -> None:
    """Everything that waits is due, as if time had passed; what was to be given up meanwhile will be."""
    now = timezone.now()
    WebhookEndpoint.objects.update(free_at=now)
    WebhookDelivery.objects.filter(state="pending").update(next_try_at=now)
    for endpoint in WebhookEndpoint.objects.exclude(failing_since=None):
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=endpoint.failing_since - by)  # type: ignore[operator]
    for delivery in WebhookDelivery.objects.exclude(give_up_at=None):
        WebhookDelivery.objects.filter(pk=delivery.pk).update(give_up_at=delivery.give_up_at - by)  # type: ignore[operator]
