"""The calls about cards that are saved with a customer, and about taking money from them while nobody is there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe

from billing.gateway.facts import PaymentIntentFacts
from billing.gateway.faults import stripe_errors_as_ours, taking_money
from billing.gateway.parsing import (
    PAYMENT_METADATA_KEY,
    _amount,
    _id,
    _mapping,
    _moment,
    _text,
    parse_payment_intent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """A payment method: what people may see of a card. Of another kind it is the type and little more."""

    id: str
    type: str  # card, us_bank_account, link …
    customer_id: str  # empty once it was detached: it can never be used again
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    fingerprint: str  # the same for the same card, whoever saved it
    created_at: datetime | None


class SavedCardCalls:
    """Part of `StripeGateway`; what it says of errors and idempotency keys holds here."""

    _client: stripe.StripeClient

    def create_off_session_intent(
        self,
        *,
        customer_id: str,
        payment_method_id: str,
        amount_minor: int,
        currency: str,
        payment_reference: str,
        description: str,
        idempotency_key: str,
    ) -> PaymentIntentFacts:
        """Take money from a saved card now. The intent names our payment, so that its events and refunds find it.

        https://docs.stripe.com/payments/save-and-reuse (2026-10-28.endive). A status other than `succeeded` (a debit
        is `processing`) is no failure: its events tell the end.

        Raises:
            PaymentDeclined, PaymentNeedsAuthentication: nothing was taken, and this key will always say so.
            StripeRefused: nothing was taken; Stripe did not even ask the bank.
            StripeUnavailable: whether money was taken is unknown. Ask again with the same key within 24 hours, later
                look it up with `find_intents_of`.
        """
        if not idempotency_key:
            raise ValueError("A POST to Stripe needs an idempotency key.")
        params: dict[str, Any] = {
            "amount": amount_minor,
            "currency": currency,
            "customer": customer_id,
            "payment_method": payment_method_id,
            "off_session": True,
            "confirm": True,
            "description": description,
            "metadata": {PAYMENT_METADATA_KEY: payment_reference},
            "expand": ["latest_charge"],
        }
        with taking_money():
            created = self._client.v1.payment_intents.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_payment_intent(created.to_dict())

    def cancel_intent(self, *, payment_intent_id: str, idempotency_key: str) -> PaymentIntentFacts:
        """A payment intent by which nothing can be taken any more. One that was paid or canceled is refused."""
        with stripe_errors_as_ours():
            ended = self._client.v1.payment_intents.cancel(
                payment_intent_id, {"cancellation_reason": "abandoned"}, {"idempotency_key": idempotency_key}
            )
        return parse_payment_intent(ended.to_dict())

    def find_intents_of(self, *, customer_id: str, created_after: datetime) -> Iterator[PaymentIntentFacts]:
        """A customer's payment intents from that moment on, newest first: where an attempt of unknown outcome shows."""
        params: dict[str, Any] = {
            "customer": customer_id,
            "created": {"gte": int(created_after.timestamp())},
            "limit": 100,
            "expand": ["data.latest_charge"],
        }
        with stripe_errors_as_ours():
            for intent in self._client.v1.payment_intents.list(params).auto_paging_iter():  # type: ignore[arg-type]
                yield parse_payment_intent(intent.to_dict())

    def list_cards(self, *, customer_id: str) -> list[CardFacts]:
        """The cards that are saved with a customer, newest first."""
        with stripe_errors_as_ours():
            found = self._client.v1.payment_methods.list({"customer": customer_id, "type": "card", "limit": 100})
            return [parse_card(card.to_dict()) for card in found.auto_paging_iter()]

    def retrieve_card(self, *, payment_method_id: str) -> CardFacts:
        """A payment method as it is now."""
        with stripe_errors_as_ours():
            return parse_card(self._client.v1.payment_methods.retrieve(payment_method_id).to_dict())

    def detach_card(self, *, payment_method_id: str, idempotency_key: str) -> CardFacts:
        """A card that can never be used again. One that belongs to nobody any more is refused."""
        with stripe_errors_as_ours():
            ended = self._client.v1.payment_methods.detach(payment_method_id, {}, {"idempotency_key": idempotency_key})
        return parse_card(ended.to_dict())


def parse_card(payment_method: Mapping[str, Any]) -> CardFacts:
    """Facts of a payment method."""
    kind = _text(payment_method.get("type"))[:40]
    details = _mapping(payment_method.get(kind))
    return CardFacts(
        id=_id(payment_method.get("id")),
        type=kind,
        customer_id=_id(payment_method.get("customer")),
        brand=_text(details.get("display_brand") or details.get("brand"))[:40],
        last4=_text(details.get("last4"))[:4],
        exp_month=_amount(details.get("exp_month")),
        exp_year=_amount(details.get("exp_year")),
        fingerprint=_text(details.get("fingerprint"))[:100],
        created_at=_moment(payment_method.get("created")),
    )
