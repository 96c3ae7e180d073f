"""`POST /api/v1/debits`: spend credits at once."""

from __future__ import annotations

from decimal import Decimal

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_body
from billing.api.callers import customer_scope, placed_by
from billing.api.idempotency import Answer, answer_once, read_idempotency_key
from billing.api.parsing import CreditsField, StrictSerializer, TextField
from billing.api.shapes import entry_shape
from billing.models import BillingCustomer
from billing.services.debits import debit_credits

DESCRIPTION_LENGTH = 500


class DebitBody(StrictSerializer):
    """How much, and for what: the customer reads it in the ledger."""

    amount = CreditsField()
    description = TextField(max_length=DESCRIPTION_LENGTH)


class Debits(CallerView):
    """201 with the ledger entry that takes the credits."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> Response:
        body = read_body(request, DebitBody)
        customer = self.acting_for()
        key = read_idempotency_key(request)

        def debit() -> Answer:
            return debit_once(customer=customer, key=key, placed_by=placed_by(request), **body)

        return answer_once(request, scope=customer_scope(customer), act=debit)


def debit_once(*, customer: BillingCustomer, amount: Decimal, description: str, key: str, placed_by: str) -> Answer:
    """The entry of a debit; the ledger remembers the key for ever, when its answer is no longer kept."""
    outcome = debit_credits(
        customer_id=customer.pk, amount=amount, key=key, placed_by=placed_by, description=description
    )
    outcome.entry.customer = customer
    return Answer(201, entry_shape(outcome.entry), is_replay=outcome.is_replay)
