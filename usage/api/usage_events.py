"""`/api/v1/usage-events`: tell of work done elsewhere, and list what was metered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import django_filters
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_query
from billing.api.callers import caller_key, customer_scope, placed_by
from billing.api.idempotency import Answer, answer_once
from billing.api.lists import CursorQuery, answer_list, filter_rows
from billing.api.parsing import StrictSerializer
from billing.errors import InvalidRequest, ScopeMissing
from billing.models import BillingCustomer
from usage.api.shapes import batch_shape, usage_event_shape
from usage.models import Basis, UsageEvent, UsageStatus
from usage.selectors.events import events_of, find_usage_event, newest_events
from usage.services.metadata import make_storable
from usage.services.recording import Recorder, record_events

MAX_EVENTS: Final = 1000
_BODY_FIELDS: Final = frozenset(("events", "record_only"))


class UsageEventFilter(django_filters.FilterSet):  # type: ignore[misc]  # it brings no types
    """Which events; `since` is inclusive, `until` exclusive, both on when the work happened."""

    model = django_filters.CharFilter(max_length=120)
    operation = django_filters.CharFilter(max_length=80)
    api_key = django_filters.CharFilter(field_name="api_key__key_id", max_length=20, label="The id of a key.")
    status = django_filters.ChoiceFilter(choices=UsageStatus.choices)
    basis = django_filters.ChoiceFilter(choices=Basis.choices)
    since = django_filters.IsoDateTimeFilter(field_name="occurred_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="occurred_at", lookup_expr="lt")

    class Meta:
        model = UsageEvent
        fields: list[str] = []


class UsageEvents(CallerView):
    """Events of the customer, newest first; and a batch of new ones."""

    scopes = {"GET": Scope.READ, "POST": Scope.SPEND}
    filterset_class = UsageEventFilter

    def get(self, request: Request) -> Response:
        query = read_query(request, CursorQuery, but=tuple(UsageEventFilter.base_filters))
        customer = self.acting_for()
        after, before = (
            _find_cursor(customer, query[name], field=name) if name in query else None
            for name in ("starting_after", "ending_before")
        )
        events, has_more = newest_events(
            events=filter_rows(request, UsageEventFilter, events_of(customer_id=customer.pk)),
            after=after,
            before=before,
            limit=query["limit"],
        )
        rows = [usage_event_shape(event, customer=customer) for event in events]
        return answer_list(request, rows=rows, has_more=has_more)

    def post(self, request: Request) -> Response:
        events, is_record_only = _read_batch(request.data)
        key = caller_key(request)
        if is_record_only and (key is None or not key.has_scope(Scope.CUSTOMERS)):
            raise ScopeMissing(scope=Scope.CUSTOMERS)
        customer = self.acting_for()
        recorder = Recorder(
            customer_id=customer.pk, api_key=key, placed_by=placed_by(request), is_work_done=is_record_only
        )

        def record() -> Answer:
            return Answer(200, batch_shape(record_events(recorder=recorder, events=events), customer=customer))

        return answer_once(request, scope=customer_scope(customer), act=record, is_required=False)


class OneUsageEvent(CallerView):
    """One event of the customer's; those of others do not exist."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request, event: str) -> Response:
        read_query(request, StrictSerializer)
        customer = self.acting_for()
        found = find_usage_event(customer_id=customer.pk, public_id=event)
        if found is None:
            raise NotFound("There is no such usage event.")
        return Response(usage_event_shape(found, customer=customer))


def _read_batch(body: Any) -> tuple[list[object], bool]:
    """The events, still unread, and whether the work is to be recorded whatever the balance says.

    Raises:
        InvalidRequest: with the field, its fault and what to send.
    """
    remedy = f"Send an object with 1 to {MAX_EVENTS} events."
    if not isinstance(body, Mapping):
        raise InvalidRequest(field="body", fault="it is not an object", remedy=remedy)
    if unknown := sorted(str(name) for name in body.keys() - _BODY_FIELDS):
        raise InvalidRequest(field=make_storable(unknown[0][:80]), fault="there is no such field", remedy=remedy)
    events, is_record_only = body.get("events"), body.get("record_only", False)
    if not isinstance(events, list) or not 1 <= len(events) <= MAX_EVENTS:
        count = f"there are {len(events)}" if isinstance(events, list) else "it is not a list"
        raise InvalidRequest(field="events", fault=count, remedy=remedy)
    if not isinstance(is_record_only, bool):
        raise InvalidRequest(field="record_only", fault="it is neither true nor false", remedy="Send true or false.")
    return events, is_record_only


def _find_cursor(customer: BillingCustomer, public_id: str, *, field: str) -> UsageEvent:
    event = find_usage_event(customer_id=customer.pk, public_id=public_id)
    if event is None:
        raise InvalidRequest(
            field=field, fault="there is no such usage event", remedy="Send the id of an event of this list: use_…."
        )
    return event
