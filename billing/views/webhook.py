"""Where Stripe delivers events."""

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import conf, wake
from billing.errors import WebhookRefused
from billing.models import EventState
from billing.services.gateway import configured_gateway
from billing.webhooks.inbox import store_event

MAX_BODY_BYTES = 256 * 1024
log = structlog.get_logger(__name__)


class BodyTooLarge(Exception):
    """More was sent than any event of Stripe's can be."""


@csrf_exempt  # Stripe has no cookie of ours; its signature stands in for the token
@require_POST
def receive_stripe_event(request: HttpRequest) -> HttpResponse:
    """Prove the delivery, store it, answer 200, and only then have somebody work it off."""
    if not conf.stripe_webhook_secrets():
        log.error("webhook_secret_missing", alarm=True)
        return _answer(503, "This endpoint has no signing secret yet.")
    try:
        body = _read_body(request)
    except BodyTooLarge:
        return _answer(413, f"An event has at most {MAX_BODY_BYTES} bytes.")
    except UnreadablePostError:
        return _answer(400, "The body ended early.")
    try:
        event = configured_gateway().verify_webhook(body=body, header=request.headers.get("Stripe-Signature", ""))
    except WebhookRefused as refusal:
        log.warning("webhook_refused", reason=str(refusal))
        return _answer(400, str(refusal))
    if store_event(event=event, body=body) is EventState.PENDING:
        wake.wake_task(name=wake.WORK_OFF_EVENT, arguments=(event.id,))
    return _answer(200, "Stored.")


def _read_body(request: HttpRequest) -> bytes:
    """The raw body, of which no more is read than an event may have, whatever its declared length says."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise BodyTooLarge
    stream = request
    if not declared and request.META.get("wsgi.input_terminated"):
        stream = request.META["wsgi.input"]  # sent in chunks: Django reads nothing without a declared length
    body: bytes = stream.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    return body


def _answer(status: int, text: str) -> HttpResponse:
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
