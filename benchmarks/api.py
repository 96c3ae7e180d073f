"""The REST API by real HTTP: debits and holds against a bare view of the same server, and batches of usage events."""

import os
import secrets
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from benchmarks import database, servers
from benchmarks.load import Client, Load, run_clients

CLIENTS = (1, 8, 32)
SECONDS = 6.0
ROUNDS = 3
BATCH = 1_000
BATCH_SECONDS = 12.0
BATCH_CLIENTS = 2


@dataclass(frozen=True)
class ApiSpeed:
    """What `clients` clients got of each, and the median over the rounds of debits (holds) per bare answer."""

    clients: int
    bare: Load
    debit: Load
    hold_and_settle: Load
    debit_ratio: float
    hold_ratio: float


def measure() -> list[ApiSpeed]:
    """Alternate the three operations, so that a busy moment of the machine hits all of them."""
    port = servers.free_port()
    keys = make_keys(max(CLIENTS))
    with serving(port):
        run_clients(port=port, keys=keys[:8], seconds=2, operation=_bare)
        return [_measure(port=port, keys=keys[:clients]) for clients in CLIENTS]


def measure_events() -> float:
    """Usage events a second, end to end, by batches of 1,000 from a few clients at once."""
    from billing.services.prices import ModelTerms, set_price

    set_price(
        terms=ModelTerms(
            model="bench-model",
            provider="openai",
            input_usd_per_1k=Decimal("0.00025"),
            cached_input_usd_per_1k=Decimal("0.000025"),
            output_usd_per_1k=Decimal("0.002"),
            markup_percent=Decimal(20),
        )
    )
    port = servers.free_port()
    keys = make_keys(BATCH_CLIENTS)
    with serving(port):
        run_clients(port=port, keys=keys, seconds=2, operation=_events)
        load = run_clients(port=port, keys=keys, seconds=BATCH_SECONDS, operation=_events)
    return load.per_second * BATCH


def make_keys(count: int) -> list[str]:
    """An API key for each of some customers."""
    from accounts.api_keys import issue_key
    from accounts.models import User

    users = User.objects.order_by("pk")[:count]
    return [issue_key(user=user, name="Benchmark", scopes=["read", "spend"]).text for user in users]


def serving(port: int, **variables: str) -> AbstractContextManager[None]:
    """The real server, as `make run` starts it, on a port of its own."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "DEBUG": "0",
        "DATABASE_URL": database.url(),
        "STRIPE_SECRET_KEY": "sk_test_benchmark",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_benchmark",
        "STRIPE_WEBHOOK_SECRET": "whsec_benchmark",
        "BIND": f"127.0.0.1:{port}",
        "SITE_URL": f"http://127.0.0.1:{port}",
        "LOG_FORMAT": "json",
        **variables,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"]
    return servers.running(commands=[command], environment=environment, ready_url=f"http://127.0.0.1:{port}/livez")


def _measure(*, port: int, keys: list[str]) -> ApiSpeed:
    rounds = [
        [
            run_clients(port=port, keys=keys, seconds=SECONDS, operation=work)
            for work in (_bare, _debit, _hold_and_settle)
        ]
        for _ in range(ROUNDS)
    ]
    bare, debit, holding = sorted(rounds, key=lambda loads: loads[1].per_second / loads[0].per_second)[ROUNDS // 2]
    return ApiSpeed(
        clients=len(keys),
        bare=bare,
        debit=debit,
        hold_and_settle=holding,
        debit_ratio=median(loads[1].per_second / loads[0].per_second for loads in rounds),
        hold_ratio=median(loads[2].per_second / loads[0].per_second for loads in rounds),
    )


def _bare(client: Client, number: int, turn: int) -> None:
    client.post("/bare", {"amount": "0.5", "description": "Benchmark"}, status=200)


def _debit(client: Client, number: int, turn: int) -> None:
    body = {"amount": "0.5", "description": "Benchmark"}
    client.post("/api/v1/debits", body, name=secrets.token_hex(12))


def _hold_and_settle(client: Client, number: int, turn: int) -> None:
    hold = client.post("/api/v1/holds", {"amount": "2"}, name=secrets.token_hex(12))["id"]
    client.post(f"/api/v1/holds/{hold}/settle", {"amount": "0.5"}, name=secrets.token_hex(12), status=200)


def _events(client: Client, number: int, turn: int) -> None:
    name = secrets.token_hex(8)
    events = [
        {"id": f"{name}-{index}", "model": "bench-model", "input_tokens": 900 + index, "output_tokens": 120}
        for index in range(BATCH)
    ]
    answer = client.post("/api/v1/usage-events", {"events": events}, status=200)
    if answer["posted"] != BATCH:
        raise RuntimeError(f"Of {BATCH} events {answer['posted']} were posted.")
