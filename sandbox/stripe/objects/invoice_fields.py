"""What all invoices have in common, be they receipts of checkouts, of subscriptions or made by requests."""

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource


def common_fields(sandbox: Sandbox, *, invoice_id: str, customer_id: str, currency: str) -> Resource:
    """What every invoice is made with."""
    now = sandbox.now()
    return {
        "id": invoice_id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "amount_paid_off_stripe": 0,
        "attempt_count": 0,
        "created": now,
        "currency": currency,
        "customer": customer_id,
        "default_payment_method": None,
        "due_date": None,
        "issuer": {"type": "self"},
        "livemode": False,
        "next_payment_attempt": None,
        "period_end": now,
        "period_start": now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "webhooks_delivered_at": now,
        **_unused_fields(),
    }


def transitions(*, finalized_at: int | None = None, paid_at: int | None = None) -> Resource:
    """When an invoice became what it is."""
    return {
        "finalized_at": finalized_at,
        "marked_uncollectible_at": None,
        "paid_at": paid_at,
        "voided_at": None,
    }


def _unused_fields() -> Resource:
    """What invoices have at Stripe and never have here: shipping, other accounts, revisions."""
    return {
        "account_tax_ids": None,
        "amount_overpaid": 0,
        "amount_shipping": 0,
        "application": None,
        "automatically_finalizes_at": None,
        "custom_fields": None,
        "customer_shipping": None,
        "default_source": None,
        "default_tax_rates": [],
        "from_invoice": None,
        "last_finalization_error": None,
        "latest_revision": None,
        "on_behalf_of": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "statement_descriptor": None,
        "test_clock": None,
    }
