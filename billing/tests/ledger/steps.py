"""What tests of the ledger do over and over, in the words of the ledger."""

import itertools
from decimal import Decimal
from typing import Any

from billing.kinds import EntryKind
from billing.ledger.shapes import Posting
from billing.ledger.verification import verify_ledger
from billing.models import (
    BillingCustomer,
    CreditBalance,
    CreditGrant,
    CreditHold,
    GrantAllocation,
    LedgerEntry,
    Payment,
    UncoveredPart,
)
from billing.services.holds import place_hold
from billing.services.posting import post
from billing.tests.ledger.factories import follow_with_money, make_payment

Amount = Decimal | int | str
_numbers = itertools.count(1)


def posting_of(customer: BillingCustomer, kind: EntryKind, amount: Amount, **fields: Any) -> Posting:
    """A posting with a key of its own, unless one is given."""
    key = fields.pop("key", None) or f"api:{next(_numbers)}"
    return Posting(customer_id=customer.pk, kind=kind, amount=Decimal(amount), key=key, **fields)


def post_one(customer: BillingCustomer, kind: EntryKind, amount: Amount, **fields: Any) -> LedgerEntry:
    return post(posting=posting_of(customer, kind, amount, **fields))


def give(customer: BillingCustomer, amount: Amount, **fields: Any) -> LedgerEntry:
    """Free credits."""
    return post_one(customer, EntryKind.PROMOTION, amount, **fields)


def use(customer: BillingCustomer, amount: Amount, **fields: Any) -> LedgerEntry:
    return post_one(customer, EntryKind.USAGE, -Decimal(amount), **fields)


def buy(customer: BillingCustomer, credits: Amount, **fields: Any) -> Payment:
    """A paid payment and its purchase."""
    payment = make_payment(customer=customer, credits=Decimal(credits))
    post_of_payment(payment, EntryKind.PURCHASE, credits, **fields)
    return payment


def claw_back(payment: Payment, credits: Amount, *, kind: EntryKind = EntryKind.REFUND) -> LedgerEntry:
    return post_of_payment(payment, kind, -Decimal(credits))


def reinstate(
    payment: Payment, credits: Amount, *, kind: EntryKind = EntryKind.REFUND_REVERSAL, **fields: Any
) -> LedgerEntry:
    """The money of a payment came back to us, and so do its credits to the customer."""
    return post_of_payment(payment, kind, credits, **fields)


def post_of_payment(payment: Payment, kind: EntryKind, amount: Amount, **fields: Any) -> LedgerEntry:
    payment.posting_count += 1
    payment.save(update_fields=["posting_count"])
    key = f"payment:{payment.pk}:{payment.posting_count}"
    entry = post_one(payment.customer, kind, amount, key=key, payment_id=payment.pk, **fields)
    follow_with_money(payment)
    return entry


def take_back_write_off(payment: Payment, credits: Amount) -> LedgerEntry:
    """The debt that was written off stands again."""
    return post_one(payment.customer, EntryKind.WRITE_OFF, -Decimal(credits), payment_id=payment.pk)


def balance_of(customer: BillingCustomer) -> CreditBalance:
    return CreditBalance.objects.get(pk=customer.pk)


def grant_of(entry: LedgerEntry) -> CreditGrant:
    return CreditGrant.objects.get(entry_id=entry.pk)


def grant_of_payment(payment: Payment) -> CreditGrant:
    return CreditGrant.objects.get(payment=payment)


def drawn_on(entry: LedgerEntry) -> list[tuple[int, Decimal]]:
    """(entry that brought the grant, credits) of each allocation of an outgoing entry, in the order written."""
    rows = GrantAllocation.objects.filter(entry_id=entry.pk, grant__isnull=False).order_by("pk")
    return list(rows.values_list("grant__entry_id", "amount"))


def uncovered_of(entry: LedgerEntry) -> Decimal:
    part = UncoveredPart.objects.filter(entry_id=entry.pk).first()
    return part.amount if part else Decimal(0)


def kinds_of(customer: BillingCustomer) -> list[str]:
    return list(LedgerEntry.objects.filter(customer=customer).order_by("sequence").values_list("kind", flat=True))


def assert_books_are_right(customer: BillingCustomer) -> None:
    assert list(verify_ledger(customer_ids=[customer.pk])) == []


def hold_for(customer: BillingCustomer, amount: Amount, *, key: str = "api:hold", **fields: Any) -> CreditHold:
    return place_hold(customer_id=customer.pk, amount=amount, key=key, **fields)
