"""`POST /v1/embeddings`."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from accounts.models import Scope
from billing.errors import InvalidRequest
from usage.openai.base import OpenAiView
from usage.openai.reading import read_model, read_object
from usage.openai.serving import answer_plain, fetch_answer, giving_up, name_call
from usage.services.calls import OpenCall, open_estimated_call
from usage.services.estimating import estimate_call
from usage.services.served_calls import ServedCall, open_for_key
from usage.services.tokens import count_tokens


class Embeddings(OpenAiView):
    """Vectors for texts: held for by their tokens, charged by what the provider reports."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> HttpResponse:
        body = read_object(request.data)
        model = read_model(body)
        tokens = count_input(body.get("input"), model=model)
        key, customer = self.key(), self.acting_for()
        event_id = name_call(request, key_id=key.key_id)

        estimate = estimate_call(
            customer_id=customer.pk, model=model, input_tokens=tokens, max_tokens=0, at=timezone.now()
        )

        def open_embeddings() -> OpenCall:
            return open_estimated_call(
                customer_id=customer.pk, estimate=estimate, event_id=event_id, api_key=key, savepoint=False
            )

        call = open_for_key(api_key=key, event_id=event_id, open_call=open_embeddings)
        served = ServedCall(call=call, input_tokens=tokens)
        with giving_up(served):
            answer = fetch_answer(call=call, path="/embeddings", body=body)
        served.report(answer.get("usage"))
        return answer_plain(answer=answer, served=served, end=lambda: served.end(is_whole=bool(answer.get("data"))))


def count_input(given: Any, *, model: str) -> int:
    """Tokens of an input: a text, texts, tokens, or lists of tokens.

    Raises:
        InvalidRequest: it is none of these.
    """
    parts = given if isinstance(given, list) else [given]
    if not parts:
        raise _refuse_input()
    return sum(_count_part(part, model=model) for part in parts)


def _count_part(part: Any, *, model: str) -> int:
    if isinstance(part, str):
        return count_tokens(part, model=model)
    if isinstance(part, int) and not isinstance(part, bool):
        return 1
    if isinstance(part, list) and all(isinstance(token, int) for token in part):
        return len(part)
    raise _refuse_input()


def _refuse_input() -> InvalidRequest:
    return InvalidRequest(field="input", fault="it is nothing that can be embedded", remedy="Send a text, or texts.")
