"""Every call to Stripe that the product makes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import stripe

from billing.gateway.billing_details import BillingDetailsCalls
from billing.gateway.facts import (
    CustomerFacts,
    EventEnvelope,
    PaymentIntentFacts,
    PriceFacts,
    ProductFacts,
    SessionFacts,
)
from billing.gateway.faults import stripe_errors_as_ours
from billing.gateway.invoicing import InvoicingCalls
from billing.gateway.listing import ListingCalls
from billing.gateway.money_back import MoneyBackCalls
from billing.gateway.parsing import (
    PAYMENT_METADATA_KEY,
    parse_customer,
    parse_payment_intent,
    parse_price,
    parse_product,
    parse_session,
)
from billing.gateway.plans import PlanCalls
from billing.gateway.portal import PortalCalls
from billing.gateway.saved_cards import SavedCardCalls
from billing.gateway.signatures import verify_webhook

API_VERSION = "2026-10-28.endive"
TIMEOUT_SECONDS = 10
MAX_NETWORK_RETRIES = 2

# A checkout with Stripe Tax asks where the buyer lives, and a business for its number. The address and the name that
# are typed in stay with the customer: Stripe computes nothing without the one and takes no number without the other.
# https://docs.stripe.com/tax/checkout (2026-10-28.endive)
TAX_PARAMS: dict[str, Any] = {
    "automatic_tax": {"enabled": True},
    "billing_address_collection": "required",
    "customer_update": {"address": "auto", "name": "auto"},
    "tax_id_collection": {"enabled": True},
}

stripe.enable_telemetry = False

UiMode = Literal["embedded_page", "hosted_page"]
# A key is kept for 24 hours at least: https://docs.stripe.com/api/idempotent_requests (2026-10-28.endive). A call of
# the last one could arrive when it is forgotten; from then on an unknown outcome is looked up, never asked for again.
KEY_LIFETIME = timedelta(hours=23)


class StripeGateway(
    SavedCardCalls, InvoicingCalls, PortalCalls, BillingDetailsCalls, MoneyBackCalls, ListingCalls, PlanCalls
):
    """Stripe, as far as we need it. Each call may raise `StripeRefused`, `StripeObjectMissing` or `StripeUnavailable`.

    Every POST takes an idempotency key, derived by the caller from its own row and stored before the call.
    Never called inside a database transaction.
    """

    def __init__(
        self,
        *,
        secret_key: str,
        api_base: str,
        webhook_secrets: Sequence[str] = (),
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_network_retries: int = MAX_NETWORK_RETRIES,
    ) -> None:
        self.webhook_secrets = tuple(webhook_secrets)
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base},
            max_network_retries=max_network_retries,
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
        )

    def verify_webhook(self, *, body: bytes, header: str) -> EventEnvelope:
        """The event in a delivery, once it is proved to be Stripe's. Makes no call.

        Raises:
            WebhookRefused: see `billing.gateway.signatures`.
        """
        return verify_webhook(body=body, header=header, secrets=self.webhook_secrets)

    def create_customer(self, *, email: str, reference: str, idempotency_key: str) -> CustomerFacts:
        """A new customer at Stripe that names ours as `reference`."""
        params: dict[str, Any] = {"email": email, "metadata": {"customer_id": reference}}
        with stripe_errors_as_ours():
            created = self._client.v1.customers.create(params, _options(idempotency_key))  # type: ignore[arg-type]
        return parse_customer(created.to_dict())

    def create_checkout_session(
        self,
        *,
        payment_reference: str,
        customer_id: str,
        line_item: Mapping[str, Any],
        ui_mode: UiMode,
        return_url: str,
        cancel_url: str,
        description: str,
        takes_codes: bool,
        is_taxed: bool,
        idempotency_key: str,
        saves_card: bool = False,
    ) -> SessionFacts:
        """A new checkout for one line item, made by `price_line` or `amount_line`.

        `return_url` holds `{CHECKOUT_SESSION_ID}`, which Stripe fills in; an embedded page is cancelled by leaving it.
        `takes_codes` lets the buyer use promotion codes. `is_taxed` lets Stripe Tax add what is due, see `TAX_PARAMS`.
        `saves_card` keeps what is paid with for payments without the customer, who must have agreed to them.
        """
        metadata = {PAYMENT_METADATA_KEY: payment_reference}
        addresses = (
            {"return_url": return_url}
            if ui_mode == "embedded_page"
            else {"success_url": return_url, "cancel_url": cancel_url}
        )
        params: dict[str, Any] = {
            "mode": "payment",
            "ui_mode": ui_mode,
            "customer": customer_id,
            "client_reference_id": payment_reference,
            "metadata": metadata,
            # A session's metadata does not reach its intent, and refunds and disputes name the intent alone.
            "payment_intent_data": {
                "metadata": metadata,
                "description": description,
                **({"setup_future_usage": "off_session"} if saves_card else {}),
            },
            "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
            "line_items": [dict(line_item)],
            "allow_promotion_codes": takes_codes,
            **addresses,
        }
        if is_taxed:
            params |= TAX_PARAMS
        with stripe_errors_as_ours():
            created = self._client.v1.checkout.sessions.create(params, _options(idempotency_key))  # type: ignore[arg-type]
        return parse_session(created.to_dict())

    def retrieve_session(self, *, session_id: str) -> SessionFacts:
        """A checkout session as it is now."""
        with stripe_errors_as_ours():
            return parse_session(self._client.v1.checkout.sessions.retrieve(session_id).to_dict())

    def expire_session(self, *, session_id: str, idempotency_key: str) -> SessionFacts:
        """An open session, ended. A session that is no longer open is refused."""
        with stripe_errors_as_ours():
            ended = self._client.v1.checkout.sessions.expire(session_id, {}, _options(idempotency_key))
        return parse_session(ended.to_dict())

    def list_sessions_of_customer(self, *, customer_id: str) -> Iterator[SessionFacts]:
        """A customer's checkout sessions, newest first, read from Stripe page by page as they are asked for."""
        with stripe_errors_as_ours():
            pages = self._client.v1.checkout.sessions.list({"customer": customer_id, "limit": 100})
            for session in pages.auto_paging_iter():
                yield parse_session(session.to_dict())

    def find_session_of_intent(self, *, payment_intent_id: str) -> SessionFacts | None:
        """The checkout session that made a payment intent."""
        with stripe_errors_as_ours():
            found = self._client.v1.checkout.sessions.list({"payment_intent": payment_intent_id, "limit": 1})
        return parse_session(found.data[0].to_dict()) if found.data else None

    def retrieve_payment_intent(self, *, payment_intent_id: str) -> PaymentIntentFacts:
        """A payment intent as it is now, with its latest charge."""
        with stripe_errors_as_ours():
            intent = self._client.v1.payment_intents.retrieve(payment_intent_id, {"expand": ["latest_charge"]})
        return parse_payment_intent(intent.to_dict())

    def create_product(self, *, name: str, reference: str, idempotency_key: str) -> ProductFacts:
        """A new product that names our pack as `reference`."""
        params: dict[str, Any] = {"name": name, "metadata": {"pack": reference}}
        with stripe_errors_as_ours():
            created = self._client.v1.products.create(params, _options(idempotency_key))  # type: ignore[arg-type]
        return parse_product(created.to_dict())

    def retrieve_product(self, *, product_id: str) -> ProductFacts:
        """A product as it is now."""
        with stripe_errors_as_ours():
            return parse_product(self._client.v1.products.retrieve(product_id).to_dict())

    def create_price(
        self, *, product_id: str, amount_minor: int, currency: str, reference: str, idempotency_key: str
    ) -> PriceFacts:
        """A new one-time price of a product."""
        params: dict[str, Any] = {
            "product": product_id,
            "unit_amount": amount_minor,
            "currency": currency,
            "metadata": {"pack": reference},
        }
        with stripe_errors_as_ours():
            created = self._client.v1.prices.create(params, _options(idempotency_key))  # type: ignore[arg-type]
        return parse_price(created.to_dict())

    def retrieve_price(self, *, price_id: str) -> PriceFacts:
        """A price as it is now."""
        with stripe_errors_as_ours():
            return parse_price(self._client.v1.prices.retrieve(price_id).to_dict())

    def deactivate_price(self, *, price_id: str, idempotency_key: str) -> PriceFacts:
        """A price that nobody can buy at any more; Stripe keeps it for what was sold."""
        with stripe_errors_as_ours():
            ended = self._client.v1.prices.update(price_id, {"active": False}, _options(idempotency_key))
        return parse_price(ended.to_dict())


def price_line(*, price_id: str) -> dict[str, Any]:
    """One piece at a price of Stripe's catalog."""
    return {"price": price_id, "quantity": 1}


def amount_line(*, amount_minor: int, currency: str, name: str) -> dict[str, Any]:
    """One piece at an amount of our own."""
    return {
        "price_data": {"currency": currency, "unit_amount": amount_minor, "product_data": {"name": name}},
        "quantity": 1,
    }


def is_our_release(api_version: str) -> bool:
    """Whether objects written in that API version have our shapes: a release's monthly versions add, never change."""
    return api_version.partition(".")[2] == API_VERSION.partition(".")[2]


def _options(idempotency_key: str) -> stripe.RequestOptions:
    if not idempotency_key:
        raise ValueError("A POST to Stripe needs an idempotency key.")
    return {"idempotency_key": idempotency_key}
