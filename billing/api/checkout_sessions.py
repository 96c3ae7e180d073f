"""`POST /api/v1/checkout-sessions`: open a checkout at Stripe for a pack or a plan."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import uuid4

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_body
from billing.api.callers import customer_scope
from billing.api.idempotency import HEADER, Answer, answer_once, read_idempotency_key
from billing.api.parsing import StrictSerializer, TextField
from billing.errors import IdempotencyConflict, InvalidRequest
from billing.gateway.client import UiMode
from billing.models import BillingCustomer
from billing.services.checkout import StartedCheckout, start_checkout
from billing.services.gateway import configured_gateway
from billing.services.orders import order_pack
from billing.services.plan_checkout import start_plan_checkout
from billing.views.checkout import checkout_pages, hash_address, render_checkout

_UI_MODES: dict[str, UiMode] = {"embedded": "embedded_page", "hosted": "hosted_page"}


class CheckoutBody(StrictSerializer):
    """What to buy, and where it is paid: in a page of the product's own, or on Stripe's."""

    pack = TextField(max_length=50, required=False, help_text="The slug of a pack; this, or a plan.")
    plan = TextField(max_length=50, required=False, help_text="The slug of a plan; this, or a pack.")
    ui_mode = serializers.ChoiceField(choices=sorted(_UI_MODES), default="embedded")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One thing is bought at a time."""
        if ("pack" in attrs) == ("plan" in attrs):
            raise serializers.ValidationError({"pack": ["Send a pack or a plan: one of the two."]})
        return attrs


class CheckoutSessions(CallerView):
    """201 with a `client_secret` for Stripe's script, or with the `url` of Stripe's page where `ui_mode` is hosted."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> Response:
        body = read_body(request, CheckoutBody)
        customer = self.acting_for()
        ui_mode = _UI_MODES[body["ui_mode"]]
        key = read_idempotency_key(request) if HEADER in request.headers else uuid4().hex
        network_hash = hash_address(request._request)

        def open_checkout() -> Answer:
            started = _start(customer=customer, body=body, ui_mode=ui_mode, key=key, network_hash=network_hash)
            return Answer(201, dict(render_checkout(started)))

        return answer_once(
            request, scope=customer_scope(customer), act=open_checkout, is_required=False, is_atomic=False
        )


def _start(
    *, customer: BillingCustomer, body: dict[str, Any], ui_mode: UiMode, key: str, network_hash: str
) -> StartedCheckout:
    """The checkout of this key: asking again after any failure ends in the one session."""
    common: dict[str, Any] = {
        "customer": customer,
        "form_key": f"api:{sha256(key.encode()).hexdigest()}",  # keys may be longer than the column
        "ui_mode": ui_mode,
        "network_hash": network_hash,
        "pages": checkout_pages(),
        "gateway": configured_gateway(),
    }
    try:
        if "plan" in body:
            return start_plan_checkout(slug=body["plan"], **common)
        return start_checkout(order=order_pack(slug=body["pack"]), **common)
    except IdempotencyConflict:
        raise IdempotencyConflict(key=key) from None
    except InvalidRequest as refusal:
        if refusal.field != "form_key":
            raise
        raise InvalidRequest(field=HEADER, fault="the checkout of this key is over", remedy="Send a new key.") from None
