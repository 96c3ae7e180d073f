"""`POST /v1/chat/completions`."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request

from accounts.models import Scope
from billing.models import BillingCustomer
from usage.openai.base import OpenAiView
from usage.openai.reading import keep_within_plan, read_chat
from usage.openai.serving import answer_plain, fetch_answer, giving_up, name_call
from usage.openai.streaming import answer_stream
from usage.openai.texts import texts_of
from usage.services.calls import OpenCall, open_estimated_call
from usage.services.estimating import Estimate, estimate_call
from usage.services.served_calls import ServedCall, open_for_key
from usage.services.tokens import count_message_tokens

PATH = "/chat/completions"


class ChatCompletions(OpenAiView):
    """A completion, whole or as a stream: held for before, charged after."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> HttpResponseBase:
        chat = read_chat(request.data)
        customer = self.acting_for()
        estimate = estimate_call(
            customer_id=customer.pk,
            model=chat.model,
            input_tokens=count_message_tokens(chat.messages, model=chat.model, tools=chat.extras),
            max_tokens=chat.max_tokens,
            at=timezone.now(),
            answers=chat.answers,
        )
        served = self._open(customer, estimate)
        chat = keep_within_plan(chat, room=estimate.answer_room)
        if chat.is_stream:
            return answer_stream(served=served, chat=chat, path=PATH)
        with giving_up(served):
            answer = fetch_answer(call=served.call, path=PATH, body=chat.body)
        served.report(answer.get("usage"))
        for text in texts_of(answer, "message"):
            served.deliver(text)
        return answer_plain(answer=answer, served=served, end=served.end)

    def _open(self, customer: BillingCustomer, estimate: Estimate) -> ServedCall:
        key = self.key()
        event_id = name_call(self.request, key_id=key.key_id)

        def open_chat() -> OpenCall:
            return open_estimated_call(
                customer_id=customer.pk, estimate=estimate, event_id=event_id, api_key=key, savepoint=False
            )

        call = open_for_key(api_key=key, event_id=event_id, open_call=open_chat)
        return ServedCall(call=call, input_tokens=estimate.input_tokens)
