"""What facts are worth."""

from decimal import Decimal

import pytest

from billing.pricing import Collected, Terms, find_mismatch, target_credits

TERMS = Terms(credits=Decimal(10_000), bonus_credits=Decimal(500), amount_minor=1000, currency="usd")


def collected(amount_minor: int, subtotal_minor: int | None, currency: str = "usd") -> Collected:
    return Collected(amount_minor=amount_minor, subtotal_minor=subtotal_minor, currency=currency)


@pytest.mark.parametrize(
    "told",
    [
        collected(1000, None),  # an intent of the price
        collected(1000, 1000),
        collected(500, 1000),  # a discount
        collected(1190, 1000),  # a tax on top
        collected(0, 1000),  # a code of a hundred percent
    ],
)
def test_what_was_offered_and_collected_is_worth_pack_and_bonus(told: Collected) -> None:
    assert find_mismatch(terms=TERMS, collected=told) == ""
    assert target_credits(terms=TERMS, collected=told) == Decimal(10_500)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (collected(1000, 1000, "eur"), "Paid in EUR, offered in USD."),
        (collected(1000, 999), "Paid for $9.99, offered for $10.00."),
        (collected(1000, 1001), "Paid for $10.01, offered for $10.00."),
        (collected(999, None), "Paid for $9.99, offered for $10.00."),
        (collected(0, None), "Paid for $0.00, offered for $10.00."),
        (collected(0, 0), "Paid for $0.00, offered for $10.00."),
    ],
)
def test_anything_else_is_worth_nothing_and_says_why(told: Collected, reason: str) -> None:
    assert find_mismatch(terms=TERMS, collected=told) == reason
    assert target_credits(terms=TERMS, collected=told) == 0


def test_nothing_collected_is_worth_nothing() -> None:
    assert target_credits(terms=TERMS, collected=None) == 0
