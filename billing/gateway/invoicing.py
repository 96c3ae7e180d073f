"""The calls about invoices of our own: a top-up on which tax is due is one, made, finalized and paid by us."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import stripe

from billing.errors import PaymentDeclined, StripeRefused, StripeUnavailable
from billing.gateway.faults import stripe_errors_as_ours, taking_money
from billing.gateway.parsing import PAYMENT_METADATA_KEY, _amount, _id, _mapping, _text

_WITH_PAYMENTS = ["payments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnInvoiceFacts:
    """An invoice of our own. Its intent does not name our payment: the invoice does."""

    id: str
    status: str  # draft, open, paid, void, uncollectible
    number: str
    payment_reference: str
    customer_id: str
    payment_intent_id: str  # empty while it is a draft, and where nothing was to be paid
    subtotal_minor: int | None  # before tax
    tax_minor: int
    total_minor: int | None
    amount_due_minor: int | None  # what a card is asked for: the total less the customer's balance
    amount_paid_minor: int | None
    credited_minor: int  # by credit notes before it was paid
    currency: str
    livemode: bool
    hosted_url: str = field(default="", repr=False)
    pdf_url: str = field(default="", repr=False)

    @property
    def asked_minor(self) -> int:
        """What it asks for, tax included, in money or from the customer's balance."""
        return (self.total_minor or 0) - self.credited_minor

    @property
    def is_collected(self) -> bool:
        """Whether somebody paid it: one that credit notes took all off is paid to Stripe, too, and brought nothing."""
        return self.status == "paid" and self.asked_minor > 0


class InvoicingCalls:
    """Part of `StripeGateway`; what it says of errors and idempotency keys holds here.

    One top-up is `create_invoice`, `add_invoice_item`, `finalize_invoice`, `pay_invoice`, each with a key of its own.
    An item names its draft, so no other invoice can take it.
    """

    _client: stripe.StripeClient

    def create_invoice(
        self,
        *,
        customer_id: str,
        currency: str,
        payment_reference: str,
        description: str,
        payment_method_id: str,
        is_taxed: bool,
        idempotency_key: str,
    ) -> OwnInvoiceFacts:
        """A new draft without lines that is never collected by itself."""
        params: dict[str, Any] = {
            "customer": customer_id,
            "currency": currency,
            "collection_method": "charge_automatically",
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "description": description,
            "default_payment_method": payment_method_id,
            "automatic_tax": {"enabled": is_taxed},
            "metadata": {PAYMENT_METADATA_KEY: payment_reference},
        }
        with stripe_errors_as_ours():
            made = self._client.v1.invoices.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return parse_own_invoice(made.to_dict())

    def add_invoice_item(
        self,
        *,
        invoice_id: str,
        customer_id: str,
        amount_minor: int,
        currency: str,
        description: str,
        payment_reference: str,
        idempotency_key: str,
    ) -> str:
        """One more line of a draft, at an amount of our own before tax. Returns the item's id."""
        params: dict[str, Any] = {
            "customer": customer_id,
            "invoice": invoice_id,
            "amount": amount_minor,
            "currency": currency,
            "description": description,
            "tax_behavior": "exclusive",
            "metadata": {PAYMENT_METADATA_KEY: payment_reference},
        }
        with stripe_errors_as_ours():
            made = self._client.v1.invoice_items.create(params, {"idempotency_key": idempotency_key})  # type: ignore[arg-type]
        return made.id

    def finalize_invoice(self, *, invoice_id: str, idempotency_key: str) -> OwnInvoiceFacts:
        """A draft made final: from now on it has a number, its tax, and a payment that it waits for.

        Raises:
            StripeRefused: it is no draft, or (`customer_tax_location_invalid`) tax is due where nobody knows.
        """
        params: Any = {"auto_advance": False, "expand": _WITH_PAYMENTS}
        with stripe_errors_as_ours():
            opened = self._client.v1.invoices.finalize_invoice(invoice_id, params, {"idempotency_key": idempotency_key})
        return parse_own_invoice(opened.to_dict())

    def pay_invoice(self, *, invoice_id: str, payment_method_id: str, idempotency_key: str) -> OwnInvoiceFacts:
        """Take what an open invoice asks for from a saved card now.

        Raises:
            PaymentDeclined, PaymentNeedsAuthentication: nothing was taken, and the invoice is still open; the intent
                is named where Stripe still answers.
            StripeRefused: nothing was taken now; `invoice_already_paid` says that it was before.
            StripeUnavailable: whether money was taken is unknown. `retrieve_invoice` tells.
        """
        params: Any = {"payment_method": payment_method_id, "off_session": True, "expand": _WITH_PAYMENTS}
        try:
            with taking_money():
                paid = self._client.v1.invoices.pay(invoice_id, params, {"idempotency_key": idempotency_key})
        except PaymentDeclined as refusal:
            self._complete(refusal, invoice_id, payment_method_id)
            raise
        return parse_own_invoice(paid.to_dict())

    def retrieve_invoice(self, *, invoice_id: str) -> OwnInvoiceFacts:
        """An invoice as it is now."""
        with stripe_errors_as_ours():
            found = self._client.v1.invoices.retrieve(invoice_id, {"expand": _WITH_PAYMENTS})
        return parse_own_invoice(found.to_dict())

    def void_invoice(self, *, invoice_id: str, idempotency_key: str) -> OwnInvoiceFacts:
        """An open invoice that nobody owes any more."""
        params: Any = {"expand": _WITH_PAYMENTS}
        with stripe_errors_as_ours():
            gone = self._client.v1.invoices.void_invoice(invoice_id, params, {"idempotency_key": idempotency_key})
        return parse_own_invoice(gone.to_dict())

    def delete_draft(self, *, invoice_id: str) -> None:
        """A draft that was never made final is gone, with its items."""
        with stripe_errors_as_ours():
            self._client.v1.invoices.delete(invoice_id)

    def _complete(self, refusal: PaymentDeclined, invoice_id: str, payment_method_id: str) -> None:
        """Say which intent failed, which Stripe leaves out of what it says of an invoice."""
        refusal.payment_method_id = refusal.payment_method_id or payment_method_id
        if not refusal.payment_intent_id:
            with suppress(StripeRefused, StripeUnavailable):  # that nothing was taken is known without it
                refusal.payment_intent_id = self.retrieve_invoice(invoice_id=invoice_id).payment_intent_id


def parse_own_invoice(invoice: Mapping[str, Any]) -> OwnInvoiceFacts:
    """Facts of an invoice, its payments expanded."""
    taxes = invoice.get("total_taxes")
    amounts = [_amount(_mapping(tax).get("amount")) for tax in taxes] if isinstance(taxes, list) else []
    payments = _mapping(invoice.get("payments")).get("data")
    latest = _mapping(payments[0]) if isinstance(payments, list) and payments else {}
    return OwnInvoiceFacts(
        id=_id(invoice.get("id")),
        status=_text(invoice.get("status"))[:30],
        number=_text(invoice.get("number"))[:100],
        payment_reference=_id(_mapping(invoice.get("metadata")).get(PAYMENT_METADATA_KEY)),
        customer_id=_id(invoice.get("customer")),
        payment_intent_id=_id(_mapping(latest.get("payment")).get("payment_intent")),
        subtotal_minor=_amount(invoice.get("subtotal")),
        tax_minor=sum(amount for amount in amounts if amount is not None),
        total_minor=_amount(invoice.get("total")),
        amount_due_minor=_amount(invoice.get("amount_due")),
        amount_paid_minor=_amount(invoice.get("amount_paid")),
        credited_minor=_amount(invoice.get("pre_payment_credit_notes_amount")) or 0,
        currency=_text(invoice.get("currency")).lower(),
        livemode=invoice.get("livemode") is True,
        hosted_url=_text(invoice.get("hosted_invoice_url")),
        pdf_url=_text(invoice.get("invoice_pdf")),
    )
