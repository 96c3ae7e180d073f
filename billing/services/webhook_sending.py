"""Sends messages that are due: claims and records here, with the network on a few threads that see no database."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Final

import structlog
from django.utils import timezone

from billing import conf
from billing.outgoing.addresses import UrlRefused, read_target
from billing.outgoing.posting import Answer, post_message
from billing.outgoing.signing import signed_headers
from billing.services.sealing import CannotUnseal
from billing.services.webhook_claims import Claim, claim_delivery, record_answer
from billing.services.webhook_endpoints import secrets_of

THREADS: Final = 8
SWEEPER_SECONDS: Final = 5.0  # the sweeper has other chores
WORKER_SECONDS: Final = 60.0
log = structlog.get_logger(__name__)


def send_due_deliveries(
    *, limit: int = 10_000, seconds: float = SWEEPER_SECONDS, should_stop: Callable[[], bool] = lambda: False
) -> int:
    """Send what is due, several endpoints at a time; gives how many messages were tried.

    After `seconds`, `limit` messages or `should_stop` nothing new is begun; what is on its way is waited for.
    """
    until = time.monotonic() + seconds
    count = 0
    sending: dict[Future[Answer], tuple[Claim, datetime]] = {}
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks") as pool:
        while True:
            while len(sending) < THREADS and count < limit and time.monotonic() < until and not should_stop():
                claim = claim_delivery(now=timezone.now())
                if claim is None:
                    break
                begun_at = timezone.now()
                sending[pool.submit(_prepare(claim, begun_at))] = claim, begun_at
                count += 1
            if not sending:
                return count
            done, _ = wait(sending, return_when=FIRST_COMPLETED)
            for future in done:
                claim, begun_at = sending.pop(future)
                record_answer(claim=claim, answer=_answer_of(future), attempted_at=begun_at)


def _answer_of(future: Future[Answer]) -> Answer:
    """A fault of ours with one message is that message's failure, and keeps no other waiting."""
    try:
        return future.result()
    except Exception as error:
        log.exception("webhook_not_sent", alarm=True, error=type(error).__name__)
        return Answer(error="It could not be sent.")


def _prepare(claim: Claim, now: datetime) -> Callable[[], Answer]:
    """The request with everything that the database and the settings know of it."""
    delivery, endpoint = claim.delivery, claim.endpoint
    try:
        target = read_target(endpoint.url, may_be_loopback=conf.webhooks_may_reach_loopback())
        secrets = secrets_of(endpoint=endpoint, now=now)
    except UrlRefused as refusal:
        answer = Answer(error=str(refusal))
        return lambda: answer
    except CannotUnseal:
        answer = Answer(error="Its secret cannot be read any more. Rotate it.")
        return lambda: answer
    headers = signed_headers(
        message_id=delivery.message_id, body=delivery.body, sent_at=now.astimezone(UTC), secrets=secrets
    )
    body = delivery.body.encode()
    return lambda: post_message(target=target, headers=headers, body=body)
