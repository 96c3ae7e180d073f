"""Takes personal data out of the JSON of a webhook and leaves every other byte as it was received (pure).

By the names of keys, with everything beneath them, and by the look of any text: an e-mail address goes wherever it is.
Ids, amounts, currencies, statuses, times and metadata stay, so that the event can still be read and replayed.
"""

import json
import re
from dataclasses import dataclass

REDACTED = "[redacted]"

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_EMAIL = re.compile(r"""[^\s@<>"',;:/?=&()\[\]]+(?:@|%40)[^\s@<>"',;:/?=&()\[\]]+\.[^\s@<>"',;:/?=&()\[\]]+""")
# Ids of Stripe's that stand beneath a key of a person: of tax ids, of files that prove something.
_STRIPE_ID = re.compile(r"(?:acct|ba|card|cus|file|pm|src|txi|txr)_[A-Za-z0-9]{8,}")

# Names of keys. `description` and the like are texts in which people write about people.
_PERSONAL = re.compile(
    r"(?:.*_)?(?:email|phone|address|ip)|name|(?:account|account_holder|business|card_?holder|customer|first|full"
    r"|individual|last|recipient|sender|user|verified)_name|address_.*|line[12]|postal_code|zip|dob|user_agent"
    r"|(?:.*_)?(?:billing_details|customer_details|shipping_details)|shipping|customer_shipping|owner|evidence"
    r"|(?:customer_)?tax_ids?|vat_id|collected_information|custom_fields|description",
    re.IGNORECASE,
)
# Beneath a personal key these say nothing about a person.
_HARMLESS = re.compile(r"id|object|currency|livemode|(?:.*_)?amount(?:_.*)?|created", re.IGNORECASE)


@dataclass(slots=True)
class _Level:
    """An object or array that is open, and what holds for the values in it."""

    is_object: bool
    is_personal: bool
    key: str = ""
    expects_key: bool = False


def redact_json(text: str) -> str:
    """The same JSON with personal values replaced by "[redacted]"; twice is the same as once.

    Raises:
        ValueError: it is no JSON.
    """
    json.loads(text)
    pieces: list[str] = []
    levels = [_Level(is_object=False, is_personal=False)]
    end = 0
    for found in _TOKEN.finditer(text):
        pieces += [text[end : found.start()], _redact_piece(found[0], levels)]
        end = found.end()
    return "".join([*pieces, text[end:]])


def redact_words(text: str) -> str:
    """A text without e-mail addresses."""
    return _EMAIL.sub(REDACTED, text)


def _redact_piece(piece: str, levels: list[_Level]) -> str:
    """The piece of JSON as it is to be written; follows objects and arrays as they open and end."""
    level = levels[-1]
    match piece:
        case "{" | "[":
            is_object = piece == "{"
            personal = _is_personal(level)
            levels.append(_Level(is_object=is_object, is_personal=personal, expects_key=is_object))
        case "}" | "]":
            levels.pop()
        case ",":
            level.expects_key = level.is_object
        case ":":
            level.expects_key = False
        case _ if level.expects_key:
            level.key = json.loads(piece)
            return _quoted() if _EMAIL.search(level.key) else piece
        case _ if piece.startswith('"'):
            return _redact_string(piece, level)
        case _ if piece not in ("true", "false", "null") and _is_personal(level):
            return _quoted()
    return piece


def _redact_string(piece: str, level: _Level) -> str:
    value: str = json.loads(piece)
    if value and _is_personal(level) and not _STRIPE_ID.fullmatch(value):
        return _quoted()
    return _quoted() if _EMAIL.search(value) else piece


def _is_personal(level: _Level) -> bool:
    """Whether the next value of a level says something about a person."""
    if not level.is_object:
        return level.is_personal
    if level.is_personal:
        return not _HARMLESS.fullmatch(level.key)
    return bool(_PERSONAL.fullmatch(level.key))


def _quoted() -> str:
    return f'"{REDACTED}"'
