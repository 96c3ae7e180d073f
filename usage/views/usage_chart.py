"""The chart of used credits: one bar a day, and the dearest day named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing.money import ZERO
from billing.views.chart import BAR_GAP, WIDTH, DayChart, draw_days
from usage.selectors.usage_sums import UsageSum

HEIGHT: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageChart(DayChart[UsageSum]):
    """The bars of a period, and its dearest day."""

    dearest: UsageSum


def draw_usage(days: Sequence[UsageSum]) -> UsageChart | None:
    """A chart of the days, or nothing where nothing was used. A day that got more back than it used has no bar."""
    gap = min(BAR_GAP, WIDTH / max(len(days), 1) / 3)  # the bars of a long period stand closer
    drawn = draw_days(days, up=lambda day: max(day.credits, ZERO), down=lambda day: ZERO, height=HEIGHT, gap=gap)
    if drawn is None:
        return None
    dearest = max(days, key=lambda day: day.credits)
    return UsageChart(bars=drawn.bars, axis_y=drawn.axis_y, height=drawn.height, dearest=dearest)
