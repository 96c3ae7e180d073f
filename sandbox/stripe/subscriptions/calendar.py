"""Billing periods, counted from an anchor, so that the 31st comes back after February."""

import calendar
from datetime import UTC, datetime, timedelta

from sandbox.stripe.records import Resource

DAY_SECONDS = 24 * 3600
_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}


def period_end(*, anchor: int, start: int, recurring: Resource) -> int:
    """The first boundary after ``start``: the anchor plus a whole number of intervals."""
    steps = 1
    while (boundary := add_intervals(anchor, steps, recurring)) <= start:
        steps += 1
    return boundary


def add_intervals(anchor: int, steps: int, recurring: Resource) -> int:
    """The time that is so many intervals of a price after the anchor; a day that a month lacks is its last."""
    began = datetime.fromtimestamp(anchor, UTC)
    count = steps * int(recurring["interval_count"])
    if days := _DAYS.get(recurring["interval"]):
        return int((began + timedelta(days=days * count)).timestamp())
    months = began.year * 12 + began.month - 1 + _MONTHS[recurring["interval"]] * count
    year, month = divmod(months, 12)
    day = min(began.day, calendar.monthrange(year, month + 1)[1])
    return int(began.replace(year=year, month=month + 1, day=day).timestamp())


def same_interval(one: Resource, other: Resource) -> bool:
    """Whether two prices are billed equally often."""
    return all(one["recurring"][name] == other["recurring"][name] for name in ("interval", "interval_count"))


def read_time(value: object) -> object:
    """A time of a request as a number; where a word is allowed too, the contract leaves numbers as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def say_day(timestamp: int) -> str:
    """A day as Stripe writes it in the lines of an invoice."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%d %b %Y")
