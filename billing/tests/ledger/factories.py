"""Customers and payments for tests of the ledger; everything else is made by the ledger itself."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal

from billing.models import BillingCustomer, CreditBalance, Payment, PaymentKind

_numbers = itertools.count(1)


def make_customer(*, overdraft_limit: Decimal | int = 0) -> BillingCustomer:
    customer = BillingCustomer.objects.create()
    CreditBalance.objects.create(customer=customer, overdraft_limit=overdraft_limit)
    return customer


def make_payment(*, customer: BillingCustomer, credits: Decimal | int, amount_minor: int = 1000) -> Payment:
    """A paid payment whose entries a test posts itself."""
    number = next(_numbers)
    return Payment.objects.create(
        customer=customer,
        kind=PaymentKind.CUSTOM,
        form_key=f"form-{number}",
        description="Test pack",
        credits=credits,
        amount_minor=amount_minor,
        currency="usd",
        stripe_idempotency_key=f"key-{customer.pk}-{number}",
        paid_at=datetime(2026, 1, 1, tzinfo=UTC),
        paid_amount_minor=amount_minor,
        paid_currency="usd",
    )
