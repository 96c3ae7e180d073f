"""Amounts as people read them."""

_NO_DECIMALS = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)
_THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def format_amount(amount: int, currency: str) -> str:
    """``1000, "usd"`` gives ``$10.00``; minor units by Stripe's table of currencies."""
    decimals = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    number = f"{amount / 10**decimals:,.{decimals}f}"
    return f"{_SYMBOLS[currency]}{number}" if currency in _SYMBOLS else f"{number} {currency.upper()}"
