"""Amounts as people read and write them."""

import re

_NO_DECIMALS = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)
_THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def format_amount(amount: int, currency: str) -> str:
    """``1000, "usd"`` gives ``$10.00``; minor units by Stripe's table of currencies."""
    decimals = _decimals(currency)
    number, sign = f"{abs(amount) / 10**decimals:,.{decimals}f}", "−" if amount < 0 else ""
    return f"{sign}{_SYMBOLS[currency]}{number}" if currency in _SYMBOLS else f"{sign}{number} {currency.upper()}"


def parse_amount(text: str, currency: str) -> int:
    """``"10.00", "usd"`` gives 1000.

    Raises:
        ValueError: it is no amount of this currency.
    """
    number = re.fullmatch(r"(\d{1,12})(?:\.(\d{1,3}))?", text)
    decimals = _decimals(currency)
    if number is None or len(number[2] or "") > decimals:
        raise ValueError(f"{text} is no amount of {currency.upper()}: write it with {decimals} decimals at most.")
    return int(number[1] + (number[2] or "").ljust(decimals, "0"))


def _decimals(currency: str) -> int:
    return 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
