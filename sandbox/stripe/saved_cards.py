"""The levers for cards that are charged later, without the customer."""

from datetime import UTC, datetime

from sandbox.stripe.charging.attempts import Taking
from sandbox.stripe.charging.intent_calls import authenticate_intent
from sandbox.stripe.checkout.cards import known_card
from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.payment_methods import (
    attach_payment_method,
    billing_details,
    card_details,
    detach_payment_method,
    new_card,
)
from sandbox.stripe.records import Resource, public


class SavedCardLevers:
    """A part of ``Control``."""

    sandbox: Sandbox

    def save_card(
        self, customer_id: str, *, card: str = "4242424242424242", authenticated: bool = False, default: bool = False
    ) -> Resource:
        """Attach a card to a customer without a payment. Returns the payment method.

        ``authenticated`` sets it up for payments without the customer; ``default`` makes it pay the invoices.
        """
        chosen = known_card("".join(card.split()), today=datetime.now(UTC).date())
        with self.sandbox.work():
            customer = require_customer(self.sandbox, customer_id)
            billing = billing_details(email=customer["email"], name=customer["name"])
            saved = new_card(
                self.sandbox,
                number=chosen.number,
                exp_month=chosen.exp_month,
                exp_year=chosen.exp_year,
                billing=billing,
            )
            saved["_is_set_up"] = authenticated
            attach_payment_method(self.sandbox, saved, customer_id=customer_id)
            if default:
                settings = {**customer["invoice_settings"], "default_payment_method": saved["id"]}
                changed = {**customer, "invoice_settings": settings}
                save_change(self.sandbox, changed, before=customer, event_type="customer.updated")
            return public(saved)

    def change_card(self, payment_method_id: str, *, card: str) -> Resource:
        """Let a saved card behave like another from now on, as after its bank blocked it. Returns it."""
        chosen = known_card("".join(card.split()), today=datetime.now(UTC).date())
        with self.sandbox.work():
            saved = self.sandbox.require("payment_method", payment_method_id)
            before = dict(saved)
            details = card_details(number=chosen.number, exp_month=chosen.exp_month, exp_year=chosen.exp_year)
            saved |= {"card": details, "_number": chosen.number, "_is_set_up": False}
            save_change(self.sandbox, saved, before=before, event_type="payment_method.automatically_updated")
            return public(saved)

    def detach_card(self, payment_method_id: str) -> Resource:
        """Take a card from its customer, as somebody does at Stripe's dashboard. Returns it."""
        with self.sandbox.work():
            saved = self.sandbox.require("payment_method", payment_method_id)
            detach_payment_method(self.sandbox, saved)
            return public(saved)

    def authenticate_intent(self, intent_id: str, *, succeed: bool = True) -> Taking:
        """Do what a customer does who comes back for a payment that must be authenticated."""
        with self.sandbox.work():
            return authenticate_intent(self.sandbox, intent_id, succeed=succeed)
