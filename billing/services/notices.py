"""Announce facts: one row in the database transaction that makes them true. What comes of it is written afterwards."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from billing import wake
from billing.models import Notice
from billing.notice_kinds import NoticeEvent

_UNDISMISSABLE = (NoticeEvent.PAYMENT_DISPUTED.value,)  # it ends with the dispute
Payload = Mapping[str, str | int | bool | list[str] | None]


def announce(
    *,
    event: NoticeEvent,
    customer_id: int,
    key: str,
    payload: Payload,
    occurred_at: datetime | None = None,
) -> None:
    """Record a fact for mails, banners and outgoing webhooks; the same event and key of a customer again does nothing.

    `key` names the fact, best by its public id. `payload` has what docs/notices.md lists for the event. Call inside the
    database transaction that writes the fact: both stand, or neither.

    Raises:
        RuntimeError: no database transaction is open.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Announce a fact in the database transaction that writes it.")
    now = timezone.now()
    Notice.objects.bulk_create(
        [
            Notice(
                customer_id=customer_id,
                event=event.value,
                key=key,
                payload=dict(payload),
                occurred_at=occurred_at or now,
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(_wake_expansion)


def dismiss_notice(*, customer_id: int, notice: str) -> bool:
    """Close the banner of a notice for good; whether there was one of the customer's that may be closed."""
    rows = Notice.objects.filter(customer_id=customer_id, public_id=notice).exclude(event__in=_UNDISMISSABLE)
    return bool(rows.update(dismissed_at=Now()))


def _wake_expansion() -> None:
    wake.wake_task(name=wake.EXPAND_NOTICES)
