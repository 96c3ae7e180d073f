"""What the books read and what they say, as plain dataclasses (pure: no Django)."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.kinds import AllocationKind, EntryKind
from billing.money import ZERO


class BookAccount(StrEnum):
    """The accounts of the books, in the order of a report."""

    CASH = "cash_at_stripe"
    CUSTOMER_BALANCE = "customer_balance_at_stripe"
    TAX = "tax_payable"
    DEFERRED = "deferred_revenue"
    REVENUE = "revenue"
    REFUNDS = "refunds_of_consumed_credits"
    BREAKAGE = "breakage"
    BAD_DEBT = "bad_debt"


class BookReason(StrEnum):
    """What a line books. The lines of one reason, entry and payment add up to zero."""

    COLLECTED = "collected"  # what was collected, or the tax in it, changed
    GIVEN_BACK = "given_back"  # money was refunded or withdrawn, or came back to us
    CREDITS = "credits"  # credits were granted, used, expired or returned
    WRITTEN_OFF = "written_off"  # a debt was given up, or is one again


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """A grant, seen at the entry that brought it. Without a payment it is free."""

    grant_id: int
    payment_id: int | None
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRow:
    """A signed share of an outgoing entry, seen at the entry whose posting wrote it."""

    entry_id: int
    entry_kind: EntryKind
    entry_payment_id: int | None
    grant_id: int | None
    amount: Decimal
    kind: AllocationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyRow:
    """What was collected and given back for a payment, all in all, after a change of it.

    `payment_id` is negative for a period of a plan, which is a lot like a payment: several invoices pay it.
    """

    payment_id: int
    currency: str
    collected_minor: int
    tax_minor: int
    given_back_minor: int
    from_balance_minor: int = 0  # of what was collected; negative: it went into the customer's balance at Stripe
    kept: Decimal | None = None  # the credits still paid for, where that is no share of what was granted


@dataclass(frozen=True, slots=True, kw_only=True)
class BookStep:
    """One entry with all that its posting wrote, or money that moved without one.

    The first has a `sequence` and an `entry_id`, the other the `movement_number` of its payment. Steps come
    per customer in the order in which they were written, allocations in the order of their rows.
    """

    customer_id: int
    occurred_at: datetime
    booked_at: datetime
    sequence: int = 0
    entry_id: int | None = None
    movement_number: int = 0
    kind: EntryKind | None = None
    amount: Decimal = ZERO
    payment_id: int | None = None
    grant: GrantRow | None = None
    movements: tuple[MoneyRow, ...] = ()
    allocations: tuple[AllocationRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """The change of one account by one step and payment, in minor units: debit positive, credit negative."""

    step: BookStep
    payment_id: int
    reason: BookReason
    account: BookAccount
    currency: str
    amount_minor: int


@dataclass(slots=True)
class Booking:
    """What a step means for the books: its lines, and the credits without a price that it used (negative: returned)."""

    step: BookStep
    lines: list[JournalLine] = field(default_factory=list)
    promotional_credits: Decimal = ZERO
