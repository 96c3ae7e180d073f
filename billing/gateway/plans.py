"""The calls about subscriptions and their invoices."""

from typing import Any

import stripe

from billing.gateway.facts import PriceFacts, ProductFacts, SessionFacts
from billing.gateway.faults import stripe_errors_as_ours
from billing.gateway.parsing import PAYMENT_METADATA_KEY, parse_price, parse_product, parse_session
from billing.gateway.plan_facts import PlanInvoiceFacts, SubscriptionFacts
from billing.gateway.plan_parsing import has_credit_notes, invoice_of, parse_plan_invoice, parse_subscription

_ROWS_AT_ONCE = 100


class PlanCalls:
    """Part of `StripeGateway`; what it says of errors and idempotency keys holds here."""

    _client: stripe.StripeClient

    def retrieve_subscription(self, *, subscription_id: str) -> SubscriptionFacts:
        """A subscription as it is now, with the change that waits for the end of its period."""
        with stripe_errors_as_ours():
            found = self._client.v1.subscriptions.retrieve(subscription_id, {"expand": ["schedule"]})
        return parse_subscription(found.to_dict())

    def list_subscriptions_of(self, *, customer_id: str) -> list[SubscriptionFacts]:
        """All subscriptions of a customer, ended ones too."""
        with stripe_errors_as_ours():
            pages = self._client.v1.subscriptions.list({"customer": customer_id, "status": "all", "limit": 100})
            return [parse_subscription(one.to_dict()) for one in pages.auto_paging_iter()]

    def retrieve_plan_invoice(self, *, invoice_id: str, with_void_notes: bool = False) -> PlanInvoiceFacts:
        """An invoice as it is now, with its payments and all its lines: an event carries the first ten.

        It comes with its credit notes if one of them stands; `with_void_notes` asks for them in any case.
        """
        with stripe_errors_as_ours():
            invoice = self._client.v1.invoices.retrieve(invoice_id, {"expand": ["payments"]}).to_dict()
            lines = invoice["lines"]["data"]
            if invoice["lines"]["has_more"]:
                listed = self._client.v1.invoices.line_items.list(invoice_id, {"limit": _ROWS_AT_ONCE})
                lines = [line.to_dict() for line in listed.auto_paging_iter()]
            notes: list[Any] = []
            if with_void_notes or has_credit_notes(invoice):
                found = self._client.v1.credit_notes.list({"invoice": invoice_id, "limit": _ROWS_AT_ONCE})
                notes = [note.to_dict() for note in found.auto_paging_iter()]
        return parse_plan_invoice(invoice, lines=lines, notes=notes)

    def retrieve_invoice_of_credit_note(self, *, credit_note_id: str) -> str:
        """The id of the invoice that a credit note belongs to."""
        with stripe_errors_as_ours():
            return invoice_of(self._client.v1.credit_notes.retrieve(credit_note_id).to_dict())

    def find_invoice_of_intent(self, *, payment_intent_id: str) -> str:
        """The id of the invoice that a payment intent pays; empty where it pays none."""
        named: Any = {"type": "payment_intent", "payment_intent": payment_intent_id}
        with stripe_errors_as_ours():
            found = self._client.v1.invoice_payments.list({"payment": named, "limit": 1})
        return invoice_of(found.data[0].to_dict()) if found.data else ""

    def retrieve_invoice_of_payment(self, *, invoice_payment_id: str) -> str:
        """The id of the invoice that an invoice payment belongs to."""
        with stripe_errors_as_ours():
            return invoice_of(self._client.v1.invoice_payments.retrieve(invoice_payment_id).to_dict())

    def retrieve_card_fingerprint(self, *, payment_method_id: str) -> str:
        """Stripe's name for a card, the same whoever uses it; empty for what is no card."""
        with stripe_errors_as_ours():
            method: Any = self._client.v1.payment_methods.retrieve(payment_method_id).to_dict()
        return str((method.get("card") or {}).get("fingerprint") or "")

    def create_plan_session(
        self,
        *,
        payment_reference: str,
        customer_id: str,
        price_id: str,
        trial_days: int,
        ui_mode: str,
        return_url: str,
        cancel_url: str,
        takes_codes: bool,
        is_taxed: bool,
        idempotency_key: str,
    ) -> SessionFacts:
        """A new checkout of a subscription to one seat at a price.

        `return_url` holds `{CHECKOUT_SESSION_ID}`. The subscription exists once it is paid; both it and the session
        name our payment, because events carry only one of them.
        """
        metadata = {PAYMENT_METADATA_KEY: payment_reference}
        addresses = (
            {"return_url": return_url}
            if ui_mode == "embedded_page"
            else {"success_url": return_url, "cancel_url": cancel_url}
        )
        # Credits follow lines before their discounts, so discounts of prorations must stand beside them.
        # https://docs.stripe.com/billing/subscriptions/billing-mode (2026-10-28.endive)
        itemized = {"type": "flexible", "flexible": {"proration_discounts": "itemized"}}
        subscription: dict[str, Any] = {"metadata": metadata, "billing_mode": itemized}
        if trial_days:
            subscription["trial_period_days"] = trial_days
        params: dict[str, Any] = {
            "mode": "subscription",
            "ui_mode": ui_mode,
            "customer": customer_id,
            "client_reference_id": payment_reference,
            "metadata": metadata,
            "subscription_data": subscription,
            "line_items": [{"price": price_id, "quantity": 1}],
            "allow_promotion_codes": takes_codes,
            **addresses,
        }
        if is_taxed:
            params |= {"automatic_tax": {"enabled": True}, "customer_update": {"address": "auto", "name": "auto"}}
            params |= {"tax_id_collection": {"enabled": True}}
        with stripe_errors_as_ours():
            created = self._client.v1.checkout.sessions.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_session(created.to_dict())

    def create_plan_product(self, *, name: str, reference: str, idempotency_key: str) -> ProductFacts:
        """A new product that names our plan as `reference`."""
        params: dict[str, Any] = {"name": name, "metadata": {"plan": reference}}
        with stripe_errors_as_ours():
            created = self._client.v1.products.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_product(created.to_dict())

    def create_recurring_price(
        self, *, product_id: str, amount_minor: int, currency: str, interval: str, reference: str, idempotency_key: str
    ) -> PriceFacts:
        """A new price of a product, paid by the month or the year."""
        params: dict[str, Any] = {
            "product": product_id,
            "unit_amount": amount_minor,
            "currency": currency,
            "recurring": {"interval": interval},
            "metadata": {"plan": reference},
        }
        with stripe_errors_as_ours():
            created = self._client.v1.prices.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_price(created.to_dict())
