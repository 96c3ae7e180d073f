"""The thirty-day chart as numbers that a template draws: no script, no styles."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.selectors.overview import DayMovement

WIDTH, HEIGHT, MARGIN = 720, 180, 2
BAR_GAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day's bars: what came in stands above the axis, what went out hangs below it."""

    movement: DayMovement
    x: float
    width: float
    in_y: float
    in_height: float
    out_height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementChart:
    """Bars, and where the axis lies."""

    bars: list[Bar]
    axis_y: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def first(self) -> DayMovement:
        return self.bars[0].movement

    @property
    def last(self) -> DayMovement:
        return self.bars[-1].movement


def draw_movements(movements: Sequence[DayMovement]) -> MovementChart | None:
    """A chart of the movements on one scale, or nothing where nothing moved."""
    most_in = max((movement.credits_in for movement in movements), default=Decimal(0))
    most_out = max((movement.credits_out for movement in movements), default=Decimal(0))
    if not most_in + most_out:
        return None
    scale = (HEIGHT - 2 * MARGIN) / float(most_in + most_out)
    axis_y = round(MARGIN + float(most_in) * scale, 1)
    step = WIDTH / len(movements)
    bars = [
        Bar(
            movement=movement,
            x=round(index * step + BAR_GAP / 2, 1),
            width=round(step - BAR_GAP, 1),
            in_y=round(axis_y - _height(movement.credits_in, scale), 1),
            in_height=_height(movement.credits_in, scale),
            out_height=_height(movement.credits_out, scale),
        )
        for index, movement in enumerate(movements)
    ]
    return MovementChart(bars=bars, axis_y=axis_y)


def _height(amount: Decimal, scale: float) -> float:
    """A bar's height; what is not nothing is seen."""
    return round(max(float(amount) * scale, 1.5), 1) if amount else 0.0
