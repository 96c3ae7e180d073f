"""50 webhooks a second for 30 seconds against the real server, worker and sweeper: answers and credits."""

import json
import os
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal

from benchmarks import database, servers

PER_SECOND = 50
SECONDS = 30
SECRET = "whsec_benchmark"
PATIENCE_SECONDS = 30
WORKER_START_SECONDS = 4  # it has no door to knock on


@dataclass(frozen=True)
class WebhookSpeed:
    """What the run saw: statuses, milliseconds of the answers, and seconds from the last answer to the last credit."""

    sent: int
    answered_200: int
    median_milliseconds: float
    p99_milliseconds: float
    credited: int
    credited_after_seconds: float


def measure(*, per_second: int = PER_SECOND, seconds: int = SECONDS) -> WebhookSpeed:
    """Deliver one paid checkout after the other at a steady rate, then wait for the credits."""
    bodies = [_event(payment) for payment in _pending_payments(per_second * seconds)]
    port = servers.free_port()
    with _servers(port):
        time.sleep(WORKER_START_SECONDS)
        answers = _deliver(port=port, bodies=bodies, interval=1 / per_second)
        finished = time.perf_counter()
        credited = _wait_until_credited(len(bodies))
        after = time.perf_counter() - finished
    milliseconds = sorted(elapsed * 1000 for _, elapsed in answers)
    return WebhookSpeed(
        sent=len(bodies),
        answered_200=sum(status == 200 for status, _ in answers),
        median_milliseconds=milliseconds[len(milliseconds) // 2],
        p99_milliseconds=milliseconds[int(len(milliseconds) * 0.99)],
        credited=credited,
        credited_after_seconds=after,
    )


def _pending_payments(count: int) -> list[dict[str, str]]:
    from billing.models import BillingCustomer, Payment

    customers = list(BillingCustomer.objects.filter(entries__isnull=False).distinct()[: min(count, database.CUSTOMERS)])
    for customer in customers:
        customer.stripe_customer_id = f"cus_bench{customer.pk}"
    BillingCustomer.objects.bulk_update(customers, ["stripe_customer_id"])
    payments = Payment.objects.bulk_create(
        [
            Payment(
                customer=customers[number % len(customers)],
                kind="custom",
                form_key=f"bench-{number}",
                description="Benchmark",
                credits=Decimal(1000),
                amount_minor=100,
                currency="usd",
                stripe_idempotency_key=f"bench-{number}",
                checkout_session_id=f"cs_test_bench{number}",
            )
            for number in range(count)
        ]
    )
    return [
        {
            "payment": row.public_id,
            "session": str(row.checkout_session_id),
            "customer": str(row.customer.stripe_customer_id),
        }
        for row in payments
    ]


def _event(payment: dict[str, str]) -> bytes:
    session = {
        "id": payment["session"],
        "object": "checkout.session",
        "amount_subtotal": 100,
        "amount_total": 100,
        "client_reference_id": payment["payment"],
        "created": int(time.time()),
        "currency": "usd",
        "customer": payment["customer"],
        "livemode": False,
        "metadata": {"payment": payment["payment"]},
        "mode": "payment",
        "payment_intent": payment["session"].replace("cs_test_", "pi_"),
        "payment_status": "paid",
        "status": "complete",
    }
    event = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": _api_version(),
        "created": int(time.time()),
        "data": {"object": session},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "checkout.session.completed",
    }
    return json.dumps(event).encode()


def _api_version() -> str:
    from billing.gateway.client import API_VERSION

    return API_VERSION


def _servers(port: int) -> AbstractContextManager[None]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DEBUG": "0",
        "DATABASE_URL": database.url(),
        "STRIPE_SECRET_KEY": "sk_test_benchmark",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_benchmark",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "BIND": f"127.0.0.1:{port}",
        "SITE_URL": f"http://127.0.0.1:{port}",
        "LOG_FORMAT": "json",
    }
    python = sys.executable
    commands = [
        [python, "-m", "gunicorn", "--config", "config/gunicorn.py"],
        [python, *"-m celery -q -A config worker -c 2 -l error --without-gossip --without-mingle".split()],
        [python, "manage.py", "sweep"],
    ]
    return servers.running(commands=commands, environment=environment, ready_url=f"http://127.0.0.1:{port}/livez")


def _deliver(*, port: int, bodies: list[bytes], interval: float) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []
    threads = []
    start = time.perf_counter()
    for number, body in enumerate(bodies):
        time.sleep(max(0.0, start + number * interval - time.perf_counter()))
        thread = threading.Thread(target=lambda body=body: answers.append(_post(port=port, body=body)))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return answers


def _post(*, port: int, body: bytes) -> tuple[int, float]:
    from sandbox.stripe.signing import sign_payload

    header = sign_payload(payload=body, secrets=[SECRET], timestamp=int(time.time()))
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/webhooks/stripe/",
        body,
        {"Content-Type": "application/json", "Stripe-Signature": header},
    )
    start = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status, time.perf_counter() - start


def _wait_until_credited(count: int) -> int:
    from billing.models import LedgerEntry

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        credited = LedgerEntry.objects.filter(kind="purchase").count()
        if credited >= count or time.monotonic() > deadline:
            return credited
        time.sleep(0.1)
