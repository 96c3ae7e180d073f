"""Metered calls of the last days: by model and key, some broken off, some failed and not charged, a nightly batch.

They are estimated, held for, charged and written down by the services that serve real ones. Only the clock differs: a
settlement happens now, so the charge is posted by itself, at its time, as when a hold has ended before its work.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import transaction

from accounts.api_keys import issue_key, note_use, revoke_key
from accounts.models import ApiKey, Scope, User
from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.selectors.prices import charge_for_tokens
from billing.services.batches import spend_in_batch
from billing.services.debits import SOURCE_TYPE
from billing.services.holds import release_hold
from billing.services.key_limits import placed_by_key
from billing.services.posting import Posting
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.call_events import OpenCall, write_call_event
from usage.services.calls import abandon_call, open_call
from usage.services.recording import Recorder, record_events

DAYS: Final = 12
_CALLS_A_DAY: Final = (6, 13)
_SERVER, _BOT, _OLD = "Production server", "Support bot", "Laptop"
_KEY_AGE: Final = timedelta(days=30)
_OLD_ENDED: Final = timedelta(days=3)
_EMBEDDED: Final = "text-embedding-3-small"
_FAILURES: Final = ("timeout", "answered_503", "unreachable")


@dataclass(frozen=True, slots=True)
class _Sort:
    """A sort of work: its model, who does it, and between how many tokens it takes and gives."""

    model: str
    key: str
    input: tuple[int, int]
    output: tuple[int, int]
    weight: int


_SORTS: Final = (
    _Sort("gpt-5-mini", _BOT, (900, 9_000), (120, 900), 6),
    _Sort("gpt-5", _SERVER, (1_500, 9_000), (200, 900), 3),
    _Sort("claude-haiku-4-5", _SERVER, (2_000, 8_000), (150, 700), 3),
    _Sort("claude-sonnet-4-6", _SERVER, (1_000, 4_000), (100, 500), 1),
    _Sort("gpt-5-nano", _OLD, (500, 4_000), (80, 600), 2),
)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call as it went. Without an output it failed."""

    name: str
    sort: _Sort
    at: datetime
    latency: timedelta
    tokens: Tokens
    max_tokens: int
    failure: str


Happening = tuple[datetime, Callable[[], None]]
"""When something happened, and what makes it happen in the demo."""


def calls_of(*, user: User, customer: BillingCustomer, now: datetime) -> Iterator[Happening]:
    """What was called by keys of the user's, oldest first. What is there already is left out."""
    keys = _ensure_keys(user, now=now)
    events = UsageEvent.objects.filter(customer=customer).values_list("event_id", flat=True)
    known = {event_id.rpartition(":")[2] for event_id in events}  # those that failed have the attempt before the name
    for days_ago in range(DAYS - 1, -1, -1):
        night = _invent_night(days_ago=days_ago, now=now)
        if night[0]["id"] not in known:  # told again at another time it would be another event
            at = now - timedelta(days=days_ago, hours=12)
            yield at, partial(_record, night, customer=customer, key=keys[_SERVER])
        for call in _invent_calls(days_ago=days_ago, now=now):
            if call.name not in known:
                yield call.at, partial(_serve, call, customer=customer, key=keys[call.sort.key], now=now)


def _ensure_keys(user: User, *, now: datetime) -> dict[str, ApiKey]:
    """The keys by name; their secrets are shown to nobody, so they can be looked at, rotated and revoked only."""
    limits = {_SERVER: None, _BOT: Decimal(2_000), _OLD: None}
    keys = {key.name: key for key in ApiKey.objects.filter(user=user, name__in=limits).order_by("-pk")}
    for name, limit in limits.items():
        if name in keys:
            continue
        key = issue_key(user=user, name=name, scopes=[Scope.READ, Scope.SPEND], monthly_limit=limit).key
        ApiKey.objects.filter(pk=key.pk).update(created_at=now - _KEY_AGE)  # before the calls by it
        note_use(key=key, now=now - (_OLD_ENDED if name == _OLD else timedelta(hours=2)))
        if name == _OLD:
            revoke_key(key=key, now=now - _OLD_ENDED)
        keys[name] = key
    return keys


def _invent_calls(*, days_ago: int, now: datetime) -> Iterator[_Call]:
    """The same calls of a day at every seeding, oldest first; at the weekend fewer. About 1,000 credits in all."""
    day = now - timedelta(days=days_ago)
    dice = random.Random(f"prepaid demo {days_ago}")
    count = dice.randint(*_CALLS_A_DAY) // (2 if day.weekday() >= 5 else 1)
    for number in range(count):
        sorts = [sort for sort in _SORTS if sort.key != _OLD or days_ago > _OLD_ENDED.days]
        sort = dice.choices(sorts, [sort.weight for sort in sorts])[0]
        input_tokens, output_tokens = dice.randint(*sort.input), dice.randint(*sort.output)
        cached = input_tokens // 2 if dice.random() < 0.3 else 0
        fate, hour = dice.random(), Decimal(count - number) * 10 / count
        yield _Call(
            name=f"demo-call-{days_ago}-{number}",
            sort=sort,
            at=day - timedelta(hours=float(hour), minutes=dice.randint(0, 20)),
            latency=timedelta(milliseconds=400 + output_tokens * dice.randint(6, 14)),
            tokens=Tokens(input=input_tokens, cached=cached, output=output_tokens),
            max_tokens=sort.output[1],
            failure=dice.choice(_FAILURES) if fate < 0.06 else "client_gone" if fate < 0.1 else "",
        )


def _serve(call: _Call, *, customer: BillingCustomer, key: ApiKey, now: datetime) -> None:
    """Hold for the call, and charge it or not, as it went."""
    opened = open_call(
        customer_id=customer.pk,
        model=call.sort.model,
        input_tokens=call.tokens.input,
        max_tokens=call.max_tokens,
        event_id=call.name,
        api_key=key,
    )
    opened = replace(opened, opened_at=call.at, started=time.monotonic() - call.latency.total_seconds())
    if call.failure in _FAILURES:
        abandon_call(call=opened, failure=call.failure)
    else:
        _charge(call, opened=opened, is_of_this_month=call.at.month == now.month)


def _charge(call: _Call, *, opened: OpenCall, is_of_this_month: bool) -> None:
    if opened.price is None:
        raise RuntimeError(f"{call.name} was opened without a price.")
    charge = charge_for_tokens(version=opened.price, tokens=call.tokens)
    with transaction.atomic():
        release_hold(hold=opened.hold.public_id)
        posting = Posting(
            customer_id=opened.customer_id,
            kind=EntryKind.USAGE,
            amount=-charge.credits,
            key=f"usage:{opened.event_id}",
            description=opened.hold.description,
            occurred_at=call.at + call.latency,
            source_type=SOURCE_TYPE,
            source_id=opened.hold.placed_by,
            is_work_done=True,
        )
        placed_by = opened.hold.placed_by if is_of_this_month else "system"  # what the key has spent is of this month
        (outcome,) = spend_in_batch(
            customer_id=opened.customer_id, postings=[posting], placed_by=placed_by, is_limited=False
        )
        write_call_event(
            call=opened,
            tokens=call.tokens,
            charge=charge,
            entry_id=outcome.entry_id,
            basis=Basis.DELIVERED if call.failure else Basis.REPORTED,
            status=UsageStatus.INTERRUPTED if call.failure else UsageStatus.COMPLETED,
            failure=call.failure,
        )


def _invent_night(*, days_ago: int, now: datetime) -> list[dict[str, Any]]:
    """What a job of the customer's own does at night, elsewhere, and tells of as a batch."""
    dice = random.Random(f"prepaid demo night {days_ago}")
    at = now - timedelta(days=days_ago, hours=12)
    return [
        {
            "id": f"demo-night-{days_ago}-{number}",
            "model": _EMBEDDED,
            "input_tokens": dice.randint(20_000, 90_000),
            "occurred_at": (at + timedelta(minutes=2 * number)).isoformat(),
            "metadata": {"job": "nightly-index"},
        }
        for number in range(3)
    ]


def _record(events: list[dict[str, Any]], *, customer: BillingCustomer, key: ApiKey) -> None:
    record_events(recorder=Recorder(customer_id=customer.pk, api_key=key, placed_by=placed_by_key(key)), events=events)
