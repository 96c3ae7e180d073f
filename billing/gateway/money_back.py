"""The calls about money that goes back: refunds, disputes, early fraud warnings."""

from collections.abc import Iterator
from typing import Any

import stripe

from billing.gateway.facts import DisputeFacts, FraudWarningFacts, RefundFacts
from billing.gateway.faults import stripe_errors_as_ours
from billing.gateway.parsing import (
    PAYMENT_METADATA_KEY,
    REFUND_REQUEST_METADATA_KEY,
    parse_dispute,
    parse_fraud_warning,
    parse_refund,
)

# A dispute carries up to two balance transactions (API 2026-10-28); where there were more, they are listed.
_MOVEMENTS_CARRIED = 2
_WITH_FAILURE = ["data.failure_balance_transaction"]


class MoneyBackCalls:
    """Part of `StripeGateway`; what it says of errors and idempotency keys holds here."""

    _client: stripe.StripeClient

    def create_refund(
        self,
        *,
        payment_intent_id: str,
        amount_minor: int,
        payment_reference: str,
        request_reference: str,
        idempotency_key: str,
    ) -> RefundFacts:
        """A new refund of a part or the whole of what a payment intent collected; it names our payment and request."""
        params: dict[str, Any] = {
            "payment_intent": payment_intent_id,
            "amount": amount_minor,
            "reason": "requested_by_customer",
            "metadata": {PAYMENT_METADATA_KEY: payment_reference, REFUND_REQUEST_METADATA_KEY: request_reference},
        }
        with stripe_errors_as_ours():
            created = self._client.v1.refunds.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_refund(created.to_dict())

    def retrieve_refund(self, *, refund_id: str) -> RefundFacts:
        """A refund as it is now."""
        with stripe_errors_as_ours():
            found = self._client.v1.refunds.retrieve(refund_id, {"expand": ["failure_balance_transaction"]})
        return parse_refund(found.to_dict())

    def list_refunds_of(self, *, payment_intent_id: str = "", charge_id: str = "") -> Iterator[RefundFacts]:
        """All refunds of a payment intent, or of a charge, newest first."""
        named = {"payment_intent": payment_intent_id} if payment_intent_id else {"charge": charge_id}
        params: dict[str, Any] = {**named, "limit": 100, "expand": _WITH_FAILURE}
        with stripe_errors_as_ours():
            for refund in self._client.v1.refunds.list(params).auto_paging_iter():  # type: ignore[arg-type]
                yield parse_refund(refund.to_dict())

    def retrieve_dispute(self, *, dispute_id: str) -> DisputeFacts:
        """A dispute as it is now, with all that it moved."""
        with stripe_errors_as_ours():
            found = self._client.v1.disputes.retrieve(dispute_id).to_dict()
            if len(found.get("balance_transactions") or []) >= _MOVEMENTS_CARRIED:
                moved = self._client.v1.balance_transactions.list({"source": dispute_id, "limit": 100})
                found["balance_transactions"] = [one.to_dict() for one in moved.auto_paging_iter()]
        return parse_dispute(found)

    def list_disputes_of(self, *, payment_intent_id: str) -> Iterator[DisputeFacts]:
        """All disputes of a payment intent, each with all that it moved."""
        with stripe_errors_as_ours():
            found = self._client.v1.disputes.list({"payment_intent": payment_intent_id, "limit": 100})
            for dispute in found.auto_paging_iter():
                yield self.retrieve_dispute(dispute_id=dispute.id)

    def retrieve_fraud_warning(self, *, warning_id: str) -> FraudWarningFacts:
        """An early fraud warning as it is now."""
        with stripe_errors_as_ours():
            found = self._client.v1.radar.early_fraud_warnings.retrieve(warning_id)
        return parse_fraud_warning(found.to_dict())
