"""Invoices to be credited, for the tests: of $19, open or paid."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.shop import Shop


class Notes:
    """A customer with a card, invoices of theirs, and credit notes of them."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.control, self.client = shop, shop.control, shop.client
        self.customer = self.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id
        self.card = self.control.save_card(self.customer)["id"]

    def draft(self, *, amount: int = 1900, **more: Any) -> stripe.Invoice:
        """A draft of one item."""
        self.client.v1.invoice_items.create({"customer": self.customer, "amount": amount, "currency": "usd"})
        params: Any = {"customer": self.customer, "pending_invoice_items_behavior": "include", **more}
        return self.client.v1.invoices.create(params)

    def open(self, *, amount: int = 1900, **more: Any) -> stripe.Invoice:
        """An invoice that waits for its payment."""
        return self.client.v1.invoices.finalize_invoice(self.draft(amount=amount, **more).id)

    def pay(self, invoice: stripe.Invoice, **params: Any) -> stripe.Invoice:
        """The invoice, paid by the card."""
        return self.client.v1.invoices.pay(invoice.id, params or {"payment_method": self.card})  # type: ignore[arg-type]

    def paid(self, **more: Any) -> stripe.Invoice:
        """An invoice that was paid by the card."""
        return self.pay(self.open(**more))

    def issue(self, invoice: stripe.Invoice, **params: Any) -> stripe.CreditNote:
        """A credit note."""
        return self.client.v1.credit_notes.create({"invoice": invoice.id, **params})  # type: ignore[typeddict-item]

    def refuse(self, invoice: stripe.Invoice, **params: Any) -> stripe.InvalidRequestError:
        """Why a credit note is refused; nothing has happened then."""
        before = len(self.shop.event_types())
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            self.issue(invoice, **params)
        assert refusal.value.http_status == 400
        assert len(self.shop.event_types()) == before
        return refusal.value

    def read(self, invoice: stripe.Invoice) -> stripe.Invoice:
        """An invoice as it is now, with its payments."""
        return self.client.v1.invoices.retrieve(invoice.id, {"expand": ["payments"]})

    def intent_of(self, invoice: stripe.Invoice) -> stripe.PaymentIntent:
        """The payment intent of an invoice."""
        payments = self.read(invoice).payments
        assert payments
        return self.client.v1.payment_intents.retrieve(str(payments.data[0].payment.payment_intent))

    def refund(self, invoice: stripe.Invoice, amount: int) -> stripe.Refund:
        """A refund that is made apart from notes."""
        return self.client.v1.refunds.create({"payment_intent": self.intent_of(invoice).id, "amount": amount})

    def balance(self) -> int:
        """The balance of the customer."""
        return self.client.v1.customers.retrieve(self.customer).balance or 0
