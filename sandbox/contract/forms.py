"""Stripe's form encoding: nested brackets and arrays."""

import re
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

Form: TypeAlias = dict[str, Any]

_BRACKETS = re.compile(r"\[([^\]]*)\]")


def decode_form(encoded: str) -> Form:
    """The nested fields of a form: ``a[b]=1&c[]=2&c[1]=3`` gives ``{"a": {"b": "1"}, "c": {"0": "2", "1": "3"}}``.

    Arrays stay objects keyed by position, because only the schema tells an array from an object.
    """
    form: Form = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        head = name.split("[", 1)[0]
        keys = [head, *_BRACKETS.findall(name[len(head) :])]
        level = form
        for key in keys[:-1]:
            below = level.setdefault(_position(level, key), {})
            if not isinstance(below, dict):  # "a=1&a[b]=2": the later one wins, as with a repeated plain field
                below = level[key] = {}
            level = below
        level[_position(level, keys[-1])] = value
    return form


def _position(level: Form, key: str) -> str:
    return key or str(len(level))
