"""Makes the steps of the books out of rows: entries in their order, money that moved without one in between."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from billing.kinds import AllocationKind, EntryKind
from billing.ledger.books_shapes import AllocationRow, BookStep, GrantRow, MoneyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A movement of money as it was written, in no entry's company where `entry_id` is None."""

    entry_id: int | None
    number: int
    money: MoneyRow
    occurred_at: datetime
    created_at: datetime


def step_of(rows: Sequence[tuple[Any, ...]], *, caused: Sequence[tuple[Any, ...]] = ()) -> BookStep:
    """The step of one entry from its rows, one for each of its own draws, and what it caused on earlier entries."""
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
        allocations=tuple(_allocation_of(*row) for row in (*(row[11:] for row in rows if row[11]), *caused)),
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
