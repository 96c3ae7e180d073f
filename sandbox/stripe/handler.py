"""Django as the web framework of this process alone: its views, none of the project's middleware, urls or settings."""

import logging
from pathlib import Path
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import Context, Engine
from django.urls import set_urlconf

from sandbox.stripe.machine import Sandbox

logger = logging.getLogger("sandbox.stripe")

_URLCONF = "sandbox.stripe.urls"
_ENGINE = Engine(dirs=[str(Path(__file__).with_name("templates"))])
_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'"


class SandboxRequest(WSGIRequest):
    """A request that knows which sandbox it is for."""

    sandbox: Sandbox
    urlconf: str


class SandboxHandler(WSGIHandler):
    """Serves one sandbox."""

    request_class = SandboxRequest

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """None: the project's middleware belongs to the product."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with a view of the sandbox; what it raises is logged and answered with a 500."""
        request.sandbox = self.sandbox  # type: ignore[attr-defined]
        request.urlconf = _URLCONF
        set_urlconf(_URLCONF)
        try:
            response: HttpResponseBase = self._get_response(request)  # type: ignore[attr-defined]
            if isinstance(response, HttpResponse):
                response["Content-Length"] = str(len(response.content))  # without it the connection is not kept
            return response
        except Http404 as error:
            return HttpResponse(f"Not found. {error}", status=404, content_type="text/plain")
        except Exception:
            logger.exception("The sandbox failed at %s %s", request.method, request.path)
            self.sandbox.record_breaches(f"{request.method} {request.path}", ["the sandbox failed, see its log"])
            return HttpResponse("The sandbox failed; its log says why.", status=500, content_type="text/plain")


def sandbox_of(request: HttpRequest) -> Sandbox:
    """The sandbox that a request is for."""
    sandbox: Sandbox = request.sandbox  # type: ignore[attr-defined]
    return sandbox


def render_page(
    template: str, context: dict[str, Any], *, status: int = 200, may_be_framed: bool = False
) -> HttpResponse:
    """A page of the sandbox, with a policy that allows nothing but its own files."""
    html = _ENGINE.get_template(template).render(Context(context))
    response = HttpResponse(html, status=status)
    response["Content-Security-Policy"] = _POLICY + ("" if may_be_framed else "; frame-ancestors 'none'")
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    return response
