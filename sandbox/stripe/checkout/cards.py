"""Test cards and test bank accounts, as Stripe documents them (docs.stripe.com/testing)."""

from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True)
class TestCard:
    """A card number and what happens when somebody pays with it."""

    number: str
    label: str
    decline_code: str | None = None
    message: str = ""
    code: str = "card_declined"
    asks_authentication: bool = False
    always_asks: bool = False  # also for payments without the customer that it was set up for
    pays_until_saved: bool = False  # its decline is for when it is attached to a customer
    afterwards: Literal["", "dispute", "inquiry", "fraud_warning"] = ""

    __test__ = False  # it is no test case, whatever its name begins with


_DECLINED = "Your card was declined."
TEST_CARDS = (
    TestCard("4242424242424242", "pays"),
    TestCard("4000002500003155", "asks for 3-D Secure, then pays", asks_authentication=True),
    TestCard("4000002760003184", "asks for 3-D Secure every time", asks_authentication=True, always_asks=True),
    TestCard("4000000000000002", "is declined", "generic_decline", _DECLINED),
    TestCard("4000000000009995", "has insufficient funds", "insufficient_funds", "Your card has insufficient funds."),
    TestCard("4000000000000069", "has expired", "expired_card", "Your card has expired.", code="expired_card"),
    TestCard("4000000000000341", "is saved, then declined", "generic_decline", _DECLINED, pays_until_saved=True),
    TestCard("4000000000000259", "pays, and is disputed", afterwards="dispute"),
    TestCard("4000000000001976", "pays, and the bank asks about it", afterwards="inquiry"),
    TestCard("4000000000005423", "pays, and the bank warns of fraud", afterwards="fraud_warning"),
    TestCard("4000000000007726", "pays; a refund of it is pending first"),
    TestCard("4000000000005126", "pays; a refund of it fails later"),
)
_BY_NUMBER = {card.number: card for card in TEST_CARDS}

BANK_ACCOUNTS = {"000123456789": "the debit succeeds", "000111111113": "the debit fails later (account closed)"}
FAILING_ACCOUNT = "000111111113"

# Payment methods that every test account has (docs.stripe.com/testing); each use of one makes another payment method.
SHORTCUTS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_createDispute": "4000000000000259",
}


@dataclass(frozen=True)
class Card:
    """A card whose fields make sense, with what will happen to it."""

    number: str
    exp_month: int
    exp_year: int
    behaviour: TestCard


def read_card(*, number: str, expiry: str, cvc: str, today: date) -> tuple[Card | None, dict[str, str]]:
    """The card that somebody typed, or what is wrong with each of its fields."""
    digits = "".join(number.split()).replace("-", "")
    errors: dict[str, str] = {}
    if not digits:
        errors["number"] = "Enter your card number."
    elif not (digits.isdecimal() and 12 <= len(digits) <= 19 and passes_luhn(digits)):
        errors["number"] = "Your card number is invalid."
    elif digits not in _BY_NUMBER:
        errors["number"] = "This page takes test cards only: see the list below."
    month, year = _read_expiry(expiry)
    if not 1 <= month <= 12:
        errors["expiry"] = "Enter the expiry date as MM / YY."
    elif (year, month) < (today.year, today.month) or year > today.year + 50:
        errors["expiry"] = "Your card's expiration date is in the past." if year <= today.year else "Check the year."
    if not (cvc.strip().isdecimal() and len(cvc.strip()) in (3, 4)):
        errors["cvc"] = "Enter the security code, 3 or 4 digits."
    if errors:
        return None, errors
    return Card(digits, month, year, _BY_NUMBER[digits]), errors


def known_card(number: str, *, today: date) -> Card:
    """The test card with this number, valid for years."""
    card, errors = read_card(number=number, expiry=f"12 / {(today.year + 3) % 100:02d}", cvc="123", today=today)
    if card is None:
        raise ValueError(f"{number}: {'; '.join(errors.values())}")
    return card


def behaviour_of(number: str) -> TestCard:
    """What happens when somebody pays with this number; one that is not known pays."""
    return _BY_NUMBER.get(number, TEST_CARDS[0])


def passes_luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _read_expiry(expiry: str) -> tuple[int, int]:
    digits = "".join(character for character in expiry if character.isdecimal())
    if len(digits) not in (4, 6):
        return 0, 0
    year = int(digits[2:])
    return int(digits[:2]), year if year >= 100 else 2000 + year
