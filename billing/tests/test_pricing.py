"""What facts are worth."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.pricing import (
    Collected,
    Terms,
    credits_kept,
    credits_taken,
    find_mismatch,
    is_granted,
    may_take_code,
    withdrawn_by_dispute,
)

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
def test_what_was_offered_and_collected_is_granted(told: Collected) -> None:
    assert find_mismatch(terms=TERMS, collected=told) == ""
    assert is_granted(terms=TERMS, collected=told, is_accepted=False)


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
    assert not is_granted(terms=TERMS, collected=told, is_accepted=False)
    assert is_granted(terms=TERMS, collected=told, is_accepted=True)


@pytest.mark.parametrize(
    ("amount_minor", "discount_minor", "reason"),
    [
        (1000, 0, ""),  # the minimum is about discounts alone
        (1000, None, ""),
        (200, 800, ""),
        (199, 801, "Paid for $1.99 after a promotion code, which must leave at least $2.00."),
        (237, 801, "Paid for $1.99 after a promotion code, which must leave at least $2.00."),  # a tax is not a price
        (0, 1000, "Paid for $0.00 after a promotion code, which must leave at least $2.00."),
    ],
)
def test_code_must_leave_the_minimum(amount_minor: int, discount_minor: int | None, reason: str) -> None:
    told = Collected(amount_minor=amount_minor, subtotal_minor=1000, currency="usd", discount_minor=discount_minor)

    assert find_mismatch(terms=replace(TERMS, min_paid_minor=200), collected=told) == reason
    assert find_mismatch(terms=TERMS, collected=told) == ""


def test_minimum_above_the_price_asks_for_no_more_than_the_price() -> None:
    assert find_mismatch(terms=replace(TERMS, min_paid_minor=2000), collected=collected(1000, 1000)) == ""
    assert not may_take_code(price_minor=1000, min_paid_minor=1000)
    assert may_take_code(price_minor=1001, min_paid_minor=1000)


def test_nothing_collected_is_granted_by_nobody() -> None:
    assert not is_granted(terms=TERMS, collected=None, is_accepted=True)


def test_parts_refunded_add_up_to_exactly_the_whole() -> None:
    kept, back = [], 0
    for part in (32, 9, 8, 3, 6, 3):
        back += part
        kept.append(str(credits_kept(granted=Decimal(1000), paid_minor=61, given_back_minor=back)))

    assert kept == ["475.409836", "327.868852", "196.721311", "147.540983", "49.180327", "0.000000"]


@pytest.mark.parametrize(
    ("paid_minor", "given_back_minor", "kept"),
    [
        (1000, 0, "1000"),
        (1000, 300, "700"),
        (1000, 1000, "0"),
        (1000, 1400, "0"),  # a refund and a dispute of the same money
        (1190, 1190, "0"),  # tax and all
        (500, 250, "500"),  # half of what a discount left
        (0, 0, "1000"),  # a code made it free: nothing was paid that could go back
    ],
)
def test_credits_are_kept_in_proportion_to_what_was_paid(paid_minor: int, given_back_minor: int, kept: str) -> None:
    found = credits_kept(granted=Decimal(1000), paid_minor=paid_minor, given_back_minor=given_back_minor)

    assert found == Decimal(kept)


@pytest.mark.parametrize(
    ("kept", "consumed", "expired", "taken"),
    [
        (1000, 0, 0, 0),
        (0, 0, 0, 1000),
        (0, 200, 0, 1000),  # what was used becomes a debt
        (0, 200, 800, 200),  # what expired counts as taken
        (600, 200, 800, 0),  # last: four hundred are covered by what expired
        (600, 200, 300, 400),  # five hundred remain, so nothing that expired is needed
        (0, 1000, 0, 1000),
        (400, 0, 1000, 0),
    ],
)
def test_what_expired_counts_as_taken_last(kept: int, consumed: int, expired: int, taken: int) -> None:
    found = credits_taken(
        granted=Decimal(1000), kept=Decimal(kept), consumed=Decimal(consumed), expired=Decimal(expired)
    )

    assert found == taken


@pytest.mark.parametrize(
    ("movements", "withdrawn"),
    [
        ([], 0),
        ([-1000], 1000),
        ([-1000, 1000], 0),
        ([-1000, 1000, -1000], 1000),
        ([-1000, 400], 600),
        ([-920], 1000),  # in the currency of Stripe's balance
        ([-920, 460], 500),
        ([-1000, 1200], 0),  # more came back than went
        ([-920, 920, -940], 1000),  # went again at another rate: no more than it is about
        ([-300, -700], 1000),
        ([500], 0),
    ],
)
def test_a_dispute_holds_what_its_balance_transactions_say(movements: list[int], withdrawn: int) -> None:
    assert withdrawn_by_dispute(amount_minor=1000, movements=movements) == withdrawn
