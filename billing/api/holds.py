"""Holds: credits set aside for work in progress, then settled with its true cost or released.

A hold belongs to the API key (or the user) that placed it: to everybody else it does not exist.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_body, read_query
from billing.api.callers import customer_scope, placed_by
from billing.api.debits import DESCRIPTION_LENGTH
from billing.api.idempotency import Answer, answer_once, read_idempotency_key
from billing.api.parsing import CreditsField, StrictSerializer, TextField, WholeNumberField
from billing.api.shapes import hold_shape
from billing.errors import HoldNotFound
from billing.kinds import CALLER_KEY_PREFIX
from billing.models import BillingCustomer, CreditHold
from billing.selectors.holds import find_hold
from billing.services.holds import place_hold, release_hold, settle_hold

MAX_SECONDS: Final = 24 * 60 * 60


class HoldBody(StrictSerializer):
    """How much to set aside, and for how long at most."""

    amount = CreditsField()
    description = TextField(max_length=DESCRIPTION_LENGTH, allow_blank=True, default="")
    expires_in_seconds = WholeNumberField(min_value=1, max_value=MAX_SECONDS, required=False)


class SettleBody(StrictSerializer):
    """What the work cost: nothing, less or more than was set aside."""

    amount = CreditsField()
    description = TextField(max_length=DESCRIPTION_LENGTH, allow_blank=True, default="")


class Holds(CallerView):
    """201 with the hold."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> Response:
        body = read_body(request, HoldBody)
        seconds = body.pop("expires_in_seconds", None)
        customer = self.acting_for()
        key = read_idempotency_key(request)

        def place() -> Answer:
            hold = place_hold(
                customer_id=customer.pk,
                key=f"{CALLER_KEY_PREFIX}{key}",
                lifetime=None if seconds is None else timedelta(seconds=seconds),
                placed_by=placed_by(request),
                savepoint=False,
                **body,
            )
            return Answer(201, hold_shape(hold, customer=customer))

        return answer_once(request, scope=customer_scope(customer), act=place)


class OneHold(CallerView):
    """A hold that the caller placed."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request, hold: str) -> Response:
        read_query(request, StrictSerializer)
        customer = self.acting_for()
        found = find_hold(public_id=hold, customer_id=customer.pk, placed_by=placed_by(request))
        if found is None:
            raise HoldNotFound(hold=hold)
        return Response(hold_shape(found, customer=customer))


class SettleHold(CallerView):
    """200 with the settled hold; the same cost again changes nothing."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request, hold: str) -> Response:
        body = read_body(request, SettleBody)
        customer = self.acting_for()

        def settle() -> Answer:
            ended = settle_hold(hold=hold, placed_by=placed_by(request), savepoint=False, **body)
            return _answer(ended.hold, customer=customer)

        return answer_once(request, scope=customer_scope(customer), act=settle)


class ReleaseHold(CallerView):
    """200 with the released hold; releasing it again changes nothing."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request, hold: str) -> Response:
        read_body(request, StrictSerializer)
        customer = self.acting_for()

        def release() -> Answer:
            with transaction.atomic():  # without a key there is none around
                return _answer(release_hold(hold=hold, placed_by=placed_by(request)), customer=customer)

        return answer_once(request, scope=customer_scope(customer), act=release, is_required=False)


def _answer(hold: CreditHold, *, customer: BillingCustomer) -> Answer:
    """The ended hold. It was ended inside the database transaction that a refusal rolls back.

    Raises:
        HoldNotFound: it is another customer's than the request is about.
    """
    if hold.customer_id != customer.pk:
        raise HoldNotFound(hold=hold.public_id)
    body: dict[str, Any] = hold_shape(hold, customer=customer)
    return Answer(200, body)
