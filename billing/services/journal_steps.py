"""Makes the steps of the books out of rows: entries in their order, money that moved without one in between."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from billing.kinds import AllocationKind, EntryKind
from billing.ledger.books_shapes import AllocationRow, BookStep, GrantRow, MoneyRow
from billing.models import MoneyMovement

ENTRIES = """
    SELECT e.customer_id, e.sequence, e.id, e.kind, e.amount, e.payment_id, e.occurred_at, e.created_at,
        g.id, g.payment_id, g.amount,
        a.entry_id, drawn.kind, drawn.payment_id, a.grant_id, a.amount, a.kind
    FROM billing_ledgerentry e
    LEFT JOIN billing_creditgrant g ON g.entry_id = e.id
    LEFT JOIN (billing_grantallocation a
               JOIN billing_ledgerentry drawn ON drawn.id = a.entry_id AND drawn.customer_id = ANY(%(customers)s))
        ON a.cause_id = e.id
    WHERE e.customer_id = ANY(%(customers)s)
    ORDER BY e.customer_id, e.sequence, a.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A movement of money as it was written."""

    entry_id: int | None
    number: int
    money: MoneyRow
    occurred_at: datetime
    created_at: datetime


def read_movements(*, customer_ids: Sequence[int]) -> dict[int, list[Movement]]:
    """The movements of each customer, in the order in which they were written."""
    rows = MoneyMovement.objects.filter(payment__customer_id__in=customer_ids).order_by("created_at", "pk")
    found: dict[int, list[Movement]] = {}
    for row in rows.select_related("payment").only(*_COLUMNS).iterator():
        money = MoneyRow(
            payment_id=row.payment_id,
            currency=row.currency,
            collected_minor=row.collected_minor,
            tax_minor=row.tax_minor,
            given_back_minor=row.given_back_minor,
        )
        movement = Movement(
            entry_id=row.entry_id,
            number=row.number,
            money=money,
            occurred_at=row.occurred_at,
            created_at=row.created_at,
        )
        found.setdefault(row.payment.customer_id, []).append(movement)
    return found


_COLUMNS = (
    "payment__customer_id",
    "entry_id",
    "number",
    "currency",
    "collected_minor",
    "tax_minor",
    "given_back_minor",
    "occurred_at",
    "created_at",
)


def step_of(rows: list[tuple[Any, ...]]) -> BookStep:
    """The step of one entry from its rows of `ENTRIES`, one for each allocation that it caused."""
    first = rows[0]
    customer_id, sequence, entry_id, kind, amount, payment_id, occurred_at, created_at = first[:8]
    grant_id, grant_payment_id, grant_amount = first[8:11]
    return BookStep(
        customer_id=customer_id,
        sequence=sequence,
        entry_id=entry_id,
        kind=EntryKind(kind),
        amount=amount,
        payment_id=payment_id,
        occurred_at=occurred_at,
        booked_at=created_at,
        grant=GrantRow(grant_id=grant_id, payment_id=grant_payment_id, amount=grant_amount) if grant_id else None,
        allocations=tuple(_allocation_of(*row[11:]) for row in rows if row[11] is not None),
    )


def interleave(*, customer_id: int, steps: Iterator[BookStep], movements: Sequence[Movement]) -> Iterator[BookStep]:
    """A customer's steps in the order in which they were written, each with the money that moved with it.

    Money without an entry goes before the first entry that was written later. The dates of steps never go back: what a
    clock that was set back wrote counts as written with what came before it.
    """
    attached: dict[int, list[Movement]] = {}
    for movement in movements:
        if movement.entry_id is not None:
            attached.setdefault(movement.entry_id, []).append(movement)
    loose = [movement for movement in movements if movement.entry_id is None]
    last = None
    for step in steps:
        booked_at = max(last or step.booked_at, step.booked_at)
        own = sorted(attached.pop(step.entry_id or 0, ()), key=lambda movement: movement.number)
        for movement in _take_earlier(loose, booked_at=booked_at, own=own):
            last = max(last or movement.created_at, min(movement.created_at, booked_at))
            yield _step_without_entry(customer_id, movement, last)
        last = booked_at
        yield replace(step, booked_at=booked_at, movements=tuple(movement.money for movement in own))
    for movement in loose:
        last = max(last or movement.created_at, movement.created_at)
        yield _step_without_entry(customer_id, movement, last)


def _take_earlier(loose: list[Movement], *, booked_at: datetime, own: Sequence[Movement]) -> list[Movement]:
    """Take out what was written before a step, and of the step's own payments what their numbers put before it."""
    if not loose or (loose[0].created_at >= booked_at and not own):
        return []
    numbers = {movement.money.payment_id: movement.number for movement in own}
    earlier = [
        movement
        for movement in loose
        if movement.created_at < booked_at or movement.number < numbers.get(movement.money.payment_id, 0)
    ]
    loose[:] = [movement for movement in loose if movement not in earlier]
    return earlier


def _step_without_entry(customer_id: int, movement: Movement, booked_at: datetime) -> BookStep:
    return BookStep(
        customer_id=customer_id,
        occurred_at=movement.occurred_at,
        booked_at=booked_at,
        movement_number=movement.number,
        movements=(movement.money,),
    )


def _allocation_of(
    entry_id: int, entry_kind: str, entry_payment_id: int | None, grant_id: int | None, amount: Any, kind: str
) -> AllocationRow:
    return AllocationRow(
        entry_id=entry_id,
        entry_kind=EntryKind(entry_kind),
        entry_payment_id=entry_payment_id,
        grant_id=grant_id,
        amount=amount,
        kind=AllocationKind(kind),
    )
