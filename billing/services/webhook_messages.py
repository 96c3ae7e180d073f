"""Messages to endpoints: one for each notice and each endpoint that subscribes to it, tests, and another try."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing import wake
from billing.errors import DeliveryNotPossible
from billing.models import BillingCustomer, DeliveryState, Notice, WebhookDelivery, WebhookEndpoint
from billing.models.notice import new_notice_id

TEST_EVENT: Final = "webhook.test"
KEPT: Final = timedelta(days=30)
_AT_ONCE: Final = 1000


def expand_to_webhooks(notice: Notice) -> None:
    """Write a delivery for each endpoint that wants the notice; call it in the transaction that marks it expanded."""
    own_or_all = Q(customer=notice.customer_id) | Q(customer__isnull=True)
    endpoints = list(WebhookEndpoint.objects.filter(own_or_all, is_enabled=True, events__contains=[notice.event]))
    if not endpoints:
        return
    body = _body(event=notice.event, occurred_at=notice.occurred_at, fields=notice.payload, customer=notice.customer)
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                endpoint=endpoint, notice=notice, message_id=notice.public_id, event=notice.event, body=body
            )
            for endpoint in endpoints
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(wake_sender)


def send_test_event(*, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """A message that tells of nothing, to see whether the endpoint takes it; whatever it subscribes to.

    Raises:
        DeliveryNotPossible: the endpoint is disabled.
    """
    with transaction.atomic():
        _refuse_disabled(endpoint)
        body = _body(
            event=TEST_EVENT,
            occurred_at=timezone.now(),
            fields={"endpoint": endpoint.public_id},
            customer=endpoint.customer,
        )
        delivery = WebhookDelivery.objects.create(
            endpoint=endpoint, message_id=new_notice_id(), event=TEST_EVENT, body=body
        )
        transaction.on_commit(wake_sender)
    return delivery


def replay_delivery(*, delivery: WebhookDelivery) -> None:
    """Send a message once more, with the same id and body, whatever became of it; its tries begin anew.

    Raises:
        DeliveryNotPossible: the endpoint is disabled.
    """
    with transaction.atomic():
        _refuse_disabled(delivery.endpoint)
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            state=DeliveryState.PENDING, tries=0, next_try_at=timezone.now(), give_up_at=None, ended_at=None
        )
        transaction.on_commit(wake_sender)


def wake_sender() -> None:
    """Ask a worker to send what is due."""
    wake.wake_task(name=wake.SEND_WEBHOOKS)


def purge_old_deliveries(*, now: datetime) -> int:
    """Delete messages that ended 30 days ago, with their attempts; gives how many."""
    old = WebhookDelivery.objects.filter(ended_at__lt=now - KEPT)
    count = 0
    while batch := list(old.values_list("pk", flat=True)[:_AT_ONCE]):
        WebhookDelivery.objects.filter(pk__in=batch).delete()
        count += len(batch)
    return count


def purge_deleted_endpoints(*, should_stop: Callable[[], bool] = lambda: False, batches: int = 20) -> int:
    """Delete the logs of deleted endpoints, so many batches at most, and what has none left; gives how many messages.

    A batch is a database transaction of its own: an endpoint may have been sent hundreds of thousands.
    """
    count = 0
    for endpoint in WebhookEndpoint.objects.filter(deleted_at__isnull=False).order_by("pk"):
        log = WebhookDelivery.objects.filter(endpoint=endpoint).order_by("-pk")
        while batch := list(log.values_list("pk", flat=True)[:_AT_ONCE]):
            if batches <= 0 or should_stop():
                return count
            WebhookDelivery.objects.filter(pk__in=batch).delete()
            count, batches = count + len(batch), batches - 1
        endpoint.delete()
    return count


def _refuse_disabled(endpoint: WebhookEndpoint) -> None:
    row = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if row is None or not row.is_enabled:
        raise DeliveryNotPossible(fault="The endpoint is disabled", remedy="Enable it first.")


def _body(*, event: str, occurred_at: datetime, fields: dict[str, Any], customer: BillingCustomer | None) -> str:
    whose = {
        "customer": customer.public_id if customer else None,
        "external_id": customer.external_id if customer else None,
    }
    timestamp = occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": timestamp, "data": {**fields, **whose}}, ensure_ascii=False)
