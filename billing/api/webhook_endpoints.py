"""Endpoints of webhooks for programs: made, listed, read and deleted, and what was sent to each.

A key of the scope `customers` that names no customer speaks of the installation's endpoints, which are sent the events
of all customers.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audited import record_act
from accounts.models import Scope
from billing.api.base import CallerView, read_body, read_query
from billing.api.callers import HEADER, caller_key, caller_user, customer_scope
from billing.api.idempotency import Answer, answer_once
from billing.api.lists import ListQuery, answer_list
from billing.api.parsing import StrictSerializer, TextField
from billing.api.shapes import time_shape
from billing.errors import InvalidRequest
from billing.models import BillingCustomer, WebhookDelivery, WebhookEndpoint
from billing.selectors.webhooks import page_of_deliveries
from billing.services.webhook_endpoints import (
    NewSecret,
    create_endpoint,
    delete_endpoint,
    find_endpoint,
)


class WebhookEndpointBody(StrictSerializer):
    """Where to send, and what."""

    url = TextField(max_length=2000)
    events = serializers.ListField(child=TextField(max_length=40), min_length=1, max_length=100)
    description = TextField(max_length=200, required=False, allow_blank=True)


class EndpointsView(CallerView):
    """What the addresses of endpoints share."""

    def owner(self, request: Request) -> BillingCustomer | None:
        """Whose endpoints the request is about; None for those of the installation."""
        key = caller_key(request)
        if key is not None and key.has_scope(Scope.CUSTOMERS) and HEADER not in request.headers:
            return None
        return self.acting_for()


class WebhookEndpoints(EndpointsView):
    """All of them, newest first; and a new one, whose secret is in the first answer alone."""

    scopes = {"GET": Scope.READ, "POST": Scope.SPEND}

    def get(self, request: Request) -> Response:
        query = read_query(request, ListQuery)
        rows = WebhookEndpoint.objects.filter(customer=self.owner(request), deleted_at__isnull=True)
        rows = rows.select_related("customer").order_by("-pk")
        if "starting_after" in query:
            rows = rows.filter(pk__lt=_find_start(rows, query["starting_after"]))
        found = list(rows[: query["limit"] + 1])
        page = found[: query["limit"]]
        return answer_list(request, rows=[endpoint_shape(row) for row in page], has_more=len(found) > len(page))

    def post(self, request: Request) -> Response:
        owner = self.owner(request)
        body = read_body(request, WebhookEndpointBody)
        made: list[NewSecret] = []

        def make() -> Answer:
            with transaction.atomic():
                new = create_endpoint(
                    customer=owner,
                    url=body["url"],
                    events=body["events"],
                    description=body.get("description", ""),
                    created_by=caller_user(request),
                )
                _tell_audit_log(request, new.endpoint, "add")
            made.append(new)
            return Answer(201, {**endpoint_shape(new.endpoint), "secret": None})

        key = caller_key(request)
        scope = customer_scope(owner) if owner else f"key:{key.key_id if key else ''}"
        response = answer_once(request, scope=scope, act=make, is_required=False)
        if made:  # answers are kept, and a secret must not be: one that is repeated has none
            response.data = {**response.data, "secret": made[0].secret}
        return response


class OneWebhookEndpoint(EndpointsView):
    """An endpoint, read and deleted."""

    scopes = {"GET": Scope.READ, "DELETE": Scope.SPEND}

    def get(self, request: Request, endpoint: str) -> Response:
        read_query(request, StrictSerializer)
        return Response(endpoint_shape(find_endpoint(public_id=endpoint, customer=self.owner(request))))

    def delete(self, request: Request, endpoint: str) -> Response:
        row = find_endpoint(public_id=endpoint, customer=self.owner(request))
        with transaction.atomic():
            _tell_audit_log(request, row, "delete")
            delete_endpoint(endpoint=row)
        return Response({"id": row.public_id, "object": "webhook_endpoint", "deleted": True})


class WebhookDeliveries(EndpointsView):
    """What was sent to an endpoint, newest first."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request, endpoint: str) -> Response:
        query = read_query(request, ListQuery)
        row = find_endpoint(public_id=endpoint, customer=self.owner(request))
        start = None
        if "starting_after" in query:
            start = _find_start(WebhookDelivery.objects.filter(endpoint=row), query["starting_after"])
        page, next_before = page_of_deliveries(endpoint=row, before_id=start, limit=query["limit"])
        rows = [delivery_shape(delivery, endpoint=row) for delivery in page]
        return answer_list(request, rows=rows, has_more=next_before is not None)


def endpoint_shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint without its secret; `customer` is null where it is sent the events of all."""
    return {
        "id": endpoint.public_id,
        "object": "webhook_endpoint",
        "customer": endpoint.customer.public_id if endpoint.customer else None,
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.events,
        "enabled": endpoint.is_enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "failing_since": time_shape(endpoint.failing_since) if endpoint.failing_since else None,
        "created_at": time_shape(endpoint.created_at),
    }


def delivery_shape(delivery: WebhookDelivery, *, endpoint: WebhookEndpoint) -> dict[str, Any]:
    """A message with what came of its last try."""
    attempts = sorted(delivery.attempts.all(), key=lambda attempt: attempt.pk)
    last = attempts[-1] if attempts else None
    return {
        "id": delivery.public_id,
        "object": "webhook_delivery",
        "endpoint": endpoint.public_id,
        "message": delivery.message_id,
        "event": delivery.event,
        "state": str(delivery.state),
        "tries": delivery.tries,
        "next_try_at": time_shape(delivery.next_try_at) if delivery.next_try_at else None,
        "last_status": last.status if last else None,
        "last_error": (last.error or None) if last else None,
        "created_at": time_shape(delivery.created_at),
        "ended_at": time_shape(delivery.ended_at) if delivery.ended_at else None,
    }


def _find_start(rows: Any, name: str) -> int:
    found = rows.filter(public_id=name).values_list("pk", flat=True).first() if "\0" not in name else None
    if found is None:
        raise InvalidRequest(
            field="starting_after", fault="there is no such row", remedy="Send the id of the last row that you have."
        )
    return int(found)


def _tell_audit_log(request: Request, endpoint: WebhookEndpoint, verb: str) -> None:
    """What is done to an endpoint of all customers is an act of staff."""
    if endpoint.customer_id is None:
        record_act(
            request=request._request,
            actor=caller_user(request),
            action=f"webhookendpoint.{verb}",
            target=endpoint,
            after={"host": endpoint.host, "key": getattr(caller_key(request), "key_id", None)},
        )
