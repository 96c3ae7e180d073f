"""What every address below `/v1/` is built on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey
from billing.api.authentication import KeyAuthentication
from billing.api.base import CallerView
from billing.api.callers import caller_key
from billing.api.parsing import BoundedJsonParser
from usage.openai.errors import answer_openai

MAX_BODY_BYTES: Final = 20 * 1024 * 1024  # pictures come inside of messages


class RequestParser(BoundedJsonParser):
    """JSON as everywhere, with room for pictures."""

    max_bytes = MAX_BODY_BYTES


class OpenAiView(CallerView):
    """An address for API keys alone; a browser's session is no client of it."""

    authentication_classes = [KeyAuthentication]
    parser_classes = [RequestParser]
    schema = None  # OpenAI describes these; ours describes /api/v1/

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """Refusals in OpenAI's shape."""
        return answer_openai

    def key(self) -> ApiKey:
        """The API key of the request; authentication has let in nobody without one."""
        key = caller_key(self.request)
        if key is None:
            raise TypeError("Somebody without an API key was let in.")
        return key


class NoSuchModelAddress(OpenAiView):
    """404 in OpenAI's shape, for every address below `/v1/` that there is not."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(
            "There is no such address. There are: "
            "/v1/chat/completions, /v1/embeddings, /v1/images/generations and /v1/models."
        )
