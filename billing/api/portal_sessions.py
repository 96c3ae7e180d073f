"""`POST /api/v1/portal-sessions`: a way into Stripe's portal for the customer."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing import conf
from billing.api.base import CallerView, read_body
from billing.api.callers import customer_scope
from billing.api.idempotency import Answer, answer_once
from billing.api.parsing import StrictSerializer, TextField
from billing.services.gateway import configured_gateway
from billing.services.portal import Flow, open_portal
from billing.views.checkout import hash_address


class PortalBody(StrictSerializer):
    """What to begin with, and where the portal leads back to."""

    flow = serializers.ChoiceField(choices=[flow.value for flow in Flow], default=Flow.MANAGE.value)
    plan = TextField(max_length=50, required=False, help_text="What `change_plan` changes to; else it is chosen there.")
    return_url = TextField(max_length=500, required=False, help_text="Starts with http:// or https://.")

    def validate_return_url(self, value: str) -> str:
        """An address that a browser can be sent to."""
        try:
            parts = urlsplit(value)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            is_address = False
        if not is_address or not value.isascii() or any(mark.isspace() for mark in value):
            raise serializers.ValidationError("Send an address that starts with http:// or https://.")
        return value


class PortalSessions(CallerView):
    """201 with the address to send the customer's browser to, within the hour; it is theirs alone."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> Response:
        body = read_body(request, PortalBody)
        customer = self.acting_for()

        def open_session() -> Answer:
            session = open_portal(
                customer=customer,
                flow=Flow(body["flow"]),
                plan=body.get("plan", ""),
                return_url=body.get("return_url") or conf.site_url() + reverse("billing:plans"),
                network_hash=hash_address(request._request),
                gateway=configured_gateway(),
            )
            return Answer(201, {"object": "portal_session", "url": session.url})

        return answer_once(
            request, scope=customer_scope(customer), act=open_session, is_required=False, is_atomic=False
        )
