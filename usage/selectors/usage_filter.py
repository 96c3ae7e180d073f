"""Which usage a page, a sum or an export is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, NullIf, Substr

from billing.kinds import EntryKind
from billing.models import LedgerEntry
from billing.selectors.overview import first_sequence_since
from usage.models import UsageEvent

USAGE_KINDS = (EntryKind.USAGE.value, EntryKind.USAGE_CORRECTION.value)
CALL, DIRECT, CORRECTION = "call", "direct", "correction"
NO_KEY = "none"
_KEY_PREFIX = "key:"
_BY_KEY_START = len(_KEY_PREFIX) + 1  # SQL counts from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Usage of one customer in a period; `until` is not included. `what` is a model's or an operation's name."""

    customer_id: int
    since: datetime
    until: datetime
    what: str = ""
    key_id: str = ""
    outcome: str = ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.what or self.key_id or self.outcome)

    def without_narrowing(self) -> UsageFilter:
        return replace(self, what="", key_id="", outcome="")


def choose_entries(chosen: UsageFilter) -> QuerySet[Any]:
    """The ledger's entries that are usage: calls, direct debits and corrections, each with `sort`, `what`, `by_key`.

    They are what was charged, so every sum of usage is made of them, and agrees with the ledger. A direct debit is an
    entry that no call stands behind: a debit or a settled hold of a program, by its API key or from within the product.
    """
    sequence = first_sequence_since(customer_id=chosen.customer_id, since=chosen.since)
    rows = LedgerEntry.objects.filter(
        customer_id=chosen.customer_id,
        sequence__gte=sequence,
        kind__in=USAGE_KINDS,
        occurred_at__gte=chosen.since,
        occurred_at__lt=chosen.until,
    ).annotate(
        sort=Case(
            When(Q(kind=EntryKind.USAGE_CORRECTION.value) | Q(corrected_usage__isnull=False), then=Value(CORRECTION)),
            When(usage_event__isnull=False, then=Value(CALL)),
            default=Value(DIRECT),
            output_field=CharField(),
        ),
        what=Coalesce(
            NullIf("usage_event__model", Value("")),
            NullIf("usage_event__operation", Value("")),
            NullIf("corrected_usage__usage_event__model", Value("")),
            NullIf("corrected_usage__usage_event__operation", Value("")),
            Value(""),
        ),
        by_key=_key_of_entry(),
    )
    if chosen.what:
        rows = rows.filter(what=chosen.what)
    if chosen.key_id:
        rows = rows.filter(by_key="" if chosen.key_id == NO_KEY else chosen.key_id)
    return rows


def choose_calls(chosen: UsageFilter) -> QuerySet[UsageEvent]:
    """The calls of the filter, charged or not."""
    rows = UsageEvent.objects.filter(
        customer_id=chosen.customer_id, occurred_at__gte=chosen.since, occurred_at__lt=chosen.until
    )
    if chosen.what:
        rows = rows.filter(Q(model=chosen.what) | Q(operation=chosen.what))
    if chosen.key_id == NO_KEY:
        rows = rows.filter(api_key__isnull=True)
    elif chosen.key_id:
        rows = rows.filter(api_key__key_id=chosen.key_id)
    if chosen.outcome == "charged":
        rows = rows.filter(entry__isnull=False)
    elif chosen.outcome == "not_charged":
        rows = rows.filter(entry__isnull=True)
    return rows


def _key_of_entry() -> Coalesce:
    """The id of the API key behind an entry: of its call, of the call it corrects, or of who placed hold or debit."""
    placed_by = Case(
        When(hold__placed_by__startswith=_KEY_PREFIX, then=Substr(F("hold__placed_by"), _BY_KEY_START)),
        When(source_type="caller", source_id__startswith=_KEY_PREFIX, then=Substr(F("source_id"), _BY_KEY_START)),
        output_field=CharField(),
    )
    return Coalesce(
        F("usage_event__api_key__key_id"),
        F("corrected_usage__usage_event__api_key__key_id"),
        placed_by,
        Value(""),
        output_field=CharField(),
    )
