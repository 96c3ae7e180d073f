"""What work costs: every example of docs/pricing.md, computed from its own columns, and the corners of the rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from hypothesis import given
from hypothesis import strategies as st

from billing.models import OperationPrice, PricingConfig
from billing.selectors.prices import charge_for_operation, charge_for_tokens
from billing.usage_cost import TokenPrice, Tokens, cost_of_tokens, credits_for_cost

PAGE = Path(configured.BASE_DIR) / "docs" / "pricing.md"
CREDITS_PER_USD = Decimal(1000)


def rows_of(heading: str) -> Iterator[dict[str, str]]:
    """The rows of the table that begins with this column, by the words above its columns."""
    table = re.search(rf"^\| {heading} \|.*?\n\n", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert table is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].strip().splitlines()]
    yield from (dict(zip(lines[0], line, strict=True)) for line in lines[2:])


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def version_of(row: dict[str, str]) -> PricingConfig:
    return PricingConfig(
        input_usd_per_1k=number(row["input price"]),
        cached_input_usd_per_1k=number(row["cached price"]),
        output_usd_per_1k=number(row["output price"]),
        request_usd=number(row["per request"]),
        markup_percent=number(row["markup %"]),
    )


@pytest.mark.parametrize("row", list(rows_of("call")), ids=lambda row: row["call"])
def test_worked_example_of_a_call(row: dict[str, str], settings: Any) -> None:
    settings.CREDITS_PER_USD = 1000
    tokens = Tokens(
        input=int(number(row["input"])), cached=int(number(row["of it cached"])), output=int(number(row["output"]))
    )

    charge = charge_for_tokens(version=version_of(row), tokens=tokens)

    assert charge.cost_usd == number(row["cost in USD"])
    assert charge.credits == number(row["credits"])
    assert charge.credits.as_tuple().exponent == -6


@pytest.mark.parametrize("row", list(rows_of("operation")), ids=lambda row: row["operation"])
def test_worked_example_of_an_operation(row: dict[str, str], settings: Any) -> None:
    settings.CREDITS_PER_USD = 1000
    in_credits, in_usd = row["price in credits"], row["price in USD"]
    version = OperationPrice(
        credits=None if in_credits == "–" else number(in_credits),
        usd=None if in_usd == "–" else number(in_usd),
        markup_percent=number(row["markup %"]),
    )

    charge = charge_for_operation(version=version, quantity=int(row["times"]))

    assert (charge.cost_usd, charge.credits) == (number(row["cost in USD"]), number(row["credits"]))


def test_page_has_the_examples_that_matter() -> None:
    calls, operations = list(rows_of("call")), list(rows_of("operation"))

    assert len(calls) >= 12
    assert len(operations) >= 4
    assert {"0", "37.5"} <= {row["markup %"] for row in calls}


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("0", "0.000000"),
        ("0.000001", "0.000001"),
        ("0.0000009999999", "0.000001"),
        ("0.0000010000001", "0.000002"),
        ("1.9999991", "2.000000"),
        ("7.000000000000000000000000000001", "7.000001"),
    ],
)
def test_charge_is_rounded_up_at_the_seventh_place(exact: str, rounded: str) -> None:
    charge = credits_for_cost(cost_usd=Decimal(exact), markup_percent=Decimal(0), credits_per_usd=Decimal(1))

    assert str(charge) == rounded


def test_rounding_twice_would_charge_more() -> None:
    price = TokenPrice(
        input_usd_per_1k=Decimal("0.000000001"),
        cached_input_usd_per_1k=Decimal("0.000000001"),
        output_usd_per_1k=Decimal("0.000000001"),
        request_usd=Decimal(0),
        markup_percent=Decimal(0),
    )
    cost = cost_of_tokens(tokens=Tokens(input=300, cached=100, output=300), price=price)

    # 600 times a billionth of a dollar for a thousand is 0.0000006 credits: one step, where three parts would be three.
    assert credits_for_cost(cost_usd=cost, markup_percent=Decimal(0), credits_per_usd=CREDITS_PER_USD) == Decimal(
        "0.000001"
    )


def test_caller_with_coarse_decimals_gets_the_same_charge() -> None:
    row = next(row for row in rows_of("call") if row["call"] == "a million million tokens")
    tokens = Tokens(input=int(number(row["input"])), output=int(number(row["output"])))

    with localcontext(prec=6):
        charge = charge_for_tokens(version=version_of(row), tokens=tokens)

    assert charge.credits == number(row["credits"])


@pytest.mark.parametrize(
    "counts",
    [{"input": -1}, {"output": -1}, {"cached": -1}, {"input": 5, "cached": 6}, {"cached": 1}],
)
def test_tokens_that_cannot_be_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Tokens(**counts)


_counts = st.integers(0, 10**13)
_usd = st.decimals(0, 1000, places=9)


@given(
    counts=st.tuples(_counts, _counts, _counts),
    usd=st.tuples(_usd, _usd, _usd, _usd),
    markup=st.decimals(0, 10_000, places=3),
    credits_per_usd=st.integers(1, 10**6),
)
def test_charge_is_the_exact_amount_and_less_than_a_step_more(
    counts: tuple[int, int, int], usd: tuple[Decimal, Decimal, Decimal, Decimal], markup: Decimal, credits_per_usd: int
) -> None:
    uncached, cached, output = counts
    price = TokenPrice(
        input_usd_per_1k=usd[0],
        cached_input_usd_per_1k=usd[1],
        output_usd_per_1k=usd[2],
        request_usd=usd[3],
        markup_percent=markup,
    )
    # In whole numbers: dollars in billionths for a thousand tokens, markup in thousandths of a percent.
    nano = [int(amount.scaleb(9)) for amount in usd]
    cost = Fraction(uncached * nano[0] + cached * nano[1] + output * nano[2], 10**12) + Fraction(nano[3], 10**9)
    exact = cost * (1 + Fraction(int(markup.scaleb(3)), 10**5)) * credits_per_usd

    tokens = Tokens(input=uncached + cached, cached=cached, output=output)
    charge = credits_for_cost(
        cost_usd=cost_of_tokens(tokens=tokens, price=price),
        markup_percent=markup,
        credits_per_usd=Decimal(credits_per_usd),
    )

    assert 0 <= Fraction(charge) - exact < Fraction(1, 10**6)
    with localcontext(prec=80):
        steps = Decimal(exact.numerator) * 10**6 / exact.denominator
        assert charge.scaleb(6) == steps.to_integral_value(ROUND_CEILING)
