"""What random histories must have met before their silence proves anything."""

from collections import Counter
from collections.abc import Iterable, Mapping

from billing.kinds import UNDONE_BY_MONEY, AllocationKind, EntryKind
from billing.ledger.books_shapes import BookAccount, Booking, BookReason

MUST_OCCUR = frozenset(
    {
        "debt",
        "claw-back across two prices",
        "expiry of paid credits",
        "return to a paid grant",
        "entry in two currencies",
        "cover of a claw-back by a paid grant",
        "write-off of reversed revenue",
        "money without credits",
        "tax given back",
    }
)


def what_occurred(bookings: Iterable[Booking], price_of_grant: Mapping[int, tuple[int, object]]) -> Counter[str]:
    """Count what a history has met; `price_of_grant` gives (payment, price) of each paid grant."""
    met: Counter[str] = Counter()
    for booking in bookings:
        step = booking.step
        paid_rows = [row for row in step.allocations if row.grant_id in price_of_grant]
        is_claw_back = step.kind in UNDONE_BY_MONEY and step.amount < 0
        prices = {price_of_grant[row.grant_id or 0] for row in paid_rows if row.entry_id == step.entry_id}
        drawn = sum(row.amount for row in step.allocations if row.entry_id == step.entry_id)
        met["debt"] += step.amount < 0 and drawn < -step.amount
        met["claw-back across two prices"] += is_claw_back and len({price for _, price in prices}) > 1
        met["expiry of paid credits"] += step.kind is EntryKind.EXPIRY and bool(paid_rows)
        met["return to a paid grant"] += any(row.kind is AllocationKind.RETURN for row in paid_rows)
        met["move of a claw-back to its own grant"] += any(row.kind is AllocationKind.MOVE for row in paid_rows)
        met["entry in two currencies"] += len({line.currency for line in booking.lines}) > 1
        met["cover of a claw-back by a paid grant"] += any(
            row.kind is AllocationKind.COVER and row.entry_kind in UNDONE_BY_MONEY for row in paid_rows
        )
        bad_debt = [line.amount_minor for line in booking.lines if line.account is BookAccount.BAD_DEBT]
        met["write-off of reversed revenue"] += sum(bad_debt) > 0
        met["written-off debt that is owed again"] += sum(bad_debt) < 0
        met["money without credits"] += step.entry_id is None
        met["tax given back"] += any(
            line.account is BookAccount.TAX and line.reason is BookReason.GIVEN_BACK for line in booking.lines
        )
    return met
