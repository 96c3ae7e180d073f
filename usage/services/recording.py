"""Record work that was done elsewhere: a batch of events, each priced at its time and judged by itself.

Entries and events are written in one database transaction. An event is known by its id for ever: told again it is a
duplicate, told otherwise a conflict. What was refused was not written down and may be told again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiKey
from billing.errors import BillingError, IdempotencyConflict
from billing.kinds import CALLER_KEY_PREFIX, EntryKind
from billing.models.fields import new_public_id
from billing.money import ZERO
from billing.services.batches import spend_in_batch
from billing.services.debits import SOURCE_TYPE
from billing.services.posting import Posting, PostingOutcome
from usage import conf
from usage.services.metadata import is_storable
from usage.services.recording_prices import EventPrices, PricedWork
from usage.services.recording_reading import MAX_ID_LENGTH, WorkDone, read_event
from usage.services.recording_rows import KnownEvent, find_known, insert_events, lock_names


class EventStatus(StrEnum):
    """What became of an event."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(slots=True)
class RecordedEvent:
    """The answer to one event: what was written down, now or before, or why nothing was."""

    status: EventStatus
    event_id: str | None = None
    public_id: str | None = None
    credits: Decimal = ZERO
    entry_sequence: int | None = None
    refusal: BillingError | None = None


@dataclass(slots=True)
class _Candidate:
    """An event that may be written down, with its place in the batch."""

    index: int
    work: WorkDone
    priced: PricedWork
    outcome: PostingOutcome | None = None  # none where it costs nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Who tells of the work, and for whom. `is_work_done`: no lack of credits, freeze or limit refuses it."""

    customer_id: int
    api_key: ApiKey | None
    placed_by: str
    is_work_done: bool = False


def record_events(*, recorder: Recorder, events: Sequence[object]) -> list[RecordedEvent]:
    """Price and post a batch of events; answers come in the order given, one for each.

    An event that is refused changes nothing for the others, which are judged in the order given. Events that cost
    nothing are written down without an entry.
    """
    now = timezone.now()
    answers, works = _read_all(events, now=now, window=conf.late_event_window())
    if not works:
        return [_given(answer) for answer in answers]
    with transaction.atomic():
        lock_names(customer_id=recorder.customer_id)
        known = find_known(customer_id=recorder.customer_id, event_ids=[_name(work.id) for work in works.values()])
        candidates, repeats = _choose(works, answers=answers, known=known)
        _post(recorder, candidates)
        rows = _write(recorder, candidates, now=now)
    for candidate, answer in zip(candidates, rows, strict=True):
        answers[candidate.index] = answer
    for index, first in repeats.items():
        answers[index] = _repeat(_given(answers[first]))
    return [_given(answer) for answer in answers]


Answers = list[RecordedEvent | None]


def _read_all(events: Sequence[object], *, now: datetime, window: timedelta) -> tuple[Answers, dict[int, WorkDone]]:
    """Answers where an event cannot be read, None elsewhere; and what was read, by its place."""
    answers: Answers = [None] * len(events)
    works = {}
    for index, raw in enumerate(events):
        try:
            works[index] = read_event(raw, now=now, window=window)
        except BillingError as refusal:
            answers[index] = RecordedEvent(EventStatus.REFUSED, event_id=_readable_id(raw), refusal=refusal)
    return answers, works


def _readable_id(raw: object) -> str | None:
    """The id of an event that cannot be read otherwise, to answer it by; None where it is none."""
    event_id = raw.get("id") if isinstance(raw, dict) else None
    is_readable = isinstance(event_id, str) and 1 <= len(event_id) <= MAX_ID_LENGTH and is_storable(event_id)
    return event_id if is_readable else None


def _choose(
    works: Mapping[int, WorkDone], *, answers: Answers, known: Mapping[str, KnownEvent]
) -> tuple[list[_Candidate], dict[int, int]]:
    """What is to be written down, and which events repeat an earlier one of the batch; answers all others."""
    prices = EventPrices.of(works.values())
    first_of: dict[str, int] = {}
    candidates, repeats = [], {}
    for index, work in works.items():
        before = known.get(_name(work.id))
        try:
            if before is not None:
                answers[index] = _duplicate(work, before)
            elif (first := first_of.setdefault(work.id, index)) != index:
                _check_same(work, works[first].request_hash)
                repeats[index] = first
            else:
                candidates.append(_Candidate(index, work, prices.price(work)))
        except BillingError as refusal:
            answers[index] = RecordedEvent(EventStatus.REFUSED, event_id=work.id, refusal=refusal)
    return candidates, repeats


def _duplicate(work: WorkDone, before: KnownEvent) -> RecordedEvent:
    _check_same(work, before.request_hash)
    return RecordedEvent(
        EventStatus.DUPLICATE,
        event_id=work.id,
        public_id=before.public_id,
        credits=before.credits,
        entry_sequence=before.entry_sequence,
    )


def _check_same(work: WorkDone, request_hash: str) -> None:
    if work.request_hash != request_hash:
        raise IdempotencyConflict(key=work.id)


def _repeat(first: RecordedEvent) -> RecordedEvent:
    """The answer to an event that the batch has twice: a refused one is refused again."""
    if first.status is EventStatus.REFUSED:
        return first
    return RecordedEvent(
        EventStatus.DUPLICATE,
        event_id=first.event_id,
        public_id=first.public_id,
        credits=first.credits,
        entry_sequence=first.entry_sequence,
    )


def _post(recorder: Recorder, candidates: Sequence[_Candidate]) -> None:
    """Post what costs something."""
    costly = [candidate for candidate in candidates if candidate.priced.charge.credits]
    if not costly:
        return
    outcomes = spend_in_batch(
        customer_id=recorder.customer_id,
        postings=[_posting(recorder, candidate) for candidate in costly],
        placed_by=recorder.placed_by,
        is_limited=not recorder.is_work_done,
    )
    for candidate, outcome in zip(costly, outcomes, strict=True):
        candidate.outcome = outcome


def _posting(recorder: Recorder, candidate: _Candidate) -> Posting:
    return Posting(
        customer_id=recorder.customer_id,
        kind=EntryKind.USAGE,
        amount=-candidate.priced.charge.credits,
        key=f"usage:{_name(candidate.work.id)}",
        description=candidate.priced.description,
        occurred_at=candidate.work.occurred_at,
        source_type=SOURCE_TYPE,
        source_id=recorder.placed_by,
        is_work_done=recorder.is_work_done,
    )


def _write(recorder: Recorder, candidates: Sequence[_Candidate], *, now: datetime) -> list[RecordedEvent]:
    """Write down what was posted or costs nothing; gives the answers to all candidates."""
    answers, rows = [], []
    for candidate in candidates:
        outcome, work, priced = candidate.outcome, candidate.work, candidate.priced
        if outcome is not None and outcome.refusal is not None:
            answers.append(RecordedEvent(EventStatus.REFUSED, event_id=work.id, refusal=outcome.refusal))
            continue
        sequence = outcome.new_entry.sequence if outcome and outcome.new_entry else None
        if priced.charge.credits and sequence is None:
            raise RuntimeError(f"There is an entry for the usage event {work.id}, but no event.")
        public_id = new_public_id("use")
        rows.append(_row(candidate, public_id=public_id, entry_id=outcome.entry_id if outcome else None))
        answers.append(
            RecordedEvent(
                EventStatus.POSTED,
                event_id=work.id,
                public_id=public_id,
                credits=priced.charge.credits,
                entry_sequence=sequence,
            )
        )
    if rows:
        key_id = recorder.api_key.pk if recorder.api_key else None
        insert_events(customer_id=recorder.customer_id, api_key_id=key_id, rows=rows, now=now)
    return answers


def _row(candidate: _Candidate, *, public_id: str, entry_id: int | None) -> dict[str, Any]:
    work, priced = candidate.work, candidate.priced
    return {
        "public_id": public_id,
        "event_id": _name(work.id),
        "request_hash": work.request_hash,
        "model": work.model,
        "operation": work.operation,
        "quantity": work.quantity,
        "input_tokens": work.tokens.input,
        "cached_tokens": work.tokens.cached,
        "output_tokens": work.tokens.output,
        "price_id": priced.price_id,
        "operation_price_id": priced.operation_price_id,
        "cost_usd": priced.charge.cost_usd,
        "markup_percent": priced.charge.markup_percent,
        "credits": priced.charge.credits,
        "entry_id": entry_id,
        "is_default_price": priced.is_default_price,
        "metadata": work.metadata,
        "occurred_at": work.occurred_at,
    }


def _name(event_id: str) -> str:
    """A caller's name for an event behind a prefix, so that it never meets the name of a metered call."""
    return f"{CALLER_KEY_PREFIX}{event_id}"


def _given(answer: RecordedEvent | None) -> RecordedEvent:
    if answer is None:
        raise RuntimeError("An event of the batch was forgotten.")
    return answer
