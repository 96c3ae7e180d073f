"""Charts of days as numbers that a template draws: no script, no styles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from billing.selectors.overview import DayMovement

WIDTH, HEIGHT, MARGIN = 720, 180, 2
BAR_GAP = 4.0
Day = TypeVar("Day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar(Generic[Day]):
    """One day's bars: one stands on the axis, the other hangs below it."""

    day: Day
    x: float
    width: float
    up_y: float
    up_height: float
    down_height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayChart(Generic[Day]):
    """Bars, and where the axis lies."""

    bars: list[Bar[Day]]
    axis_y: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def first(self) -> Day:
        return self.bars[0].day

    @property
    def last(self) -> Day:
        return self.bars[-1].day


def draw_movements(movements: Sequence[DayMovement]) -> DayChart[DayMovement] | None:
    """What came in above the axis, what went out below it; nothing where nothing moved."""
    return draw_days(movements, up=lambda day: day.credits_in, down=lambda day: day.credits_out)


def draw_days(
    days: Sequence[Day],
    *,
    up: Callable[[Day], Decimal],
    down: Callable[[Day], Decimal],
    height: int = HEIGHT,
    gap: float = BAR_GAP,
) -> DayChart[Day] | None:
    """A chart of two amounts a day, neither below zero, on one scale; nothing where all are zero."""
    most_up = max((up(day) for day in days), default=Decimal(0))
    most_down = max((down(day) for day in days), default=Decimal(0))
    if not most_up + most_down:
        return None
    scale = (height - 2 * MARGIN) / float(most_up + most_down)
    axis_y = round(MARGIN + float(most_up) * scale, 1)
    step = WIDTH / len(days)
    bars = [
        Bar(
            day=day,
            x=round(index * step + gap / 2, 1),
            width=round(step - gap, 1),
            up_y=round(axis_y - _length(up(day), scale), 1),
            up_height=_length(up(day), scale),
            down_height=_length(down(day), scale),
        )
        for index, day in enumerate(days)
    ]
    return DayChart(bars=bars, axis_y=axis_y, height=height)


def _length(amount: Decimal, scale: float) -> float:
    """A bar's length; what is not nothing is seen."""
    return round(max(float(amount) * scale, 1.5), 1) if amount else 0.0
