"""From the hold to the provider's answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.http import HttpResponse
from rest_framework.request import Request

from billing.api.idempotency import HEADER, read_idempotency_key
from billing.errors import InvalidRequest
from usage.llm.client import post_json
from usage.llm.failures import UpstreamFailure
from usage.llm.providers import find_provider
from usage.models import UsageEvent
from usage.openai.receipts import FIELD, receipt_headers, receipt_of
from usage.services.call_events import OpenCall
from usage.services.served_calls import ServedCall

MAX_KEY_LENGTH: Final = 150


def name_call(request: Request, *, key_id: str) -> str:
    """What the call is called: by its `Idempotency-Key`, which is the API key's own, else by chance.

    Raises:
        InvalidRequest: the header cannot be used.
    """
    if HEADER not in request.headers:
        return f"openai:{uuid.uuid4()}"
    name = read_idempotency_key(request)
    if len(name) > MAX_KEY_LENGTH:
        raise InvalidRequest(field=HEADER, fault="it is too long", remedy=f"Send 1 to {MAX_KEY_LENGTH} characters.")
    return f"openai:{key_id}:{name}"


@contextmanager
def giving_up(served: ServedCall) -> Iterator[None]:
    """Whatever goes wrong inside: nothing was delivered, so the hold is released and nothing is charged."""
    try:
        yield
    except UpstreamFailure as failure:
        served.end(failure=failure.reason)
        raise
    except BaseException as error:
        served.end(failure=type(error).__name__)
        raise


def fetch_answer(*, call: OpenCall, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The provider's answer, of the provider that the call's price names.

    Raises:
        UpstreamFailure: there is none.
    """
    return post_json(provider=find_provider(provider_of(call)), path=path, body=body)


def provider_of(call: OpenCall) -> str:
    """The name of the provider that the call's price was made for."""
    return call.price.provider if call.price is not None else ""


def answer_plain(*, answer: dict[str, Any], served: ServedCall, end: Callable[[], UsageEvent]) -> HttpResponse:
    """Charge by `end`, and give the provider's answer with its cost."""
    receipt = receipt_of(served, end())
    text = json.dumps({**answer, FIELD: receipt})
    return HttpResponse(text, content_type="application/json", headers=receipt_headers(receipt))
