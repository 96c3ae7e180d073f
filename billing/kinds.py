"""The kinds of ledger entries and what each may do (pure: the database's models and the planner both read it)."""

from enum import StrEnum


class EntryKind(StrEnum):
    """Why credits moved."""

    PURCHASE = "purchase"
    AUTO_TOP_UP = "auto_top_up"
    PLAN_ALLOWANCE = "plan_allowance"
    PLAN_REVERSAL = "plan_reversal"
    FREE_ALLOWANCE = "free_allowance"
    SIGNUP_BONUS = "signup_bonus"
    PROMOTION = "promotion"
    VOUCHER = "voucher"
    ADJUSTMENT = "adjustment"
    USAGE = "usage"
    USAGE_CORRECTION = "usage_correction"
    REFUND = "refund"
    REFUND_REVERSAL = "refund_reversal"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    EXPIRY = "expiry"
    WRITE_OFF = "write_off"
    CORRECTION = "correction"


class AllocationKind(StrEnum):
    """Why an outgoing entry's share of a grant changed."""

    DRAW = "draw"  # taken by the entry itself
    COVER = "cover"  # a later grant paid an uncovered part
    RETURN = "return"  # credits came back to where they were taken from
    MOVE = "move"  # a claw-back moved from another grant to its own
    WRITE_OFF = "write_off"  # staff gave up an uncovered part


class HoldState(StrEnum):
    """Where a hold is in its life; it ends once."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


FREE_PRIORITY, PLAN_PRIORITY, BOUGHT_PRIORITY = 10, 20, 30

# Credits of these kinds come in as a grant; the number is its place in burn-down, lowest first.
GRANT_PRIORITIES = {
    EntryKind.PURCHASE: BOUGHT_PRIORITY,
    EntryKind.AUTO_TOP_UP: BOUGHT_PRIORITY,
    EntryKind.PLAN_ALLOWANCE: PLAN_PRIORITY,
    EntryKind.FREE_ALLOWANCE: FREE_PRIORITY,
    EntryKind.SIGNUP_BONUS: FREE_PRIORITY,
    EntryKind.PROMOTION: FREE_PRIORITY,
    EntryKind.VOUCHER: FREE_PRIORITY,
    EntryKind.ADJUSTMENT: FREE_PRIORITY,
}
# Money or an allowance went back: taken from the payment's own grant first, below zero if need be.
CLAW_BACKS = frozenset({EntryKind.REFUND, EntryKind.DISPUTE, EntryKind.PLAN_REVERSAL})
# Outgoing entries that money which comes back may undo: a claw-back, and a write-off that was taken back.
UNDONE_BY_MONEY = CLAW_BACKS | {EntryKind.WRITE_OFF}
# Positive entries that undo allocations and create no grant.
RETURNS = frozenset(
    {EntryKind.REFUND_REVERSAL, EntryKind.DISPUTE_REVERSAL, EntryKind.USAGE_CORRECTION, EntryKind.CORRECTION}
)
# Negative entries that need available credits and a customer who is not frozen.
SPENDING = frozenset({EntryKind.USAGE})
# Key prefixes that are ours; a caller's key is stored behind `api:`.
RESERVED_KEY_PREFIXES = (
    "payment:",
    "plan:",
    "trial:",
    "grant:",
    "expiry:",
    "hold:",
    "usage:",
    "free:",
    "bonus:",
    "voucher:",
    "staff:",
    "correction:",
    "write_off:",
)
CALLER_KEY_PREFIX = "api:"
