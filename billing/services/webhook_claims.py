"""Who sends what next, and what became of it: the database's side of sending, without the network.

A claim locks an endpoint's row with SKIP LOCKED, so workers and sweepers share the work. It moves both ahead: the
endpoint's `free_at`, so that it is sent one message at a time, and the message's next try, so that one whose sender
died is sent again. Endpoints take turns, whoever has waited longest first: a slow one delays nobody but itself.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.addresses import list_verified_addresses
from billing import conf
from billing.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from billing.outgoing.posting import Answer
from billing.services.mails import queue_mail

GIVE_UP_AFTER: Final = timedelta(days=3)
_LEASE: Final = timedelta(seconds=30)  # a try takes ten seconds at most
_FIRST_BACK_OFF, _BACK_OFF_GROWTH, _LONGEST_BACK_OFF = timedelta(seconds=10), 4, timedelta(hours=6)
_FIRST_REST, _LONGEST_REST = timedelta(seconds=2), timedelta(minutes=10)  # of an endpoint that fails
_GONE: Final = 410
_DISABLED: Final = """Nothing more is sent to your endpoint at {host}.

{reason} What waits there is kept for three days. Mend the endpoint, then enable it on its page, where
you can also send single messages again: {page}
"""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that is ours to send, and where to."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint


def claim_delivery(*, now: datetime) -> Claim | None:
    """Take the message that has waited longest at the endpoint that has waited longest; None if nothing is due."""
    due = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, next_try_at__lte=now)
    waiting = WebhookEndpoint.objects.filter(Exists(due.filter(endpoint=OuterRef("pk"))), is_enabled=True)
    free = waiting.filter(free_at__lte=now).order_by("free_at", "pk")
    with transaction.atomic(durable=True):
        endpoint = free.select_for_update(skip_locked=True, no_key=True).first()
        if endpoint is None:
            return None
        delivery = due.filter(endpoint=endpoint).order_by("next_try_at", "pk").select_for_update().first()
        if delivery is None:  # it was sent between the two statements
            return None
        delivery.tries += 1
        delivery.next_try_at = now + _back_off(tries=delivery.tries)
        delivery.save(update_fields=["tries", "next_try_at"])
        endpoint.free_at = now + _LEASE
        endpoint.save(update_fields=["free_at"])
    return Claim(delivery=delivery, endpoint=endpoint)


def record_answer(*, claim: Claim, answer: Answer, attempted_at: datetime) -> DeliveryState | None:
    """Write down what came of a claimed message; gives its state, or None if it was deleted or ended meanwhile."""
    with transaction.atomic(durable=True):
        known = WebhookEndpoint.objects.filter(pk=claim.endpoint.pk, deleted_at__isnull=True)
        endpoint = known.select_for_update(no_key=True).first()
        delivery = WebhookDelivery.objects.select_for_update().filter(pk=claim.delivery.pk).first()
        if endpoint is None or delivery is None:
            return None
        WebhookAttempt.objects.create(
            delivery=delivery,
            attempted_at=attempted_at,
            status=answer.status,
            error=answer.error[:200],
            excerpt=answer.excerpt,
            duration_ms=answer.duration_ms,
            is_success=answer.is_success,
        )
        now = timezone.now()
        _note_health(endpoint, answer, now)
        if delivery.state != DeliveryState.PENDING:
            return None
        _note_outcome(delivery, endpoint, answer, now)
    return DeliveryState(delivery.state)


def give_up_waiting(*, now: datetime) -> int:
    """End what has waited for three days for a disabled endpoint; gives how many."""
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, endpoint__is_enabled=False)
    old = waiting.filter(
        endpoint__deleted_at__isnull=True,
        created_at__lt=now - GIVE_UP_AFTER,
        endpoint__disabled_at__lt=now - GIVE_UP_AFTER,
    )
    return old.update(state=DeliveryState.DEAD, next_try_at=None, ended_at=now)


def _note_health(endpoint: WebhookEndpoint, answer: Answer, now: datetime) -> None:
    """How the endpoint does; one that fails rests a little longer each time, so that it costs us little."""
    if answer.is_success:
        endpoint.failing_since, endpoint.failures_in_row, endpoint.free_at = None, 0, now
    else:
        endpoint.failing_since = endpoint.failing_since or now
        endpoint.failures_in_row += 1
        rest = min(_FIRST_REST * 2 ** min(endpoint.failures_in_row - 1, 10), _LONGEST_REST)
        endpoint.free_at = now + rest
    endpoint.save(update_fields=["failing_since", "failures_in_row", "free_at"])


def _note_outcome(delivery: WebhookDelivery, endpoint: WebhookEndpoint, answer: Answer, now: datetime) -> None:
    if answer.is_success:
        _end(delivery, DeliveryState.DELIVERED, now)
        return
    if answer.status == _GONE:
        _end(delivery, DeliveryState.DEAD, now)
        _disable(endpoint, "It answered 410: it is gone for good.", now)
        return
    give_up_at = delivery.give_up_at or now + GIVE_UP_AFTER
    if now < give_up_at:
        delivery.give_up_at = give_up_at
        wish = min(timedelta(seconds=answer.retry_after_seconds), _LONGEST_BACK_OFF)
        delivery.next_try_at = min(now + max(wish, _back_off(tries=delivery.tries)), give_up_at)
        delivery.save(update_fields=["give_up_at", "next_try_at"])
        return
    _end(delivery, DeliveryState.DEAD, now)
    log.warning("webhook_given_up", delivery=delivery.public_id, endpoint=endpoint.public_id)
    if endpoint.failing_since is not None and endpoint.failing_since <= now - GIVE_UP_AFTER:
        _disable(endpoint, "Nothing was delivered for three days.", now)


def _end(delivery: WebhookDelivery, state: DeliveryState, now: datetime) -> None:
    delivery.state, delivery.next_try_at, delivery.ended_at = state, None, now
    delivery.save(update_fields=["state", "next_try_at", "ended_at"])


def _disable(endpoint: WebhookEndpoint, reason: str, now: datetime) -> None:
    endpoint.is_enabled, endpoint.disabled_at, endpoint.disabled_reason = False, now, reason
    endpoint.save(update_fields=["is_enabled", "disabled_at", "disabled_reason"])
    log.warning("webhook_endpoint_disabled", endpoint=endpoint.public_id, reason=reason)
    if endpoint.created_by_id is not None:
        queue_mail(
            to=list_verified_addresses(user_id=endpoint.created_by_id)[:1],
            kind="webhook_endpoint.disabled",
            subject="A webhook endpoint of yours was disabled",
            text=_DISABLED.format(host=endpoint.host, reason=reason, page=_page_of(endpoint)),
        )


def _page_of(endpoint: WebhookEndpoint) -> str:
    return f"{conf.site_url()}/billing/webhooks/{endpoint.public_id}/"


def _back_off(*, tries: int) -> timedelta:
    """10 s, 40 s, 160 s and so on, six hours at most; a fifth more or less, so that many do not come at once."""
    growth: int = _BACK_OFF_GROWTH ** min(tries - 1, 10)
    return min(_FIRST_BACK_OFF * growth, _LONGEST_BACK_OFF) * random.uniform(0.8, 1.2)  # noqa: S311  # no secret
