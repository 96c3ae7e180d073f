"""Rows for the pages' tests: entries by the service, payments with the facts that a test needs."""

import itertools
from decimal import Decimal
from typing import Any

from billing.kinds import EntryKind
from billing.models import BillingCustomer, LedgerEntry, Payment
from billing.services.posting import Posting, post

_numbers = itertools.count(1)


def add_entry(
    customer: BillingCustomer, amount: str, *, kind: EntryKind = EntryKind.PROMOTION, **fields: Any
) -> LedgerEntry:
    """One entry of so many credits, with a key of its own."""
    return post(
        posting=Posting(
            customer_id=customer.pk, kind=kind, amount=Decimal(amount), key=f"test:{next(_numbers)}", **fields
        )
    )


def make_payment(customer: BillingCustomer, **fields: Any) -> Payment:
    """A custom payment of $10.00 for 10,000 credits; `fields` are the facts that Stripe has told."""
    number = next(_numbers)
    terms = {
        "kind": "custom",
        "form_key": f"form-{number}:embedded_page",
        "description": "10,000 credits",
        "credits": Decimal(10_000),
        "amount_minor": 1000,
        "currency": "usd",
        "stripe_idempotency_key": f"checkout-{number}",
        "checkout_session_id": f"cs_test_{number}",
    }
    return Payment.objects.create(customer=customer, **{**terms, **fields})


def fill_ledger(customer: BillingCustomer, *, count: int) -> None:
    """So many entries, the first one large enough for the rest."""
    add_entry(customer, "100000", description="Start")
    for number in range(count - 1):
        add_entry(customer, "-1.5", kind=EntryKind.USAGE, description=f"Request {number}")
