"""Posts the difference between what the ledger holds for a payment and what it should hold.

The target is a function of the payment's sums (`billing.pricing`); an entry's kind only names what changed last.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, Sum
from django.utils import timezone

from billing.kinds import CLAW_BACKS, UNDONE_BY_MONEY, AllocationKind, EntryKind
from billing.ledger.posting import expire_lapsed_credits_of, post_entries
from billing.ledger.shapes import Posting
from billing.models import (
    CreditNote,
    GrantAllocation,
    Invoice,
    LedgerEntry,
    MoneyMovement,
    Payment,
    PaymentKind,
    UncoveredPart,
)
from billing.money import ZERO
from billing.pricing import credits_kept, credits_taken
from billing.services.payment_money_back import MoneyChange

REVERSALS = {EntryKind.REFUND: EntryKind.REFUND_REVERSAL, EntryKind.DISPUTE: EntryKind.DISPUTE_REVERSAL}


def post_purchase(payment: Payment, *, granted: Decimal) -> None:
    """Post all that was bought, once, as one entry and one grant; what has gone back is taken by entries of its own."""
    if payment.posting_count == 0:
        _post(
            payment,
            kind=EntryKind.AUTO_TOP_UP if payment.kind == PaymentKind.AUTO_TOP_UP else EntryKind.PURCHASE,
            amount=granted,
            occurred_at=payment.paid_at,
            cost_minor=payment.paid_amount_minor or 0,
            currency=payment.paid_currency,
            expires_at=_expiry_of(payment),
        )


def post_difference(payment: Payment, *, granted: Decimal, changes: Sequence[MoneyChange]) -> None:
    """Take credits back, or give them back, until the ledger holds what is still paid for."""
    entries = LedgerEntry.objects.filter(customer_id=payment.customer_id, idempotency_key__in=_keys(payment))
    taken_so_far = granted - (entries.aggregate(posted=Sum("amount"))["posted"] or ZERO)
    if not taken_so_far and not payment.given_back_minor:
        return
    expire_lapsed_credits_of(customer_id=payment.customer_id)
    consumed, expired = drawn_on_own_grant(payment)
    kept = credits_kept(
        granted=granted, paid_minor=payment.paid_amount_minor or 0, given_back_minor=payment.given_back_minor
    )
    taken = credits_taken(granted=granted, kept=kept, consumed=consumed, expired=expired)
    difference = taken - taken_so_far
    if difference > 0:
        kind, occurred_at, _ = name_change(payment, changes, out=True)
        _post(payment, kind=kind, amount=-difference, occurred_at=occurred_at)
    elif difference < 0:
        kind, occurred_at, away = name_change(payment, changes, out=False)
        reopen_written_off(payment, needed=-difference)
        until = occurred_at + away if occurred_at else None
        _post(payment, kind=REVERSALS[kind], amount=-difference, occurred_at=occurred_at, return_until=until)


def record_movement(payment: Payment, *, first_posting: int, occurred_at: datetime) -> None:
    """Append what was collected and given back so far, if any of it changed; with the first entry posted for it."""
    last = MoneyMovement.objects.filter(payment=payment, number=payment.movement_count).first()
    sums = (
        payment.paid_amount_minor or 0,
        payment.paid_tax_minor or 0,
        payment.given_back_minor,
        _moved_from_balance(payment),
    )
    before = (0, 0, 0, 0)
    if last:
        before = (last.collected_minor, last.tax_minor, last.given_back_minor, last.from_balance_minor)
    if sums == before and (last is None or last.currency == payment.paid_currency):
        return
    payment.movement_count += 1
    key = _key(payment, number=first_posting)
    MoneyMovement.objects.create(
        payment=payment,
        number=payment.movement_count,
        collected_minor=sums[0],
        tax_minor=sums[1],
        given_back_minor=sums[2],
        from_balance_minor=sums[3],
        currency=payment.paid_currency,
        entry=LedgerEntry.objects.filter(customer_id=payment.customer_id, idempotency_key=key).first(),
        occurred_at=occurred_at,
        created_at=timezone.now(),
    )


def _moved_from_balance(payment: Payment) -> int:
    """What the customer's balance at Stripe paid of its invoice, less what credit notes put there."""
    notes = CreditNote.objects.filter(invoice__payment=payment, is_void=False)
    to_balance = notes.aggregate(total=Sum("to_balance_minor"))["total"] or 0
    invoice = Invoice.objects.filter(payment=payment).first() if payment.paid_at else None
    return (invoice.from_balance_minor if invoice else 0) - min(payment.given_back_minor, to_balance)


def _post(
    payment: Payment,
    *,
    kind: EntryKind,
    amount: Decimal,
    occurred_at: datetime | None,
    cost_minor: int = 0,
    currency: str = "",
    expires_at: datetime | None = None,
    return_until: datetime | None = None,
) -> None:
    """`posting_count` numbers a payment's entries, under the lock on the balance."""
    payment.posting_count += 1
    post_entries(
        postings=[
            Posting(
                customer_id=payment.customer_id,
                kind=kind,
                amount=amount,
                key=_key(payment, number=payment.posting_count),
                description=payment.description,
                occurred_at=occurred_at,
                payment_id=payment.pk,
                cost_minor=cost_minor,
                currency=currency,
                expires_at=expires_at,
                return_until=return_until,
            )
        ]
    )


def reopen_written_off(payment: Payment, *, needed: Decimal, plan_period_id: int | None = None) -> None:
    """Where staff gave up the debt that a claw-back left, and its money comes back after all, the debt stands again.

    Else the customer would keep both: what was forgiven, and what comes back. What is still owed vanishes first, then
    what was forgiven stands again, and only then do credits return to grants.
    """
    taking = LedgerEntry.objects.filter(payment=payment, plan_period_id=plan_period_id, kind__in=UNDONE_BY_MONEY)
    written_off = GrantAllocation.objects.filter(entry__in=taking, kind=AllocationKind.WRITE_OFF)
    forgiven = -(written_off.aggregate(total=Sum("amount"))["total"] or ZERO)
    if not forgiven:
        return
    reopened = -(taking.filter(kind=EntryKind.WRITE_OFF).aggregate(total=Sum("amount"))["total"] or ZERO)
    owed = UncoveredPart.objects.filter(entry__in=taking).aggregate(total=Sum("amount"))["total"] or ZERO
    again = min(needed - owed, forgiven - reopened)
    if again <= 0:
        return
    post_entries(
        postings=[
            Posting(
                customer_id=payment.customer_id,
                kind=EntryKind.WRITE_OFF,
                amount=-again,
                key=f"write_off:{payment.pk}:{_next_number(payment, plan_period_id)}",
                description="The debt that was written off stands again: its money came back.",
                payment_id=payment.pk,
                plan_period_id=plan_period_id,
            )
        ]
    )


def _next_number(payment: Payment, plan_period_id: int | None) -> str:
    """Tells the write-offs that are taken back of one payment apart: by the entry that follows."""
    if plan_period_id is None:
        return str(payment.posting_count + 1)
    return f"{plan_period_id}:{LedgerEntry.objects.filter(plan_period=plan_period_id).count() + 1}"


def name_change(
    payment: Payment, changes: Sequence[MoneyChange], *, out: bool
) -> tuple[EntryKind, datetime | None, timedelta]:
    """What to call the entry (as money that goes out), when it happened, and how long the money was away."""
    fitting = [change for change in changes if (change.amount_minor > 0) is out]
    if fitting:
        latest = max(fitting, key=lambda change: change.occurred_at)
        by_refund = latest.kind in (EntryKind.REFUND, EntryKind.REFUND_REVERSAL)
        kind = EntryKind.REFUND if by_refund else EntryKind.DISPUTE
        return kind, latest.occurred_at, max(change.away for change in fitting)
    kind = EntryKind.REFUND if payment.returned_minor or not payment.withdrawn_minor else EntryKind.DISPUTE
    return kind, None, timedelta(0)


def drawn_on_own_grant(payment: Payment) -> tuple[Decimal, Decimal]:
    """What was drawn on the payment's own grant: by anything but its own claw-backs and expiry, and by expiry."""
    entries = LedgerEntry.objects.filter(payment=payment)
    expired = -(entries.filter(kind=EntryKind.EXPIRY).aggregate(total=Sum("amount"))["total"] or ZERO)
    by_claw_backs = GrantAllocation.objects.filter(
        entry__in=entries.filter(kind__in=CLAW_BACKS), grant__payment=payment
    ).aggregate(total=Sum("amount"))["total"]
    drawn = payment.grants.aggregate(total=Sum(F("amount") - F("remaining")))["total"] or ZERO
    return drawn - expired - (by_claw_backs or ZERO), expired


def _keys(payment: Payment) -> list[str]:
    return [_key(payment, number=number) for number in range(1, payment.posting_count + 1)]


def _key(payment: Payment, *, number: int) -> str:
    return f"payment:{payment.pk}:{number}"


def _expiry_of(payment: Payment) -> datetime | None:
    if payment.lifetime_days is None or payment.paid_at is None:
        return None
    try:
        return payment.paid_at + timedelta(days=payment.lifetime_days)
    except OverflowError:  # beyond the calendar: nobody who has paid may be left without credits for that
        return None
