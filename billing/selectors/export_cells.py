"""The cells of an export: what a value becomes in a file that a spreadsheet opens. All of them are written by these."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

Cell = str | int | Decimal | datetime | None

# What makes a spreadsheet read a cell as a formula, also in its full-width form: OWASP ASVS 5.0, 1.2.10.
_FORMULA_STARTS: Final = tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")


def neutralise_formula(text: str) -> str:
    """`text` as a spreadsheet shows it without computing: an apostrophe goes before what could be a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def safe_cell(value: Cell) -> str | int | Decimal:
    """The value for a file of text: every text without a formula, a time in UTC, a number exact, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return neutralise_formula(value) if isinstance(value, str) else value
