"""Endpoints of webhooks: made, changed, rotated and deleted. A secret is shown once, and sealed at rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import InvalidRequest, TooManyWebhookEndpoints, WebhookEndpointExists, WebhookEndpointNotFound
from billing.models import BillingCustomer, WebhookEndpoint
from billing.notice_kinds import NoticeEvent
from billing.outgoing.addresses import UrlRefused, read_target
from billing.outgoing.signing import new_secret
from billing.services.notices import Payload, announce
from billing.services.sealing import is_sealed_by_first_key, seal, seal_again, unseal

MAX_ENDPOINTS: Final = 10  # of one customer, and of the installation
OVERLAP: Final = timedelta(hours=24)
BY_OWNER: Final = "Disabled by hand."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """An endpoint with its new secret, which is shown once."""

    endpoint: WebhookEndpoint
    secret: str


def create_endpoint(
    *,
    customer: BillingCustomer | None,
    url: str,
    events: Sequence[str],
    description: str = "",
    created_by: User | None = None,
) -> NewSecret:
    """Subscribe an address to events of the customer, or with None of all customers.

    Raises:
        InvalidRequest: nothing may be sent there, or there is no such event.
        WebhookEndpointExists, TooManyWebhookEndpoints: see there.
    """
    wanted = check_events(events)
    check_url(url)
    secret = new_secret()
    with transaction.atomic():
        if customer is not None:  # so that two tabs cannot both make the last one
            BillingCustomer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        if WebhookEndpoint.objects.filter(customer=customer, deleted_at__isnull=True).count() >= MAX_ENDPOINTS:
            raise TooManyWebhookEndpoints(most=MAX_ENDPOINTS)
        try:
            with transaction.atomic():
                endpoint = WebhookEndpoint.objects.create(
                    customer=customer,
                    url=url,
                    events=wanted,
                    description=description,
                    created_by=created_by,
                    sealed_secret=seal(secret),
                )
        except IntegrityError:
            raise WebhookEndpointExists(url=url) from None
        _announce(NoticeEvent.WEBHOOK_ADDED, endpoint, key=endpoint.public_id, events=wanted)
    return NewSecret(endpoint=endpoint, secret=secret)


def check_url(url: str) -> None:
    """Refuse an address that nothing may be sent to. Where its name leads is judged when something is sent.

    Raises:
        InvalidRequest: it says why.
    """
    try:
        read_target(url, may_be_loopback=conf.webhooks_may_reach_loopback())
    except UrlRefused as refusal:
        raise InvalidRequest(field="url", fault="nothing can be sent there", remedy=str(refusal)) from None


def check_events(events: Sequence[str]) -> list[str]:
    """The events, each once and in the order of their table.

    Raises:
        InvalidRequest: there is none, or one that does not exist.
    """
    unknown = sorted(set(events) - {event.value for event in NoticeEvent})
    if unknown:
        fault = f"there is no event {unknown[0][:60]!r}"
        raise InvalidRequest(field="events", fault=fault, remedy="docs/webhooks.md lists them all.")
    wanted = [event.value for event in NoticeEvent if event.value in events]
    if not wanted:
        raise InvalidRequest(field="events", fault="it is empty", remedy="Choose at least one event.")
    return wanted


def find_endpoint(*, public_id: str, customer: BillingCustomer | None) -> WebhookEndpoint:
    """The customer's endpoint, or with None one of the installation.

    Raises:
        WebhookEndpointNotFound: there is none; others' do not exist here.
    """
    endpoint = WebhookEndpoint.objects.filter(public_id=public_id, customer=customer, deleted_at__isnull=True).first()
    if endpoint is None:
        raise WebhookEndpointNotFound(endpoint=public_id)
    return endpoint


def change_endpoint(*, endpoint: WebhookEndpoint, events: Sequence[str], description: str) -> None:
    """Subscribe the endpoint to other events; what is on its way goes on.

    Raises:
        InvalidRequest: there is no such event.
    """
    wanted = check_events(events)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(events=wanted, description=description)
    endpoint.events, endpoint.description = wanted, description


def rotate_secret(*, endpoint: WebhookEndpoint, now: datetime) -> NewSecret:
    """A new secret; for a day the one before signs, too. One that was still in its day is over.

    Raises:
        WebhookEndpointNotFound: it was deleted meanwhile.
    """
    secret = new_secret()
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk, deleted_at__isnull=True).first()
        if row is None:
            raise WebhookEndpointNotFound(endpoint=endpoint.public_id)
        row.sealed_former_secret, row.former_secret_until = row.sealed_secret, now + OVERLAP
        row.sealed_secret = seal(secret)
        row.save(update_fields=["sealed_secret", "sealed_former_secret", "former_secret_until"])
        _announce(NoticeEvent.WEBHOOK_ROTATED, row, key=f"{row.public_id}:{now.isoformat()}")
    return NewSecret(endpoint=row, secret=secret)


def _announce(event: NoticeEvent, endpoint: WebhookEndpoint, *, key: str, **fields: list[str]) -> None:
    """Tell the owner, by a mail that cannot be switched off: a key that leaked must not subscribe its thief unseen.

    What is done to endpoints of the installation is in the audit log. Of the address the host alone is told.
    """
    if endpoint.customer_id is not None:
        payload: Payload = {"endpoint": endpoint.public_id, "host": endpoint.host, **fields}
        announce(event=event, customer_id=endpoint.customer_id, key=key, payload=payload)


def secrets_of(*, endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign now, the newest first.

    Raises:
        CannotUnseal: they were sealed with a SECRET_KEY that is not known any more.
    """
    sealed = [endpoint.sealed_secret]
    if endpoint.former_secret_until is not None and now < endpoint.former_secret_until:
        sealed.append(endpoint.sealed_former_secret)
    return [unseal(each) for each in sealed]


def disable_endpoint(*, endpoint: WebhookEndpoint, now: datetime, reason: str = BY_OWNER) -> None:
    """Send nothing more; what waits does so for three days. Disabling again keeps the first time and reason."""
    enabled = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_enabled=True)
    enabled.update(is_enabled=False, disabled_at=now, disabled_reason=reason)


def enable_endpoint(*, endpoint: WebhookEndpoint, now: datetime) -> None:
    """Send again, beginning with what has waited; failures are counted from here."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk, is_enabled=False, deleted_at__isnull=True).update(
        is_enabled=True, disabled_at=None, disabled_reason="", failing_since=None, failures_in_row=0, free_at=now
    )


def delete_endpoint(*, endpoint: WebhookEndpoint) -> None:
    """The endpoint is gone at once, with its secrets; its log, which may be long, by `purge_deleted_endpoints`."""
    now = timezone.now()
    with transaction.atomic():  # locked first, as whoever sends to it does
        row = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk, deleted_at__isnull=True).first()
        if row is None:
            return
        row.deleted_at, row.is_enabled, row.disabled_at = now, False, row.disabled_at or now
        row.sealed_secret, row.sealed_former_secret, row.former_secret_until = "", "", None
        row.save(
            update_fields=[
                "deleted_at",
                "is_enabled",
                "disabled_at",
                "sealed_secret",
                "sealed_former_secret",
                "former_secret_until",
            ]
        )


def seal_secrets_again() -> int:
    """Seal with SECRET_KEY what a fallback has sealed; gives how many endpoints that were.

    Raises:
        CannotUnseal: some secret needs a key that is not among them; what came before it is done.
    """
    count = 0
    kept = WebhookEndpoint.objects.filter(deleted_at__isnull=True).order_by("pk")
    for public_id in list(kept.values_list("public_id", flat=True)):
        with transaction.atomic():
            endpoint = kept.select_for_update().filter(public_id=public_id).first()
            if endpoint is None:
                continue
            former = endpoint.sealed_former_secret
            if former and (endpoint.former_secret_until is None or endpoint.former_secret_until <= timezone.now()):
                former = ""  # it signs no more
            sealed = [text for text in (endpoint.sealed_secret, former) if text]
            if all(map(is_sealed_by_first_key, sealed)) and former == endpoint.sealed_former_secret:
                continue
            endpoint.sealed_secret = seal_again(endpoint.sealed_secret)
            endpoint.sealed_former_secret = seal_again(former) if former else ""
            endpoint.save(update_fields=["sealed_secret", "sealed_former_secret"])
            count += 1
    return count
