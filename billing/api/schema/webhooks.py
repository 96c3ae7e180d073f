"""Endpoints of webhooks in the schema. Importing this enters them."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from billing.api.lists import ListQuery
from billing.api.parsing import StrictSerializer
from billing.api.schema.examples import AT, CUSTOMER_ID, LIST
from billing.api.schema.operations import Operation, describe
from billing.api.schema.shapes import kind_of_object, list_of
from billing.api.webhook_endpoints import OneWebhookEndpoint, WebhookDeliveries, WebhookEndpointBody, WebhookEndpoints
from billing.models import DeliveryState

_TAG: Final = "Webhooks"
_ID: Final = "whe_5c7e9g1j3m5p7r9t1w3y"
_ENDPOINT: Final[dict[str, Any]] = {
    "id": _ID,
    "object": "webhook_endpoint",
    "customer": CUSTOMER_ID,
    "url": "https://hooks.example.com/prepaid",
    "description": "Books",
    "events": ["balance.low", "credits.granted"],
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "created_at": AT,
}
_DELIVERY: Final[dict[str, Any]] = {
    "id": "whd_2b4d6f8h0k2n4q6s8v0x",
    "object": "webhook_delivery",
    "endpoint": _ID,
    "message": "evt_9f1h3k5n7q9s1x3z5b7d",
    "event": "balance.low",
    "state": "delivered",
    "tries": 1,
    "next_try_at": None,
    "last_status": 200,
    "last_error": None,
    "created_at": AT,
    "ended_at": AT,
}
_PATH: Final = {
    "endpoint": {"type": "string", "minLength": 1, "pattern": "^[0-9A-Za-z_-]+$", "description": "Its id: `whe_…`."}
}


class WebhookEndpoint(StrictSerializer):
    """An address that is sent events."""

    id = serializers.CharField()
    object = kind_of_object("webhook_endpoint")
    customer = serializers.CharField(allow_null=True, help_text="Null where it is sent the events of all customers.")
    url = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    events = serializers.ListField(child=serializers.CharField())
    enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True, help_text="The first failure since the last success.")
    created_at = serializers.DateTimeField()


class NewWebhookEndpoint(WebhookEndpoint):
    """A new endpoint with its secret."""

    secret = serializers.CharField(allow_null=True, help_text="`whsec_…`, this once; null in an answer repeated.")


class DeletedWebhookEndpoint(StrictSerializer):
    """An endpoint that is gone."""

    id = serializers.CharField()
    object = kind_of_object("webhook_endpoint")
    deleted = serializers.BooleanField()


class WebhookDelivery(StrictSerializer):
    """A message to an endpoint."""

    id = serializers.CharField()
    object = kind_of_object("webhook_delivery")
    endpoint = serializers.CharField()
    message = serializers.CharField(help_text="The header `webhook-id`: the same for all tries and endpoints.")
    event = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in DeliveryState])
    tries = serializers.IntegerField(min_value=0)
    next_try_at = serializers.DateTimeField(allow_null=True)
    last_status = serializers.IntegerField(allow_null=True, help_text="What the endpoint answered last.")
    last_error = serializers.CharField(allow_null=True, help_text="Why there was no answer.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it was delivered or given up.")


describe(
    WebhookEndpoints,
    get=Operation(
        name="list_webhook_endpoints",
        tag=_TAG,
        summary="Where events are sent",
        description="Endpoints, newest first, without their secrets. A key with the scope `customers` that names no "
        "customer lists those that are sent the events of all.",
        answers={200: list_of(WebhookEndpoint, "WebhookEndpointList")},
        example={**LIST, "url": "/api/v1/webhook-endpoints", "data": [_ENDPOINT]},
        query=ListQuery,
    ),
    post=Operation(
        name="create_webhook_endpoint",
        tag=_TAG,
        summary="Send events to an address",
        description="An https address of a public host. The secret by which requests are verified is in the first "
        "answer alone; one that is repeated has `null` there. docs/webhooks.md lists the events.",
        answers={201: NewWebhookEndpoint},
        example={**_ENDPOINT, "secret": "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
        body=WebhookEndpointBody,
        body_example={
            "url": "https://hooks.example.com/prepaid",
            "events": ["balance.low", "credits.granted"],
            "description": "Books",
        },
        problems=(409,),
        takes_key=True,
    ),
)
describe(
    OneWebhookEndpoint,
    get=Operation(
        name="read_webhook_endpoint",
        tag=_TAG,
        summary="One endpoint",
        description="Without its secret, which can be rotated on its page.",
        answers={200: WebhookEndpoint},
        example=_ENDPOINT,
        path=_PATH,
    ),
    delete=Operation(
        name="delete_webhook_endpoint",
        tag=_TAG,
        summary="Send nothing more",
        description="The endpoint is gone with its log; what waits is not sent.",
        answers={200: DeletedWebhookEndpoint},
        example={"id": _ID, "object": "webhook_endpoint", "deleted": True},
        path=_PATH,
    ),
)
describe(
    WebhookDeliveries,
    get=Operation(
        name="list_webhook_deliveries",
        tag=_TAG,
        summary="What was sent to an endpoint",
        description="Messages of the last 30 days, newest first, each with what came of its last try.",
        answers={200: list_of(WebhookDelivery, "WebhookDeliveryList")},
        example={**LIST, "url": f"/api/v1/webhook-endpoints/{_ID}/deliveries", "data": [_DELIVERY]},
        query=ListQuery,
        path=_PATH,
    ),
)
