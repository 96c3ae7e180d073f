"""Payment methods. Attaching them for later payments belongs here too."""

from sandbox.stripe.calls import Call
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id, random_word

_DELAYED_TYPES = {"usd": "us_bank_account", "gbp": "bacs_debit", "aud": "au_becs_debit", "cad": "acss_debit"}


def delayed_type_of(currency: str) -> str:
    """The bank debit that Stripe offers in a currency."""
    return _DELAYED_TYPES.get(currency, "sepa_debit")


def new_payment_method(sandbox: Sandbox, *, kind: str, details: Resource, billing: Resource) -> Resource:
    """A new payment method, saved; it is attached to nobody and pays once."""
    payment_method: Resource = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing,
        "created": sandbox.now(),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: details,
    }
    sandbox.store.put(payment_method)
    return payment_method


def card_details(*, number: str, exp_month: int, exp_year: int) -> Resource:
    """A card as a payment method shows it."""
    brand = {"4": "visa", "5": "mastercard", "3": "amex"}.get(number[:1], "unknown")
    return {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": random_word(16),
        "funding": "credit",
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def billing_details(*, email: str | None, name: str | None) -> Resource:
    """Who pays, as charges and payment methods show it."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {"address": address, "email": email, "name": name, "phone": None, "tax_id": None}


def retrieve_payment_method(call: Call) -> Resource:
    """A payment method."""
    return call.find("payment_method")
