"""The audit log: what staff did, written in the database transaction in which it was done."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts.models import User
from billing.models import AuditEntry, BillingCustomer


def record_audit(
    *,
    actor: User | None,
    action: str,
    target: Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    address: str = "",
    customer: BillingCustomer | None = None,
) -> AuditEntry:
    """Append who did what. `action` is a noun and a verb (`adjustment.approve`); no actor is the system.

    `before` and `after` hold what JSON can hold: amounts as text, times as ISO 8601.

    Raises:
        RuntimeError: outside a database transaction, where act and entry could part.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An act is audited in the database transaction in which it is done.")
    return AuditEntry.objects.create(
        at=timezone.now(),
        actor=actor,
        action=action,
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_label=str(target)[:200] if target is not None else "",
        customer=customer,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason[:500],
        address=address[:45],
    )
