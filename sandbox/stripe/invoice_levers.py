"""The levers for invoices that wait: drafts, unpaid ones, and how failures are followed up."""

from datetime import UTC, datetime

from sandbox.stripe.charging.attempts import Taking
from sandbox.stripe.checkout.cards import known_card
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.payment_methods import billing_details, new_card
from sandbox.stripe.records import Resource, public
from sandbox.stripe.subscriptions.collecting import authenticate_invoice
from sandbox.stripe.subscriptions.dunning import collect_and_follow, follow_payment, follow_release
from sandbox.stripe.subscriptions.invoicing import finalize_invoice, payment_of, void_invoice, write_off_invoice
from sandbox.stripe.subscriptions.policy import DunningPolicy, LastStep, save_policy


class InvoiceLevers:
    """A part of ``Control``."""

    sandbox: Sandbox

    def pay_open_invoice(
        self, invoice_id: str, *, card: str | None = "4242424242424242", authenticate: bool | None = True
    ) -> Taking:
        """Do what a customer does on the page of an open invoice; with ``card=None`` the saved card is tried again.

        A payment that waits for authentication is authenticated, or fails it, or with None goes on waiting.
        """
        with self.sandbox.work():
            invoice = self.sandbox.require("invoice", invoice_id)
            if authenticate is not None and self._waits(invoice):
                taking = authenticate_invoice(self.sandbox, invoice, succeed=authenticate)
                follow_payment(self.sandbox, invoice, is_paid=taking.outcome == "paid")
                return taking
            payment_method = self._typed_card(invoice, card) if card else None
            taking = collect_and_follow(self.sandbox, invoice, payment_method=payment_method)
        if taking.outcome == "asks_authentication" and card and authenticate is not None:
            return self.pay_open_invoice(invoice_id, authenticate=authenticate)
        return taking

    def finalize_draft(self, invoice_id: str) -> Resource:
        """Finalize an invoice that was kept as a draft, and collect it. Returns it."""
        with self.sandbox.work():
            invoice = self.sandbox.require("invoice", invoice_id)
            finalize_invoice(self.sandbox, invoice)
            collect_and_follow(self.sandbox, invoice)
            return public(invoice)

    def void_invoice(self, invoice_id: str) -> Resource:
        """Void an open invoice. Returns it."""
        with self.sandbox.work():
            invoice = self.sandbox.require("invoice", invoice_id)
            void_invoice(self.sandbox, invoice)
            follow_release(self.sandbox, invoice)
            return public(invoice)

    def write_off_invoice(self, invoice_id: str) -> Resource:
        """Mark an open invoice as uncollectible. Returns it."""
        with self.sandbox.work():
            invoice = self.sandbox.require("invoice", invoice_id)
            write_off_invoice(self.sandbox, invoice)
            follow_release(self.sandbox, invoice)
            return public(invoice)

    def waits_for_authentication(self, invoice_id: str) -> bool:
        """Whether the payment of an invoice waits for its customer to say that it is them."""
        with self.sandbox.work():
            return self._waits(self.sandbox.require("invoice", invoice_id))

    def set_dunning(
        self, *, retry_days: list[int] | tuple[int, ...] = (1, 3, 5, 7), then: LastStep = "canceled"
    ) -> None:
        """After how many days a failed invoice is tried again, and what its subscription becomes after the last try."""
        with self.sandbox.work():
            save_policy(self.sandbox, DunningPolicy(tuple(retry_days), then))

    def _waits(self, invoice: Resource) -> bool:
        if invoice["status"] != "open" or invoice["amount_remaining"] == 0:
            return False
        intent = self.sandbox.store.get(payment_of(self.sandbox, invoice)["payment"]["payment_intent"] or "") or {}
        return bool(intent.get("status") == "requires_action")

    def _typed_card(self, invoice: Resource, number: str) -> Resource:
        card = known_card("".join(number.split()), today=datetime.now(UTC).date())
        billing = billing_details(email=invoice["customer_email"], name=invoice["customer_name"])
        return new_card(
            self.sandbox, number=card.number, exp_month=card.exp_month, exp_year=card.exp_year, billing=billing
        )
