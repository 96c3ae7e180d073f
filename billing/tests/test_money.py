"""Amounts: what is accepted, how it is rounded, and how people read it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidAmount
from billing.money import (
    CREDIT_STEP,
    MAX_CREDITS,
    credits_for_minor,
    exponent,
    format_credits,
    format_money,
    list_value_minor,
    major_units,
    minor_units,
    parse_credits,
    parse_positive_credits,
    price_per_thousand_minor,
    round_credits_down,
)

ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
THREE_DECIMAL = "bhd jod kwd omr tnd".split()


# Parsing


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (5, "5"),
        ("12.5", "12.5"),
        (" 12.5 ", "12.5"),
        ("1e3", "1000"),
        (Decimal("0.000001"), "0.000001"),
        ("1.0000000000", "1"),
        (-3, "-3"),
        ("-0.5", "-0.5"),
        (0, "0"),
        (MAX_CREDITS, "10000000000000"),
        (-MAX_CREDITS, "-10000000000000"),
    ],
)
def test_amounts_are_read_as_they_are_meant(sent: object, meant: str) -> None:
    amount = parse_credits(sent)

    assert amount == Decimal(meant)
    assert amount.as_tuple().exponent == -6


@pytest.mark.parametrize(
    "sent",
    [1.5, 1.0, float("nan"), True, None, b"1", [1], "", "abc", "1,5", "1 000", "NaN", "sNaN", "Infinity", "-Infinity"],
    ids=repr,
)
def test_what_is_no_exact_number_is_refused(sent: object) -> None:
    with pytest.raises(InvalidAmount) as refusal:
        parse_credits(sent, field="credits")

    assert refusal.value.field == "credits"
    assert "credits: " in str(refusal.value)
    assert "12.5" in str(refusal.value)


@pytest.mark.parametrize("sent", ["0.0000001", "1.1234567", Decimal("1E-7"), "1e-999999"])
def test_a_seventh_place_is_refused_and_never_rounded(sent: object) -> None:
    with pytest.raises(InvalidAmount, match="decimal places"):
        parse_credits(sent)


@pytest.mark.parametrize("sent", [MAX_CREDITS + CREDIT_STEP, -MAX_CREDITS - CREDIT_STEP, 10**14, "1e999999", 10**400])
def test_an_amount_beyond_the_largest_is_refused(sent: object) -> None:
    with pytest.raises(InvalidAmount, match="more than 10,000,000,000,000 credits"):
        parse_credits(sent)


@pytest.mark.parametrize("sent", [0, "0.0", "-0", -1, "-0.000001"])
def test_where_it_must_be_positive_zero_and_less_are_refused(sent: object) -> None:
    with pytest.raises(InvalidAmount, match="not above zero"):
        parse_positive_credits(sent)


def test_the_smallest_positive_amount_is_one_step() -> None:
    assert parse_positive_credits("0.000001") == CREDIT_STEP


@given(st.decimals(min_value=-MAX_CREDITS, max_value=MAX_CREDITS, places=6))
def test_every_amount_of_six_places_survives_being_written_and_read(amount: Decimal) -> None:
    assert parse_credits(str(amount)) == amount
    assert parse_credits(f"{amount:f}") == amount


@given(st.text(max_size=20))
def test_no_text_whatever_breaks_parsing(text: str) -> None:
    try:
        amount = parse_credits(text)
    except InvalidAmount:
        return
    assert amount.is_finite()


# Rounding


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [("1.0000009", "1"), ("1.000001", "1.000001"), ("0.9999999", "0.999999"), ("-1.0000009", "-1")],
)
def test_credits_are_cut_off_at_six_places(exact: str, rounded: str) -> None:
    assert round_credits_down(Decimal(exact)) == Decimal(rounded)


@pytest.mark.parametrize(("cents", "credits"), [(1000, "10000"), (1, "10"), (0, "0")])
def test_dollars_buy_credits_at_list_price(cents: int, credits: str) -> None:
    assert credits_for_minor(amount_minor=cents, currency="usd", credits_per_usd=1000) == Decimal(credits)


def test_credits_for_money_are_rounded_down() -> None:
    assert credits_for_minor(amount_minor=1, currency="usd", credits_per_usd=Decimal("0.00019")) == Decimal("0.000001")


def test_only_dollars_have_a_list_price() -> None:
    with pytest.raises(InvalidAmount, match="send 'usd'"):
        credits_for_minor(amount_minor=100, currency="eur", credits_per_usd=1000)


@pytest.mark.parametrize(("credits", "cents"), [("10", 1), ("19.999999", 1), ("9.999999", 0), ("-15", -1)])
def test_a_list_value_is_rounded_towards_zero(credits: str, cents: int) -> None:
    assert list_value_minor(Decimal(credits), credits_per_usd=1000) == cents


@pytest.mark.parametrize(("price", "credits", "per_thousand"), [(9000, 100_000, 90), (100, 1000, 100), (5, 2000, 3)])
def test_a_price_per_thousand_is_rounded_half_up(price: int, credits: int, per_thousand: int) -> None:
    assert price_per_thousand_minor(price_minor=price, credits=Decimal(credits)) == per_thousand


# Exponents


@pytest.mark.parametrize("currency", ZERO_DECIMAL)
def test_zero_decimal_currencies_have_no_minor_unit(currency: str) -> None:
    assert exponent(currency) == exponent(currency.upper()) == 0
    assert major_units(amount_minor=1000, currency=currency) == 1000


@pytest.mark.parametrize("currency", THREE_DECIMAL)
def test_three_decimal_currencies_have_thousandths(currency: str) -> None:
    assert exponent(currency) == 3
    assert major_units(amount_minor=1000, currency=currency) == 1


@pytest.mark.parametrize("currency", ["usd", "EUR", "gbp", "isk", "ugx"])
def test_every_other_currency_has_two_places(currency: str) -> None:
    assert exponent(currency) == 2


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("10", "usd", 1000), ("0.01", "usd", 1), ("1000", "jpy", 1000), ("1.234", "kwd", 1234)],
)
def test_major_units_become_minor_ones(amount: str, currency: str, minor: int) -> None:
    assert minor_units(amount=Decimal(amount), currency=currency) == minor
    assert major_units(amount_minor=minor, currency=currency) == Decimal(amount)


@pytest.mark.parametrize(("amount", "currency"), [("0.001", "usd"), ("0.5", "jpy"), ("0.0001", "kwd")])
def test_more_places_than_the_currency_has_are_refused(amount: str, currency: str) -> None:
    with pytest.raises(InvalidAmount, match=f"{currency.upper()} has {exponent(currency)} decimal places"):
        minor_units(amount=Decimal(amount), currency=currency)


# For people


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1000, "usd", "$10.00"),
        (-50, "eur", "−€0.50"),
        (123456789, "gbp", "£1,234,567.89"),
        (1000, "jpy", "¥1,000"),
        (1234000, "kwd", "1,234.000 KWD"),
        (-5, "chf", "−0.05 CHF"),
        (0, "usd", "$0.00"),
    ],
)
def test_money_is_written_as_people_do(minor: int, currency: str, shown: str) -> None:
    assert format_money(amount_minor=minor, currency=currency) == shown


@pytest.mark.parametrize(
    ("amount", "shown", "with_sign"),
    [
        ("1000", "1,000", "+1,000"),
        ("0.004", "0.004", "+0.004"),
        ("-12.5", "−12.5", "−12.5"),
        ("0", "0", "0"),
        ("100", "100", "+100"),
        ("1E+1", "10", "+10"),
        ("1234567.000001", "1,234,567.000001", "+1,234,567.000001"),
    ],
)
def test_credits_are_written_exactly_and_without_needless_zeros(amount: str, shown: str, with_sign: str) -> None:
    assert format_credits(Decimal(amount)) == shown
    assert format_credits(Decimal(amount), signed=True) == with_sign
