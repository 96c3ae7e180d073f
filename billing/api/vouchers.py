"""`POST /api/v1/vouchers/redeem`: a voucher's credits, once."""

from __future__ import annotations

from hashlib import sha256

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_body
from billing.api.callers import customer_scope
from billing.api.idempotency import Answer, answer_once, read_idempotency_key
from billing.api.parsing import StrictSerializer, TextField
from billing.api.shapes import redemption_shape
from billing.errors import IdempotencyConflict
from billing.models import BillingCustomer
from billing.services.vouchers import redeem_voucher
from billing.views.checkout import hash_address


class RedeemBody(StrictSerializer):
    """The code as people type it: capitals, blanks and dashes do not matter."""

    code = TextField(max_length=100)


class RedeemVoucher(CallerView):
    """201 with the use of the voucher, and the entry that brings its credits."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> Response:
        code = read_body(request, RedeemBody)["code"]
        customer = self.acting_for()
        key = read_idempotency_key(request)
        network_hash = hash_address(request._request)

        def redeem() -> Answer:
            return redeem_once(customer=customer, code=code, key=key, network_hash=network_hash)

        # Not in one transaction with the answer: a code that brings nothing is counted although it is refused.
        return answer_once(request, scope=customer_scope(customer), act=redeem, is_atomic=False)


def redeem_once(*, customer: BillingCustomer, code: str, key: str, network_hash: str) -> Answer:
    """The use of this key; it is remembered for ever, when its answer is no longer kept."""
    request_key = f"api:{sha256(key.encode()).hexdigest()}"  # keys may be longer than the column
    try:
        redeemed = redeem_voucher(customer=customer, code=code, request_key=request_key, network_hash=network_hash)
    except IdempotencyConflict:
        raise IdempotencyConflict(key=key) from None
    redeemed.redemption.customer = customer
    return Answer(201, redemption_shape(redeemed.redemption), is_replay=redeemed.is_replay)
