"""Where acts of staff go: the audit log, with the customer whom they concern (`STAFF_ACT_RECORDER` names this)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from accounts.models import User
from billing.models import BillingCustomer
from billing.services.audit import record_audit


def record_staff_act(
    *,
    actor: User | None,
    action: str,
    target: Model | None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str,
    address: str,
) -> None:
    """Append the act to the audit log. Call in the database transaction in which it is done."""
    record_audit(
        actor=actor,
        action=action,
        target=target,
        before=before,
        after=after,
        reason=reason,
        address=address,
        customer=customer_behind(target),
    )


def customer_behind(target: object) -> BillingCustomer | None:
    """The customer whom a row belongs to: its own, its payment's, or that of the person it is about."""
    if isinstance(target, BillingCustomer):
        return target
    own = getattr(target, "customer", None) or getattr(getattr(target, "payment", None), "customer", None)
    if isinstance(own, BillingCustomer):
        return own
    person = target if isinstance(target, User) else getattr(target, "user", None)
    return BillingCustomer.objects.filter(user=person).first() if isinstance(person, User) else None
