"""`POST /api/v1/quotes`: what work would cost, before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from accounts.models import Scope
from billing.api.base import CallerView, read_body
from billing.api.parsing import StrictSerializer, TextField, WholeNumberField
from billing.api.shapes import time_shape
from billing.models import BillingCustomer
from billing.money import CREDIT_STEP
from billing.selectors.prices import charge_for_operation
from usage.services.calls import MAX_QUANTITY
from usage.services.quoting import Quote, credits_per_thousand, quote_call, quote_operation
from usage.services.reported_usage import MAX_TOKENS
from usage.services.tokens import count_message_tokens

MAX_ANSWERS: Final = 128
_OF_CALLS: Final = ("messages", "input_tokens", "max_tokens", "answers")


class MessageField(serializers.JSONField):
    """A message as OpenAI's API takes it, or just its text."""

    def to_internal_value(self, data: Any) -> Any:
        message: Any = super().to_internal_value(data)
        if not isinstance(message, dict | str):
            raise ValidationError("Send an object or a text.")
        return message


class QuoteBody(StrictSerializer):
    """Either a call of a model with its messages or the number of its input tokens, or an operation."""

    model = TextField(max_length=120, required=False)
    messages = serializers.ListField(child=MessageField(), min_length=1, max_length=10_000, required=False)
    input_tokens = WholeNumberField(min_value=0, max_value=MAX_TOKENS, required=False)
    max_tokens = WholeNumberField(min_value=1, max_value=MAX_TOKENS, required=False)
    answers = WholeNumberField(min_value=1, max_value=MAX_ANSWERS, required=False, help_text="OpenAI's `n`.")
    operation = TextField(max_length=80, required=False)
    quantity = WholeNumberField(min_value=1, max_value=MAX_QUANTITY, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("model" in attrs) == ("operation" in attrs):
            raise ValidationError({"model": ["Send a model or an operation, one of the two."]})
        strangers = ("quantity",) if "model" in attrs else _OF_CALLS
        if faults := {name: ["It does not belong to what is asked for."] for name in strangers if name in attrs}:
            raise ValidationError(faults)
        if "model" in attrs and ("messages" in attrs) == ("input_tokens" in attrs):
            raise ValidationError({"input_tokens": ["Send messages or input_tokens, one of the two."]})
        return attrs


class Quotes(CallerView):
    """200 with estimate, worst case and price; nothing is held, so no idempotency key is needed."""

    scopes = {"POST": Scope.READ}

    def post(self, request: Request) -> Response:
        wish = read_body(request, QuoteBody)
        customer = self.acting_for()
        now = timezone.now()
        if "operation" in wish:
            quote = quote_operation(
                customer_id=customer.pk, operation=wish["operation"], quantity=wish.get("quantity", 1), now=now
            )
        else:
            quote = quote_call(
                customer_id=customer.pk,
                model=wish["model"],
                input_tokens=_input_tokens(wish),
                max_tokens=wish.get("max_tokens"),
                answers=wish.get("answers", 1),
                now=now,
            )
        return Response(quote_shape(quote, customer=customer))


def quote_shape(quote: Quote, *, customer: BillingCustomer) -> dict[str, Any]:
    """A quote. `held` is what would be set aside now; `covered` says whether that is there."""
    call = quote.call
    return {
        "object": "quote",
        "customer": customer.public_id,
        "model": call.model if call else None,
        "operation": quote.operation.operation if quote.operation else None,
        "quantity": quote.quantity,
        "input_tokens": call.input_tokens if call else None,
        "expected_output_tokens": call.expected_output_tokens if call else None,
        "worst_output_tokens": call.worst_output_tokens if call else None,
        "estimate": str(quote.estimate.quantize(CREDIT_STEP)),
        "worst_case": str(quote.worst_case.quantize(CREDIT_STEP)),
        "held": str(quote.held.quantize(CREDIT_STEP)),
        "spendable": str(quote.spendable.quantize(CREDIT_STEP)),
        "covered": quote.is_covered,
        "price": _price_shape(quote),
    }


def _price_shape(quote: Quote) -> dict[str, Any]:
    """What the customer pays: for a thousand tokens of each sort and a request, or for an operation done once."""
    if quote.call is not None:
        version = quote.call.price
        sorts = {sort: str(credits) for sort, credits in credits_per_thousand(version).items()}
        return {
            "name": version.model,
            "effective_from": time_shape(version.effective_from),
            "credits_per_1k_input_tokens": sorts["input"],
            "credits_per_1k_cached_input_tokens": sorts["cached_input"],
            "credits_per_1k_output_tokens": sorts["output"],
            "credits_per_request": sorts["request"],
        }
    if quote.operation is None:
        raise RuntimeError("A quote is for a call or for an operation.")
    return {
        "name": quote.operation.operation,
        "effective_from": time_shape(quote.operation.effective_from),
        "credits_each": str(charge_for_operation(version=quote.operation, quantity=1).credits.quantize(CREDIT_STEP)),
    }


def _input_tokens(wish: Mapping[str, Any]) -> int:
    if "input_tokens" in wish:
        return int(wish["input_tokens"])
    return count_message_tokens(wish["messages"], model=wish["model"])
