"""`POST /api/v1/admin/credits`: staff give, take or write off credits."""

from __future__ import annotations

from hashlib import sha256

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.network import client_address
from billing.api.base import StaffView, read_body
from billing.api.idempotency import read_idempotency_key, replay_header
from billing.api.parsing import CreditsField, StrictSerializer, TextField
from billing.api.shapes import adjustment_shape
from billing.errors import IdempotencyConflict
from billing.models import ReasonCode
from billing.selectors.customers import find_customer
from billing.services.adjustments import MAY_REQUEST, request_adjustment


class CreditsBody(StrictSerializer):
    """What is asked for; a negative amount takes credits."""

    customer = TextField(max_length=320)
    amount = CreditsField(is_signed=True)
    reason_code = serializers.ChoiceField(choices=ReasonCode.choices)
    note = TextField(max_length=500)
    ticket = TextField(max_length=500, allow_blank=True, default="")


class StaffCredits(StaffView):
    """201 with what was posted, 202 with what waits for a second person."""

    permission = MAY_REQUEST

    def post(self, request: Request) -> Response:
        key = read_idempotency_key(request)
        body = read_body(request, CreditsBody)
        customer = find_customer(name=body.pop("customer"))
        try:
            asked = request_adjustment(
                customer=customer,
                form_key=f"api:{sha256(key.encode()).hexdigest()}",  # keys may be longer than the column
                actor=self.caller(),
                address=client_address(request._request),
                **body,
            )
        except IdempotencyConflict:
            raise IdempotencyConflict(key=key) from None
        return Response(
            adjustment_shape(asked.adjustment),
            status=202 if asked.adjustment.needs_approval else 201,
            headers=replay_header(is_replay=asked.is_replay),
        )
