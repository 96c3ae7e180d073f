"""`POST /v1/images/generations`: a fixed price for each image."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from accounts.models import Scope
from billing.errors import InvalidRequest
from usage.llm.client import post_json
from usage.llm.providers import find_provider
from usage.openai.base import OpenAiView
from usage.openai.reading import read_count, read_flag, read_object
from usage.openai.serving import answer_plain, giving_up, name_call
from usage.selectors.model_providers import provider_of_model
from usage.services.calls import OpenCall, open_operation
from usage.services.served_calls import ServedCall, open_for_key

OPERATION: Final = "image"
MAX_IMAGES: Final = 10


class ImageGenerations(OpenAiView):
    """Images: held for by how many are asked for, charged by how many came."""

    scopes = {"POST": Scope.SPEND}

    def post(self, request: Request) -> HttpResponse:
        body = read_object(request.data)
        if not isinstance(body.get("prompt"), str) or not body["prompt"]:
            raise InvalidRequest(field="prompt", fault="it is no text", remedy="Say what the image should show.")
        if read_flag(body, "stream"):
            raise InvalidRequest(field="stream", fault="images do not stream here", remedy="Leave it out.")
        quantity = read_count(body, "n", most=MAX_IMAGES) or 1
        key, customer = self.key(), self.acting_for()
        event_id = name_call(request, key_id=key.key_id)

        def open_images() -> OpenCall:
            return open_operation(
                customer_id=customer.pk,
                operation=OPERATION,
                quantity=quantity,
                event_id=event_id,
                api_key=key,
                savepoint=False,
            )

        call = open_for_key(api_key=key, event_id=event_id, open_call=open_images)
        served = ServedCall(call=call, input_tokens=0)
        with giving_up(served):
            provider = find_provider(provider_of_model(model=body.get("model"), at=timezone.now()))
            answer = post_json(provider=provider, path="/images/generations", body=body)
        return answer_plain(answer=answer, served=served, end=lambda: served.end_operation(done=count_images(answer)))


def count_images(answer: dict[str, Any]) -> int:
    """How many images came."""
    images = answer.get("data")
    return len(images) if isinstance(images, list) else 0
