"""The chart of used credits as numbers that a template draws: no script, no styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from usage.selectors.usage_sums import UsageSum

WIDTH, HEIGHT, MARGIN = 720, 160, 2
_WIDEST_GAP = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day's bar, standing on the axis."""

    day: UsageSum
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageChart:
    """The bars of a period, and its dearest day."""

    bars: list[Bar]
    dearest: UsageSum
    axis_y: int = HEIGHT - MARGIN
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def first(self) -> UsageSum:
        return self.bars[0].day

    @property
    def last(self) -> UsageSum:
        return self.bars[-1].day


def draw_usage(days: Sequence[UsageSum]) -> UsageChart | None:
    """A chart of the days, or nothing where nothing was used. A day that got more back than it used has no bar."""
    dearest = max(days, key=lambda day: day.credits, default=None)
    if dearest is None or dearest.credits <= 0:
        return None
    scale = (HEIGHT - 2 * MARGIN) / float(dearest.credits)
    step = WIDTH / len(days)
    gap = min(_WIDEST_GAP, step / 3)
    bars = []
    for index, day in enumerate(days):
        height = _height(day.credits, scale)
        x, y = round(index * step + gap / 2, 1), round(HEIGHT - MARGIN - height, 1)
        bars.append(Bar(day=day, x=x, y=y, width=round(step - gap, 1), height=height))
    return UsageChart(bars=bars, dearest=dearest)


def _height(amount: Decimal, scale: float) -> float:
    """A bar's height; what is not nothing is seen."""
    return round(max(float(amount) * scale, 1.5), 1) if amount > 0 else 0.0
