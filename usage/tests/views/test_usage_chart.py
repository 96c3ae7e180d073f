"""The usage chart: bars on one scale that stay inside it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.views.chart import MARGIN, WIDTH
from usage.selectors.usage_sums import UsageSum
from usage.views.usage_chart import HEIGHT, draw_usage


def days(*credits: str) -> list[UsageSum]:
    first = date(2026, 11, 1)
    return [UsageSum(day=first + timedelta(days=n), charged=Decimal(amount)) for n, amount in enumerate(credits)]


@pytest.mark.parametrize("credits", [(), ("0", "0"), ("-5",)])
def test_nothing_used_is_no_chart(credits: tuple[str, ...]) -> None:
    assert draw_usage(days(*credits)) is None


def test_dearest_day_is_as_high_as_the_chart_and_the_others_in_proportion() -> None:
    chart = draw_usage(days("50", "100", "0", "25"))

    assert chart is not None
    assert [bar.up_height for bar in chart.bars] == [78.0, HEIGHT - 2 * MARGIN, 0.0, 39.0]
    assert chart.dearest.credits == 100
    assert all(bar.up_y + bar.up_height == chart.axis_y for bar in chart.bars)


def test_what_is_not_nothing_is_seen_and_what_came_back_is_not_drawn() -> None:
    chart = draw_usage(days("1000000", "0.000001", "-3"))

    assert chart is not None
    assert [bar.up_height for bar in chart.bars][1:] == [1.5, 0.0]


@pytest.mark.parametrize("count", [1, 7, 31, 90])
def test_bars_stay_inside_and_apart(count: int) -> None:
    chart = draw_usage(days(*["1"] * count))

    assert chart is not None
    assert chart.bars[0].x >= 0
    assert chart.bars[-1].x + chart.bars[-1].width <= WIDTH
    assert all(left.x + left.width < right.x for left, right in zip(chart.bars, chart.bars[1:], strict=False))
