"""Money arrives although processes die: real workers, a real broker, real kills."""

import os
import signal
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from pytest_django import Settings

from billing import wake
from billing.gateway.client import StripeGateway
from billing.models import LedgerEntry, StripeEvent
from billing.tests.processes import hanging_server, running_broker, running_command, wait_until
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_customer, make_pack, open_checkout
from billing.tests.webhooks.events import make_event, post_event
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)
SWEEP = ("manage.py", "sweep")
WORKER = ("-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "warning")


def has_credits() -> bool:
    return LedgerEntry.objects.filter(kind="purchase", amount=10_500).exists()


def paid_session(sandbox: SandboxServer, gateway: StripeGateway) -> dict[str, Any]:
    started = open_checkout(customer=make_customer(), pack=make_pack(), gateway=gateway)
    sandbox.control.pay_session(started.session_id)
    session = sandbox.control.get_object(started.session_id)
    assert session is not None
    return session


def test_worker_killed_between_the_answer_and_the_effect_loses_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = paid_session(stripe_sandbox, gateway)
    with running_broker() as broker, hanging_server() as (deaf_stripe, count_taken):
        monkeypatch.setattr(current_app.conf, "broker_url", broker.celery_url)
        monkeypatch.setattr(wake._bell, "quiet_until", 0.0)
        with running_command(*WORKER, redis_url=broker.redis_url, stripe_api_base=deaf_stripe) as worker:
            event = make_event(session, type="checkout.session.completed", api_version="2020-08-27")
            assert post_event(event).status_code == 200
            wait_until(lambda: count_taken() > 0, seconds=60)  # the worker has claimed it, and reads from Stripe
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

        claimed = StripeEvent.objects.get()
        assert (claimed.state, claimed.tries) == ("pending", 1)
        assert not LedgerEntry.objects.exists()

        with running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=stripe_sandbox.base_url) as sweeper:
            assert wait_until(has_credits, seconds=20) < 15
            sweeper.send_signal(signal.SIGTERM)
            assert sweeper.wait(timeout=10) == 0

    assert StripeEvent.objects.get().state == "done"
    assert LedgerEntry.objects.count() == 1


def test_credits_arrive_without_a_broker_and_without_a_worker(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with running_broker() as broker:
        broker.stop()
        monkeypatch.setattr(current_app.conf, "broker_url", broker.celery_url)
        monkeypatch.setattr(wake._bell, "quiet_until", 0.0)
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": broker.redis_url}}
        paid_session(stripe_sandbox, gateway)

        for signed in stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET):
            assert deliver(signed) == 200
        with running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=stripe_sandbox.base_url):
            assert wait_until(has_credits, seconds=20) < 15


@pytest.mark.usefixtures("quiet_broker")
def test_sweeper_outlives_its_database_connections(stripe_sandbox: SandboxServer, settings: Settings) -> None:
    def is_done(event_id: str) -> bool:
        return StripeEvent.objects.filter(event_id=event_id, state="done").exists()

    sweep_often = (*SWEEP, "--interval", "0.2")
    with running_command(
        *sweep_often, redis_url=settings.REDIS_URL, stripe_api_base=stripe_sandbox.base_url
    ) as sweeper:
        for _ in range(3):
            event = make_event()
            assert post_event(event).status_code == 200
            wait_until(lambda event_id=event["id"]: is_done(event_id), seconds=20)  # type: ignore[misc]
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert sweeper.poll() is None
