"""The sandbox as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stripe
from django.test import override_settings

from sandbox.stripe.refusals import Refused, find_refusal
from sandbox.stripe.server import SandboxServer
from sandbox.tests.stripe.shop import Shop, wait_until

_CLEAN = {
    name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "DJANGO_", "DEBUG", "PYTEST_"))
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(port: int, state: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "sandbox.stripe", "--port", str(port), "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_CLEAN)
    try:
        assert process.stdout
        assert str(port) in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


def test_state_survives_a_restart_and_the_end_is_clean(tmp_path: Path) -> None:
    port, state = free_port(), tmp_path / "var" / "sandbox.sqlite3"
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": f"http://127.0.0.1:{port}"})
    with running(port, state) as process:
        customer = client.v1.customers.create({"email": "ada@example.com"}, {"idempotency_key": "k1"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0

    with running(port, state) as process:
        assert client.v1.customers.retrieve(customer.id).email == "ada@example.com"
        again = client.v1.customers.create({"email": "ada@example.com"}, {"idempotency_key": "k1"})
        assert again.id == customer.id
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


def test_taken_port_is_said_plainly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "sandbox.stripe", "--state", ":memory:"]
        command += ["--port", str(taken.getsockname()[1])]

        ended = subprocess.run(command, capture_output=True, text=True, env=_CLEAN, timeout=30, check=False)

    assert ended.returncode == 2
    assert "is taken" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"STRIPE_SECRET_KEY": "sk_live_x"},
        {"STRIPE_SECRET_KEY": "rk_live_x"},
        {"STRIPE_PUBLISHABLE_KEY": "pk_live_x"},
        {"DJANGO_SETTINGS_MODULE": "config.settings.production"},
        {"DEBUG": "False"},
    ],
)
def test_it_refuses_to_start_beside_real_money(environ: dict[str, str]) -> None:
    assert find_refusal(environ)


def test_it_refuses_settings_with_a_live_key() -> None:
    with override_settings(STRIPE_SECRET_KEY="sk_live_x"), pytest.raises(Refused, match="live key"):
        SandboxServer().start()


def test_process_says_why_it_does_not_start() -> None:
    command = [sys.executable, "-m", "sandbox.stripe", "--state", ":memory:"]
    environ = {**_CLEAN, "STRIPE_SECRET_KEY": "sk_live_x"}

    ended = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=30, check=False)

    assert ended.returncode == 2
    assert "STRIPE_SECRET_KEY is a live key" in ended.stderr


def test_it_starts_beside_test_keys() -> None:
    environ = {"STRIPE_SECRET_KEY": "sk_test_x", "DJANGO_SETTINGS_MODULE": "config.settings.local", "DEBUG": "1"}

    assert find_refusal(environ) is None


def test_bank_debit_ends_by_itself_where_asked_to() -> None:
    server = SandboxServer(settle_after_seconds=0.1)
    server.start()
    shop = Shop(server)
    good, bad = shop.open_session(), shop.open_session()

    shop.control.pay_session(good.id, method="bank_debit")
    shop.control.pay_session(bad.id, method="bank_debit", settles=False)

    wait_until(lambda: "checkout.session.async_payment_failed" in shop.event_types())
    wait_until(lambda: shop.read_session(good.id).payment_status == "paid")
    assert server.breaches == []
    server.stop()
