"""Secrets and e-mail addresses never reach a log: the last processor before the renderer takes them out."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from structlog.typing import EventDict, WrappedLogger

REDACTED: Final = "[redacted]"
SECRET_NAMES: Final = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api_?key|stripe_signature|^key$|email", re.IGNORECASE
)
PATTERNS: Final = (
    # Stripe's keys and webhook secrets, client secrets of sessions and intents, and keys of our own shape.
    (re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9_]+|\bwhsec_[A-Za-z0-9+/=_-]+"), REDACTED),
    (re.compile(r"\b((?:cs_(?:live|test)|pi|seti)_[A-Za-z0-9]+)_secret_[A-Za-z0-9%_-]+"), rf"\1_{REDACTED}"),
    (re.compile(r"\b(?!cs_)[a-z]{2,10}_(?:live|test)_[A-Za-z0-9_]{16,}"), REDACTED),
    # Headers and parameters, wherever their text turns up.
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {REDACTED}"),
    (
        re.compile(r"(?i)\b((?:set-)?cookie|authorization|stripe-signature)(['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+"),
        rf"\1\2{REDACTED}",
    ),
    (
        re.compile(
            r"(?i)\b(password|secret_key|api_key|sessionid|csrftoken|client_secret)(['\"]?\s*[:=]\s*['\"]?)[^\s,'\"&)}]+"
        ),
        rf"\1\2{REDACTED}",
    ),
    (re.compile(r"\b([a-z]+(?:\+[a-z]+)?://[^\s:/@]*):[^\s@/]+@"), rf"\1:{REDACTED}@"),
    # The links of confirmation and reset mails are keys to an account.
    (re.compile(r"(/confirm-email/|/password/reset/key/)[^\s/\"'?]+"), rf"\1{REDACTED}"),
    # So are those that unsubscribe, and the code of a voucher is money; both may stand, encoded, inside a `next=`.
    (
        re.compile(r"(?i)((?:/|%(?:25)*2F)unsubscribe(?:/|%(?:25)*2F))(?:(?!%(?:25)*(?:2F|3F|26))[^\s/\"'?&])+"),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(r"(?i)((?:[?&]|%(?:25)*(?:3F|26))code(?:=|%(?:25)*3D))(?:(?!%(?:25)*26)[^\s\"'&#<>])+"),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), REDACTED),
)
# 13 to 19 digits, in groups of four or none: somebody may paste a card's number into any field.
CARD_LIKE: Final = re.compile(r"(?<![\w.])\d{4}(?:[ +-]?\d{4}){2}[ +-]?\d{1,7}(?![\w.])")


def redact_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The same event without secrets: by the name of a field, and by the look of any text in it."""
    return {name: _redact_field(name, field) for name, field in event.items()}


def redact_text(text: str) -> str:
    """The same text with every secret and e-mail address replaced."""
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return CARD_LIKE.sub(_redact_card, text)


def _redact_card(found: re.Match[str]) -> str:
    """Nothing of a card's number; other numbers, which nine times in ten fail its check digit, stay readable."""
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return REDACTED if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]


def _redact_field(name: str, field: Any) -> Any:
    is_secret = SECRET_NAMES.search(name) and field not in (None, "") and not isinstance(field, bool | int)
    return REDACTED if is_secret else _redact(field)


def _redact(field: Any) -> Any:
    if field is None or isinstance(field, bool | int | float | Decimal | datetime | date | UUID):
        return field
    if isinstance(field, str):
        return redact_text(field)
    if isinstance(field, Mapping):
        return {str(name): _redact_field(str(name), inner) for name, inner in field.items()}
    if isinstance(field, list | tuple | set | frozenset):
        return [_redact(inner) for inner in field]
    return redact_text(repr(field))
