"""Customers of a product that bills through us: made and read with keys of the scope `customers`."""

from __future__ import annotations

import re
from typing import Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey, Scope
from billing.api.base import CallerView, read_body, read_query
from billing.api.callers import caller_key, find_named_customer
from billing.api.idempotency import Answer, answer_once
from billing.api.parsing import StrictSerializer, TextField
from billing.api.shapes import customer_shape
from billing.errors import ScopeMissing
from billing.services.customers import create_external_customer

_EXTERNAL_ID: Final = re.compile(r"(?!cust_)[!-~]+", re.ASCII)  # it travels in a header, and must not look like ours


class CustomerBody(StrictSerializer):
    """What the product calls its customer, and where receipts go."""

    external_id = TextField(max_length=255)
    email = TextField(max_length=254, required=False)

    def validate_external_id(self, value: str) -> str:
        if not _EXTERNAL_ID.fullmatch(value):
            raise serializers.ValidationError("Send visible ASCII characters without spaces, not beginning with cust_.")
        return value

    def validate_email(self, value: str) -> str:
        checked: str = serializers.EmailField(max_length=254).run_validation(value)
        return checked


class Customers(CallerView):
    """201 with a new customer, 200 with the one that has this `external_id` already.

    An e-mail address that is sent replaces the one kept; without one it stays.
    """

    scopes = {"POST": Scope.CUSTOMERS}

    def post(self, request: Request) -> Response:
        key = key_for_customers(request)
        body = read_body(request, CustomerBody)

        def make() -> Answer:
            customer, is_new = create_external_customer(external_id=body["external_id"], email=body.get("email"))
            return Answer(201 if is_new else 200, customer_shape(customer))

        return answer_once(request, scope=f"key:{key.key_id}", act=make, is_required=False)


class OneCustomer(CallerView):
    """A customer by our id or by the product's."""

    scopes = {"GET": Scope.CUSTOMERS}

    def get(self, request: Request, customer: str) -> Response:
        key_for_customers(request)
        read_query(request, StrictSerializer)
        return Response(customer_shape(find_named_customer(name=customer)))


def key_for_customers(request: Request) -> ApiKey:
    """The API key of the request, which may act for any customer; sessions may not.

    Raises:
        ScopeMissing: it is a session's.
    """
    key = caller_key(request)
    if key is None or not key.has_scope(Scope.CUSTOMERS):
        raise ScopeMissing(scope=Scope.CUSTOMERS)
    return key
