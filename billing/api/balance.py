"""`GET /api/v1/balance`: what the customer has, and what happened last."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final

from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_query
from billing.api.parsing import StrictSerializer
from billing.api.shapes import entry_shape, time_shape
from billing.models import BillingCustomer
from billing.money import CREDIT_STEP
from billing.selectors.balances import Balance, read_balance, read_next_expiry
from billing.selectors.entries import page_of_entries

RECENT_ENTRIES: Final = 5


class CustomerBalance(CallerView):
    """The balance, with an `ETag`: whoever asks often sends it back and gets 304 while nothing has changed."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request) -> HttpResponseBase:
        read_query(request, StrictSerializer)
        body = balance_shape(self.acting_for())
        etag = f'"{sha256(json.dumps(body).encode()).hexdigest()[:32]}"'
        response = Response(body, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
        answer = get_conditional_response(request._request, etag=etag, response=response)
        return response if answer is None else answer


def balance_shape(customer: BillingCustomer) -> dict[str, Any]:
    """What the customer has now. `available` is never below zero; what is owed is the `debt`."""
    now = timezone.now()
    balance = read_balance(customer_id=customer.pk, now=now)
    if balance is None:
        raise RuntimeError(f"The customer {customer.public_id} has no balance.")
    entries = page_of_entries(customer_id=customer.pk, limit=RECENT_ENTRIES).entries
    for entry in entries:
        entry.customer = customer
    return {
        "object": "balance",
        "posted": str(balance.posted.quantize(CREDIT_STEP)),
        "held": str(balance.held.quantize(CREDIT_STEP)),
        "available": str(balance.available.quantize(CREDIT_STEP)),
        "debt": str(balance.debt.quantize(CREDIT_STEP)),
        "frozen": balance.is_frozen,
        "low": balance.is_low,
        "next_expiry": _next_expiry(balance),
        "recent_entries": [entry_shape(entry) for entry in entries],
    }


def _next_expiry(balance: Balance) -> dict[str, str] | None:
    if balance.next_expiry_at is None:
        return None
    expiry = read_next_expiry(customer_id=balance.customer_id, now=balance.as_of)
    return None if expiry is None else {"amount": str(expiry.amount), "at": time_shape(expiry.at)}
