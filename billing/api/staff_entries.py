"""`GET /api/v1/admin/ledger-entries`: the ledger of one customer or of all."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.base import StaffView, read_query
from billing.api.lists import ListQuery, answer_list
from billing.api.shapes import entry_shape, find_entry
from billing.errors import InvalidRequest
from billing.kinds import EntryKind
from billing.selectors.customers import find_customer
from billing.selectors.entries import EntryFilter
from billing.selectors.staff_entries import newest_entries


class EntriesQuery(ListQuery):
    """Which entries; `since` is inclusive, `until` exclusive, both on when it happened."""

    customer = serializers.CharField(max_length=320, required=False)
    kind = serializers.ChoiceField(choices=[kind.value for kind in EntryKind], required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class StaffLedgerEntries(StaffView):
    """Entries, newest first."""

    permission = "billing.view_ledgerentry"

    def get(self, request: Request) -> Response:
        query = read_query(request, EntriesQuery)
        customer = find_customer(name=query["customer"]) if "customer" in query else None
        after = find_entry(query["starting_after"], field="starting_after") if "starting_after" in query else None
        if customer and after and after.customer_id != customer.pk:
            raise InvalidRequest(
                field="starting_after", fault="it is another customer's", remedy="Send an entry of this list."
            )
        entries, has_more = newest_entries(
            entry_filter=EntryFilter(
                customer_id=customer.pk if customer else None,
                kinds=(query["kind"],) if "kind" in query else (),
                since=query.get("since"),
                until=query.get("until"),
            ),
            after=after,
            limit=query["limit"],
        )
        return answer_list(request, rows=[entry_shape(entry) for entry in entries], has_more=has_more)
