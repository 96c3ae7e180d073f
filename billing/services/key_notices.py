"""Announces what concerns an API key: that it was made, and that its monthly limit is used up."""

from datetime import datetime

from django.db import transaction

from accounts.models import ApiKey
from billing.models import Notice
from billing.notice_kinds import NoticeEvent
from billing.services.customers import ensure_customer
from billing.services.key_limits import KEY_PREFIX
from billing.services.notices import announce


def announce_new_key(*, key: ApiKey) -> None:
    """Tell the key's owner that it was made, by them or by staff, or by rotation."""
    if key.user is None:
        return
    with transaction.atomic():
        announce(
            event=NoticeEvent.KEY_CREATED,
            customer_id=ensure_customer(user=key.user).pk,
            key=key.key_id,
            payload={
                "key": key.key_id,
                "name": key.name,
                "shown": f"{key.prefix}_{key.key_id}_…{key.last_four}",
                "scopes": list(key.scopes),
                "created_by_customer": key.created_by_id == key.user_id,
                "replaces": key.replaces.key_id if key.replaces else None,
            },
        )


def announce_key_limit(*, placed_by: str, now: datetime) -> None:
    """Tell that something was refused because the key's limit is used up: once a UTC month.

    Call after the database transaction of the refusal, or in one that is committed in spite of it.
    """
    key = ApiKey.objects.filter(key_id=placed_by.removeprefix(KEY_PREFIX), user__isnull=False).first()
    if key is None or key.user is None or key.monthly_limit is None:
        return
    customer_id, name = ensure_customer(user=key.user).pk, f"{key.key_id}:{now:%Y-%m}"
    told = Notice.objects.filter(customer_id=customer_id, event=NoticeEvent.KEY_LIMIT_REACHED.value, key=name)
    if told.exists():  # a program that goes on asking does not write each time
        return
    with transaction.atomic():
        announce(
            event=NoticeEvent.KEY_LIMIT_REACHED,
            customer_id=customer_id,
            key=name,
            payload={"key": key.key_id, "name": key.name, "limit": f"{key.monthly_limit:.6f}"},
        )
