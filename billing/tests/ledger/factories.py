"""Customers and payments for tests of the ledger; everything else is made by the ledger itself."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Sum
from django.utils import timezone

from billing.models import (
    BillingCustomer,
    CreditBalance,
    LedgerEntry,
    MoneyMovement,
    Payment,
    PaymentKind,
    PaymentRefund,
)

_numbers = itertools.count(1)


def make_customer(*, overdraft_limit: Decimal | int = 0) -> BillingCustomer:
    customer = BillingCustomer.objects.create()
    CreditBalance.objects.create(customer=customer, overdraft_limit=overdraft_limit)
    return customer


def make_payment(*, customer: BillingCustomer, credits: Decimal | int, amount_minor: int = 1000) -> Payment:
    """A paid payment whose entries a test posts itself. So much was paid that any part of the credits has a price."""
    number = next(_numbers)
    payment = Payment.objects.create(
        customer=customer,
        kind=PaymentKind.CUSTOM,
        form_key=f"form-{number}",
        description="Test pack",
        credits=credits,
        amount_minor=amount_minor,
        currency="usd",
        stripe_idempotency_key=f"key-{customer.pk}-{number}",
        paid_at=datetime(2026, 1, 1, tzinfo=UTC),
        paid_amount_minor=int(Decimal(credits) * 10**6),
        paid_currency="usd",
    )
    _move_money(payment)
    return payment


def follow_with_money(payment: Payment) -> None:
    """Let as much money have gone back as fits the entries that a test has posted for the payment by hand."""
    entries = LedgerEntry.objects.filter(payment=payment).exclude(kind__in=["expiry", "write_off"])
    kept = entries.aggregate(posted=Sum("amount"))["posted"] or Decimal(0)
    back = int((payment.credits - kept) * 10**6)
    if back == payment.given_back_minor:
        return
    payment.refunded_minor = payment.given_back_minor = back
    PaymentRefund.objects.update_or_create(
        refund_id=f"re_{payment.pk}",
        defaults={"payment": payment, "amount_minor": back, "currency": "usd", "refunded_at": timezone.now()},
    )
    _move_money(payment)


def _move_money(payment: Payment) -> None:
    payment.movement_count += 1
    payment.save(update_fields=["movement_count", "refunded_minor", "given_back_minor"])
    MoneyMovement.objects.create(
        payment=payment,
        number=payment.movement_count,
        collected_minor=payment.paid_amount_minor or 0,
        tax_minor=0,
        given_back_minor=payment.given_back_minor,
        currency="usd",
        occurred_at=timezone.now(),
        created_at=timezone.now(),
    )
