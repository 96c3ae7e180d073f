"""Posts the difference between what the ledger holds for a subscription's periods and what their paid lines allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum
from django.utils import timezone

from billing.kinds import CLAW_BACKS, EntryKind
from billing.ledger.posting import expire_lapsed_credits_of, post_entries
from billing.ledger.shapes import Posting
from billing.models import (
    GrantAllocation,
    InvoiceLine,
    InvoiceStatus,
    LedgerEntry,
    Payment,
    PlanMovement,
    PlanPeriod,
)
from billing.money import ZERO, share_minor
from billing.plan_pricing import PaidLine, is_counted, plan_posted, plan_target, split_minor
from billing.services.payment_money_back import MoneyChange
from billing.services.payment_postings import REVERSALS, name_change, reopen_written_off
from billing.services.plan_lives import life_of, settle_plan_lives

_NOT_POSTED_FOR = (EntryKind.EXPIRY, EntryKind.WRITE_OFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodMoney:
    """What the lines of a period brought, in minor units; see `PlanMovement`."""

    collected_minor: int = 0
    from_balance_minor: int = 0
    tax_minor: int = 0
    given_back_minor: int = 0

    @property
    def net_minor(self) -> int:
        """What was collected without tax."""
        return self.collected_minor - self.tax_minor


def converge_periods(
    *,
    customer_id: int,
    periods: Sequence[PlanPeriod],
    occurred_at: datetime,
    payment: Payment | None = None,
    changes: Sequence[MoneyChange] = (),
) -> None:
    """Bring the credits of periods in line with their lines, and the lives of allowances with the latest of them.

    Call under the lock on the customer's balance. Where money of an invoice's `payment` went or came back, `changes`
    say so: credits then go as with any payment, by a claw-back, and come back by undoing it.
    """
    if not periods:
        return
    expire_lapsed_credits_of(customer_id=customer_id)
    for period in sorted(periods, key=lambda one: (one.ends_at, one.pk)):
        _converge(period=period, occurred_at=occurred_at, payment=payment, changes=changes)
    for subscription_id in sorted({period.subscription_id for period in periods}):
        settle_plan_lives(customer_id=customer_id, subscription_id=subscription_id)


def _converge(
    *, period: PlanPeriod, occurred_at: datetime, payment: Payment | None, changes: Sequence[MoneyChange]
) -> None:
    lines = paid_lines(period)
    before = period.target_credits
    period.target_credits = target_of(lines)
    first_posting = period.posting_count + 1
    consumed, expired = drawn_on(period)
    target = plan_posted(target=period.target_credits, consumed=consumed, expired=expired)
    difference = target - posted_for(period)
    money, known = _money_of(period=period, lines=lines), _known_money(period)
    if difference and payment is not None:
        difference = _move_with_money(period=period, payment=payment, changes=changes, difference=difference)
    if difference:
        cost_minor = max(0, money.net_minor - known.net_minor) if difference > 0 else 0
        _post_allowance(period=period, amount=difference, cost_minor=cost_minor, occurred_at=occurred_at)
    _record_movement(
        period=period,
        money=money,
        known=known,
        has_changed_target=period.target_credits != before,
        first_posting=first_posting,
        occurred_at=occurred_at,
    )
    period.save(update_fields=["target_credits", "posting_count", "movement_count"])


def posted_for(period: PlanPeriod) -> Decimal:
    """What is posted for a period, its expiry and write-offs that were taken back aside."""
    entries = LedgerEntry.objects.filter(plan_period=period).exclude(kind__in=_NOT_POSTED_FOR)
    return entries.aggregate(posted=Sum("amount"))["posted"] or ZERO


def target_of(lines: Sequence[InvoiceLine], *, leaving: Mapping[int, int] | None = None) -> Decimal:
    """What paid lines allow; `leaving` is money by payment that is thought to go back besides what has gone."""
    return plan_target(
        [
            PaidLine(
                amount_minor=line.amount_minor,
                unit_amount_minor=line.unit_amount_minor or 1,
                unit_credits=line.unit_credits,
                discount_minor=line.discount_minor,
                kept_minor=max(0, _kept_minor(line) - (leaving or {}).get(line.invoice.payment_id or 0, 0)),
                paid_minor=_paid_minor(line),
            )
            for line in lines
            if line.unit_credits is not None
            and is_counted(
                asked_minor=line.invoice.total_minor - line.invoice.credited_before_minor,
                from_balance_minor=line.invoice.from_balance_minor,
            )
        ]
    )


def paid_lines(period: PlanPeriod) -> list[InvoiceLine]:
    """The period's lines of paid invoices."""
    lines = InvoiceLine.objects.filter(period=period, invoice__status=InvoiceStatus.PAID)
    return list(lines.select_related("invoice__payment").order_by("pk"))


def _paid_minor(line: InvoiceLine) -> int:
    """What the invoice's lines ask for in all: what was paid, and what credit notes took off before."""
    payment = line.invoice.payment
    return (payment.paid_amount_minor or 0) + line.invoice.credited_before_minor if payment is not None else 0


def _kept_minor(line: InvoiceLine) -> int:
    payment = line.invoice.payment
    return (payment.paid_amount_minor or 0) - payment.given_back_minor if payment is not None else 0


def drawn_on(period: PlanPeriod) -> tuple[Decimal, Decimal]:
    """What was drawn on the period's grants: by anything but its own reversals and expiry, and by its expiry."""
    entries = LedgerEntry.objects.filter(plan_period=period)
    expired = -(entries.filter(kind=EntryKind.EXPIRY).aggregate(total=Sum("amount"))["total"] or ZERO)
    by_reversals = GrantAllocation.objects.filter(
        entry__in=entries.filter(kind__in=CLAW_BACKS), grant__plan_period=period
    ).aggregate(total=Sum("amount"))["total"]
    drawn = period.grants.aggregate(total=Sum(F("amount") - F("remaining")))["total"] or ZERO
    return drawn - expired - (by_reversals or ZERO), expired


def _move_with_money(
    *, period: PlanPeriod, payment: Payment, changes: Sequence[MoneyChange], difference: Decimal
) -> Decimal:
    """Take or give back what money that moved is worth in credits; gives what is left to be an allowance.

    What comes back undoes what was taken for the same payment and period, at most that.
    """
    if difference < 0:
        kind, occurred_at, _ = name_change(payment, changes, out=True)
        _post(period=period, kind=kind, amount=difference, occurred_at=occurred_at, payment_id=payment.pk)
        return ZERO
    own = LedgerEntry.objects.filter(payment=payment, plan_period=period).exclude(kind__in=_NOT_POSTED_FOR)
    taken = -(own.aggregate(total=Sum("amount"))["total"] or ZERO)
    back = min(difference, max(ZERO, taken))
    if not back:
        return difference
    kind, occurred_at, away = name_change(payment, changes, out=False)
    reopen_written_off(payment, needed=back, plan_period_id=period.pk)
    _post(
        period=period,
        kind=REVERSALS[kind],
        amount=back,
        occurred_at=occurred_at,
        payment_id=payment.pk,
        return_until=occurred_at + away if occurred_at else None,
    )
    return difference - back


def _post_allowance(*, period: PlanPeriod, amount: Decimal, cost_minor: int, occurred_at: datetime) -> None:
    is_allowance = amount > 0
    _post(
        period=period,
        kind=EntryKind.PLAN_ALLOWANCE if is_allowance else EntryKind.PLAN_REVERSAL,
        amount=amount,
        occurred_at=occurred_at,
        cost_minor=cost_minor,
        currency=period.currency if is_allowance else "",
        expires_at=life_of(period) if is_allowance else None,
    )


def _post(*, period: PlanPeriod, kind: EntryKind, amount: Decimal, occurred_at: datetime | None, **more: Any) -> None:
    """`posting_count` numbers a period's entries, under the lock on the balance."""
    period.posting_count += 1
    post_entries(
        postings=[
            Posting(
                customer_id=period.customer_id,
                kind=kind,
                amount=amount,
                key=_key(period, number=period.posting_count),
                description=period.plan.name if period.plan else "Subscription",
                occurred_at=occurred_at,
                plan_period_id=period.pk,
                **more,
            )
        ]
    )


def _money_of(*, period: PlanPeriod, lines: Sequence[InvoiceLine]) -> PeriodMoney:
    """The period's share of the money of its paid invoices, and of what went back of it."""
    collected = tax = from_balance = given_back = 0
    for invoice in {line.invoice for line in lines}:
        own = [line for line in lines if line.invoice_id == invoice.pk]
        money = sum(line.money_minor for line in own)
        credited = _share(period=period, invoice_pk=invoice.pk, amount_minor=invoice.credited_before_minor)
        collected += money - credited
        tax += _tax_left(tax_minor=sum(line.tax_minor for line in own), credited_minor=credited, money_minor=money)
        into_balance = sum(note.to_balance_minor for note in invoice.credit_notes.all() if not note.is_void)
        moved = invoice.from_balance_minor - into_balance
        from_balance += _share(period=period, invoice_pk=invoice.pk, amount_minor=moved)
        if invoice.payment is not None:
            back = invoice.payment.given_back_minor
            given_back += _share(period=period, invoice_pk=invoice.pk, amount_minor=back)
    return PeriodMoney(
        collected_minor=collected, from_balance_minor=from_balance, tax_minor=tax, given_back_minor=given_back
    )


def _tax_left(*, tax_minor: int, credited_minor: int, money_minor: int) -> int:
    """The tax that is left after credit notes took money off an invoice: it goes in proportion, half to even."""
    if not credited_minor or not money_minor:
        return tax_minor
    sign = 1 if money_minor > 0 else -1  # a period may have less than nothing of an invoice that another one pays
    return tax_minor - share_minor(amount_minor=tax_minor, part=sign * credited_minor, whole=sign * money_minor)


def _share(*, period: PlanPeriod, invoice_pk: int, amount_minor: int) -> int:
    """A period's part of an amount of an invoice: as the money of its lines is a part of all of it, signed."""
    if not amount_minor:
        return 0
    sums: dict[int, int] = {}
    rows = InvoiceLine.objects.filter(invoice_id=invoice_pk, period__isnull=False).order_by("period_id", "pk")
    for period_id, money in rows.values_list("period_id", "money_minor"):
        sums[period_id] = sums.get(period_id, 0) + money
    weights = sums if sum(sums.values()) else {max(sums): 1}
    parts = split_minor(amount_minor=amount_minor, weights=list(weights.values()))
    return dict(zip(weights, parts, strict=True)).get(period.pk, 0)


def _known_money(period: PlanPeriod) -> PeriodMoney:
    """The money of a period as it was recorded last."""
    last = PlanMovement.objects.filter(period=period, number=period.movement_count).first()
    if last is None:
        return PeriodMoney()
    return PeriodMoney(
        collected_minor=last.collected_minor,
        from_balance_minor=last.from_balance_minor,
        tax_minor=last.tax_minor,
        given_back_minor=last.given_back_minor,
    )


def _record_movement(
    *,
    period: PlanPeriod,
    money: PeriodMoney,
    known: PeriodMoney,
    has_changed_target: bool,
    first_posting: int,
    occurred_at: datetime,
) -> None:
    """Append the period's money and target, if any of it changed; with the first entry posted for it."""
    if money == known and not has_changed_target:
        return
    period.movement_count += 1
    entry = LedgerEntry.objects.filter(
        customer_id=period.customer_id, idempotency_key=_key(period, number=first_posting)
    ).first()
    PlanMovement.objects.create(
        period=period,
        number=period.movement_count,
        collected_minor=money.collected_minor,
        from_balance_minor=money.from_balance_minor,
        tax_minor=money.tax_minor,
        given_back_minor=money.given_back_minor,
        kept_credits=period.target_credits,
        currency=period.currency,
        entry=entry,
        occurred_at=occurred_at,
        created_at=timezone.now(),
    )


def _key(period: PlanPeriod, *, number: int) -> str:
    return f"plan:{period.pk}:{number}"
