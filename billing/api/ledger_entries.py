"""`GET /api/v1/ledger-entries` and `GET /api/v1/ledger-entries/{id}`: the caller's own ledger."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_query
from billing.api.lists import CursorQuery, answer_list, filter_rows
from billing.api.parsing import StrictSerializer
from billing.api.shapes import entry_shape, find_entry, look_up_entry
from billing.kinds import EntryKind
from billing.models import LedgerEntry
from billing.selectors.entries import newest_entries_of
from billing.services.debits import SOURCE_TYPE


class LedgerEntryFilter(django_filters.FilterSet):  # type: ignore[misc]  # it brings no types
    """Which entries; `since` is inclusive, `until` exclusive, both on when it happened."""

    kind = django_filters.ChoiceFilter(choices=[(kind.value, kind.value) for kind in EntryKind])
    since = django_filters.IsoDateTimeFilter(field_name="occurred_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="occurred_at", lookup_expr="lt")
    key = django_filters.CharFilter(method="filter_key", max_length=20, label="The id of the API key that spent.")

    class Meta:
        model = LedgerEntry
        fields: list[str] = []

    def filter_key(self, entries: QuerySet[LedgerEntry], name: str, key_id: str) -> QuerySet[LedgerEntry]:
        """What the key spent at once, and the settlements of holds that it placed."""
        placed_by = f"key:{key_id}"
        at_once = Q(source_type=SOURCE_TYPE, source_id=placed_by)
        return entries.filter(at_once | Q(hold__placed_by=placed_by))


class LedgerEntries(CallerView):
    """Entries, newest first."""

    scopes = {"GET": Scope.READ}
    filterset_class = LedgerEntryFilter

    def get(self, request: Request) -> Response:
        query = read_query(request, CursorQuery, but=tuple(LedgerEntryFilter.base_filters))
        customer = self.acting_for()
        entries = LedgerEntry.objects.filter(customer=customer).select_related("payment", "hold")
        after, before = (
            find_entry(query[name], field=name, customer=customer).sequence if name in query else None
            for name in ("starting_after", "ending_before")
        )
        rows, has_more = newest_entries_of(
            entries=filter_rows(request, LedgerEntryFilter, entries), after=after, before=before, limit=query["limit"]
        )
        for entry in rows:
            entry.customer = customer
        return answer_list(request, rows=[entry_shape(entry) for entry in rows], has_more=has_more)


class OneLedgerEntry(CallerView):
    """One entry of the caller's; those of others do not exist."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request, entry: str) -> Response:
        read_query(request, StrictSerializer)
        customer = self.acting_for()
        found = look_up_entry(entry)
        if found is None or found.customer_id != customer.pk:
            raise NotFound("There is no such entry.")
        return Response(entry_shape(found))
