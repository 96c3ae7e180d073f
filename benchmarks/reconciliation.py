"""Reconciliation of 5,000 and of 20,000 payments: time and peak memory of the command's own process."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import database, servers

SIZES = (5_000, 20_000)
REFUNDED_PERCENT, DISPUTED_PERCENT = 4, 1  # nobody has told us of them, so they are findings
ROUNDS = 2
# A process of its own between us and the command: the peak of a new process begins with what its parent held.
_RUN = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], "wb")).returncode
seconds = time.perf_counter() - start
print(json.dumps([code, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


@dataclass(frozen=True)
class Reconciled:
    """One size: the better time of the rounds, and the most memory that any took."""

    payments: int
    findings: int
    seconds: float
    peak_megabytes: float


def measure() -> list[Reconciled]:
    """Each size in a database and a stand-in of its own."""
    return [_measure(size) for size in SIZES]


def _measure(size: int) -> Reconciled:
    database.recreate()
    port = servers.free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "sandbox.stripe", "--port", str(port), "--state", ":memory:"]
    with servers.running(commands=[command], environment={**os.environ, "DEBUG": "1"}, ready_url=f"{base}/sandbox/"):
        _make_payments(size, base=base)
        rounds = [_reconcile(base) for _ in range(ROUNDS)]
    return Reconciled(
        payments=size,
        findings=rounds[0][2],
        seconds=min(seconds for seconds, _, _ in rounds),
        peak_megabytes=max(peak for _, peak, _ in rounds),
    )


def _make_payments(size: int, *, base: str) -> None:
    """As many payments here as there, recorded as their webhooks would have."""
    from django.db import connection
    from django.utils import timezone

    from billing.models import BillingCustomer, Payment

    customer = BillingCustomer.objects.create()
    payments = [
        Payment(customer=customer, kind="custom", form_key=f"bench-{number}", description="Benchmark", credits=1000,
                amount_minor=1000, currency="usd", stripe_idempotency_key=f"bench-{number}")
        for number in range(size)
    ]  # fmt: skip
    answer = _post(
        f"{base}/sandbox/api/fill_payments",
        {
            "payments": [{"reference": payment.public_id} for payment in payments],
            "refunded_percent": REFUNDED_PERCENT,
            "disputed_percent": DISPUTED_PERCENT,
            "with_events": True,
        },
    )
    now = timezone.now()
    for payment, ids in zip(payments, answer, strict=True):
        payment.checkout_session_id, payment.payment_intent_id = ids["session"], ids["payment_intent"]
        payment.charge_id, payment.invoice_id = ids["charge"], ids["invoice"]
        payment.paid_at = payment.completed_at = now
        payment.paid_amount_minor = payment.paid_subtotal_minor = 1000
        payment.paid_currency, payment.posting_count = "usd", 1
    Payment.objects.bulk_create(payments, batch_size=1000)
    _store_events(base)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _store_events(base: str) -> None:
    """Every event has come, so none is missed."""
    from datetime import timedelta

    from django.utils import timezone

    from billing.gateway.client import StripeGateway
    from billing.gateway.listing import Window
    from billing.models import StripeEvent
    from billing.webhooks.dispatch import HANDLERS

    gateway = StripeGateway(secret_key="sk_test_benchmark", api_base=base)
    window = Window(since=timezone.now() - timedelta(days=3))
    for page in gateway.page_events(window=window, types=tuple(HANDLERS)):
        StripeEvent.objects.bulk_create(
            StripeEvent(
                event_id=one.envelope.id, type=one.envelope.type, livemode=False, body="{}", state="done",
                occurred_at=one.created_at, done_at=one.created_at,
            )
            for one in page
        )  # fmt: skip


def _reconcile(base: str) -> tuple[float, float, int]:
    """Seconds, peak megabytes and findings of one run of the command, as an operator runs it."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DEBUG": "0",
        "DATABASE_URL": database.url(),
        "STRIPE_SECRET_KEY": "sk_test_benchmark",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_benchmark",
        "STRIPE_WEBHOOK_SECRET": "whsec_benchmark",
        "STRIPE_API_BASE": base,
        "LOG_FORMAT": "json",
    }
    with tempfile.NamedTemporaryFile() as output:
        answer = subprocess.run(
            [sys.executable, "-c", _RUN, output.name, sys.executable, "manage.py", "reconcile_stripe", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        ).stdout
        told = json.load(output)
    code, seconds, peak_kilobytes = json.loads(answer)
    if code != 1:
        raise RuntimeError(f"Findings are left, so the exit code should be 1, not {code}.")
    return seconds, peak_kilobytes / 1024, len(told["findings"])


def _post(address: str, values: Mapping[str, Any]) -> Any:
    request = urllib.request.Request(address, json.dumps(values).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)["result"]
