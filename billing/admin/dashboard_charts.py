"""Charts of the first page: two values a day, one above and one below the axis, and the same as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.money import ZERO
from billing.selectors.dashboard import Period
from billing.selectors.overview import DayMovement
from billing.views.chart import DayChart, draw_movements

DAYS_DRAWN_SINGLY = 92
_STEPS = ((DAYS_DRAWN_SINGLY, 1, "Day (UTC)"), (92 * 7, 7, "Week from (UTC)"))
_LONGEST = (28, "Four weeks from (UTC)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """One day, week or month in words; `bar` places it in the drawing."""

    day: date
    up: str
    down: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart and its table; `drawing` is None where there is nothing in the period."""

    id: str
    title: str
    unit: str
    up_label: str
    down_label: str
    drawing: DayChart[DayMovement] | None
    rows: list[ChartRow]


def build_chart(
    *,
    id: str,
    title: str,
    labels: tuple[str, str],
    period: Period,
    up: Mapping[date, Decimal | int],
    down: Mapping[date, Decimal | int],
    show: Callable[[Decimal], str],
) -> Chart:
    """What goes up and down by day (by week or four weeks in a long period); `show` writes a value for people.

    A value below zero counts on the other side: money that came back to us came in.
    """
    step, unit = _step_of(period)
    points = []
    for start in range(0, period.days, step):
        days = [period.first + timedelta(days=offset) for offset in range(start, min(start + step, period.days))]
        came = sum((Decimal(up.get(day, 0)) for day in days), ZERO)
        went = sum((Decimal(down.get(day, 0)) for day in days), ZERO)
        points.append(
            DayMovement(day=days[0], credits_in=max(came, ZERO) + max(-went, ZERO), credits_out=max(went, ZERO))
        )
    rows = [
        ChartRow(day=point.day, up=show(point.credits_in), down=show(point.credits_out))
        for point in reversed(points)
        if point.credits_in or point.credits_out
    ]
    return Chart(
        id=id,
        title=title,
        unit=unit,
        up_label=labels[0],
        down_label=labels[1],
        drawing=draw_movements(points),
        rows=rows,
    )


def _step_of(period: Period) -> tuple[int, str]:
    """How many days one bar stands for, so that there are never too many bars to see."""
    for most, step, unit in _STEPS:
        if period.days <= most:
            return step, unit
    return _LONGEST
