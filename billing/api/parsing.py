"""Bodies: JSON only, of a bounded size, and no field that nobody reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import IO, Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from billing.errors import InvalidAmount
from billing.money import parse_credits

_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,6})?", re.ASCII)
MAX_BODY_BYTES: Final = 1024 * 1024  # a batch of a thousand events, and then some
MAX_DEPTH: Final = 100


class BodyTooLarge(APIException):
    """More than anybody needs to say."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = f"A body has at most {MAX_BODY_BYTES} bytes."


class BoundedJsonParser(BaseParser):
    """Reads a JSON body of at most `max_bytes`.

    It is no JSONParser: to those the framework gives a body that it has read whole, whatever its size.
    """

    media_type = "application/json"
    max_bytes: ClassVar[int] = MAX_BODY_BYTES

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise BodyTooLarge(f"A body has at most {self.max_bytes} bytes.")
        try:
            text = body.decode("utf-8")
            read = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is not JSON in UTF-8.") from error
        if _is_deep(read):
            raise ParseError(f"The body has lists or objects in more than {MAX_DEPTH} others.")
        if "\\ud" in text or "\\uD" in text:
            _refuse_halves(read)
        return read


def _is_deep(read: Any) -> bool:
    """Whether it is nested deeper than anybody means: what can be read just so could not be written again."""
    level = [read]
    for _ in range(MAX_DEPTH + 1):
        level = [part for outer in level for part in _parts_of(outer) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _parts_of(read: Any) -> Iterable[Any]:
    if isinstance(read, dict):
        return read.values()
    return read if isinstance(read, list) else ()


def _refuse_halves(read: Any) -> None:
    """Halves of a surrogate pair are no characters: nobody could store them, or repeat them in an answer."""
    if not _is_unicode(read):
        fields = read if isinstance(read, dict) and all(map(_is_unicode, read)) else {}
        faults = {name: ["It has half a character."] for name, value in fields.items() if not _is_unicode(value)}
        raise serializers.ValidationError(faults) if faults else ParseError("The body has half a character.")


def _is_unicode(read: Any) -> bool:
    try:
        json.dumps(read, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class AlwaysJson(BaseContentNegotiation):
    """JSON whatever is asked for: there is nothing else to choose."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """The parser of JSON, if the body says that it is JSON."""
        return parsers[0] if is_json(request.content_type) else None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know by their names: a misspelt one must not be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(str(name) for name in set(data) - set(self.fields))):
            raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """Text in a body: a number is none, though it could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Send text.")
        if self.max_length is not None and len(data) > self.max_length:  # as it was sent, before it is trimmed
            self.fail("max_length", max_length=self.max_length)
        return str(super().to_internal_value(data))


class WholeNumberField(serializers.IntegerField):
    """A whole number in a body: neither text nor a fraction nor a truth."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("Send a whole number.")
        return int(super().to_internal_value(data))


class CreditsField(serializers.Field[Decimal, Any, str, Any]):
    """Credits: a decimal string or a whole number, at most six places; below zero only where that means something."""

    def __init__(self, *, is_signed: bool = False, **options: Any) -> None:
        self.is_signed = is_signed
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Decimal:
        """The amount.

        Raises:
            InvalidAmount: none; it names the field and what to send.
        """
        field = self.field_name or "amount"
        if isinstance(data, str) and not _DECIMAL.fullmatch(data):
            raise InvalidAmount(field=field, fault=f"{data[:40]!r} is not a decimal number")
        amount = parse_credits(data, field=field)
        if amount < 0 and not self.is_signed:
            raise InvalidAmount(field=field, fault=f"{amount.normalize():f} is below zero")
        return amount

    def to_representation(self, value: Decimal) -> str:
        return str(value)


def is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")
