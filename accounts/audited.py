"""Acts of staff, told to the audit log: whatever an admin form adds, changes or deletes, and what actions do.

This app imports no other one, so the log's keeper is named by the setting `STAFF_ACT_RECORDER`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts.models import User
from accounts.network import client_address

HIDDEN, HIDDEN_AND_NEW = "(hidden)", "(hidden, changed)"
_SECRETS = re.compile("password|secret|token|session_key")
_PLAIN = (bool, int, str, type(None))
Snapshot = dict[str, Any]


def record_act(
    *,
    request: HttpRequest,
    action: str,
    target: Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    actor: User | None = None,
) -> None:
    """Write an act into the audit log, in the database transaction of the act; the actor is who is logged in.

    `action` is a noun and a verb, such as `customer.freeze`.
    """
    person = actor or (request.user if isinstance(request.user, User) else None)
    record = import_string(settings.STAFF_ACT_RECORDER)
    record(
        actor=person,
        action=action,
        target=target,
        before=before or {},
        after=after or {},
        reason=reason,
        address=client_address(request),
    )


def take_snapshot(row: Model) -> Snapshot:
    """The row's own fields and what it is linked to, as JSON can hold them."""
    own = {field.name: _plain(field.value_from_object(row)) for field in row._meta.concrete_fields}
    linked = {field.name: sorted(map(str, _linked(row, field.name))) for field in row._meta.many_to_many}
    return {**own, **linked}


def compare(
    *, before: Snapshot, after: Snapshot, hidden_fields: frozenset[str] = frozenset()
) -> tuple[Snapshot, Snapshot]:
    """The fields that differ, as they were and as they are; of secrets only that they differ."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    secret = {name for name in names if name in hidden_fields or _SECRETS.search(name)}
    was = {name: HIDDEN if name in secret else before[name] for name in names if name in before}
    now = {name: HIDDEN_AND_NEW if name in secret else after[name] for name in names if name in after}
    return was, now


class AuditedAdmin:
    """For a ModelAdmin whose forms or actions change rows: each change is in the audit log, or is not made."""

    hidden_fields: ClassVar[frozenset[str]] = frozenset()  # secrets, beside those that the name tells

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        stored = type(obj)._base_manager.filter(pk=obj.pk).first() if change else None
        form.stored_before = take_snapshot(stored) if stored is not None else {}
        super().save_model(request, obj, form, change)  # type: ignore[misc]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        row = type(form.instance)._base_manager.get(pk=form.instance.pk)
        verb = "change" if change else "add"
        self.audit_change(request, row, before=form.stored_before, after=take_snapshot(row), verb=verb)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self._audit_deletion(request, obj)
            super().delete_model(request, obj)  # type: ignore[misc]

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset:
                self._audit_deletion(request, row)
            super().delete_queryset(request, queryset)  # type: ignore[misc]

    def audit_change(
        self, request: HttpRequest, row: Any, *, before: Snapshot, after: Snapshot, verb: str, reason: str = ""
    ) -> None:
        """Record what differs; nothing if nothing does."""
        was, now = compare(before=before, after=after, hidden_fields=self.hidden_fields)
        if was or now:
            action = f"{row._meta.model_name}.{verb}"
            record_act(request=request, action=action, target=row, before=was, after=now, reason=reason)

    def _audit_deletion(self, request: HttpRequest, row: Any) -> None:
        self.audit_change(request, row, before=take_snapshot(row), after={}, verb="delete")


def _linked(row: Model, name: str) -> Sequence[Model]:
    rows: Sequence[Model] = getattr(row, name).select_related()
    return rows


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: times as ISO 8601, amounts and the rest as text."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, _PLAIN) else str(value)
