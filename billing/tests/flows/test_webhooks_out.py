"""Webhooks arrive although Redis, workers and receivers are away for a while: real processes, real kills."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery import current_app
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from billing import wake
from billing.models import WebhookDelivery, WebhookEndpoint
from billing.services.notice_expansion import expand_due_notices
from billing.services.webhook_sending import send_due_deliveries
from billing.tests.integrator import pass_time, say, subscribe
from billing.tests.outgoing.receiver import Receiver, running_receiver
from billing.tests.processes import running_broker, running_command, wait_until
from billing.tests.shop import make_customer
from billing.tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)
SWEEP = ("manage.py", "sweep", "--interval", "0.5")
WORKER = ("-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "warning")
NO_STRIPE = "http://127.0.0.1:9"


@pytest.fixture
def receiver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    monkeypatch.setenv("PREPAID_TEST_WEBHOOKS", "1")
    with running_receiver() as running:
        yield running


def test_redis_and_worker_that_are_down_for_a_while_lose_and_double_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = [make_customer() for _ in range(3)]
    subscribe(None, receiver.url)
    said = []
    with running_broker() as broker:
        monkeypatch.setattr(current_app.conf, "broker_url", broker.celery_url)
        monkeypatch.setattr(wake._bell, "quiet_until", 0.0)
        with running_command(*WORKER, redis_url=broker.redis_url, stripe_api_base=NO_STRIPE) as worker:
            said += [say(customer).public_id for customer in customers]
            wait_until(lambda: len(receiver.received) == 3, seconds=60)

            receiver.wait_seconds = 3
            said.append(say(customers[0]).public_id)
            wait_until(lambda: len(receiver.received) == 4, seconds=20)  # it has come, and is not answered yet
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        broker.stop()
        receiver.wait_seconds = 0

        for number in range(20):  # nobody hears of these
            said.append(say(customers[number % 3]).public_id)
        wait_until(lambda: WebhookDelivery.objects.filter(state="pending").exists(), seconds=5)
        assert len(receiver.received) == 4
        WebhookEndpoint.objects.update(free_at=timezone.now())  # as after the half minute of the killed worker's claim
        WebhookDelivery.objects.filter(state="pending").update(next_try_at=timezone.now())

        broker.start()
        with (
            running_command(*WORKER, redis_url=broker.redis_url, stripe_api_base=NO_STRIPE),
            running_command(*SWEEP, redis_url=broker.redis_url, stripe_api_base=NO_STRIPE),
        ):
            wait_until(lambda: WebhookDelivery.objects.filter(state="delivered").count() == len(said) == 24, seconds=60)

    counts = Counter(receiver.ids)
    assert set(counts) == set(said)  # what an idempotent receiver has counted: each once, none lost
    in_flight = said[3]
    assert {message for message, count in counts.items() if count > 1} <= {in_flight}  # told again, by the same id


def test_receiver_that_is_down_gets_everything_when_it_is_back(settings: Settings) -> None:
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    customer = make_customer()
    with running_receiver() as gone:
        port = gone.port
    subscribe(customer, f"http://127.0.0.1:{port}/in")
    said = [say(customer).public_id for _ in range(5)]
    expand_due_notices()
    for _ in range(3):
        send_due_deliveries()
        pass_time(timedelta(hours=12))

    with running_receiver(port=port) as back:
        send_due_deliveries()

        assert sorted(back.ids) == sorted(said)


def test_senders_at_once_send_each_message_once(receiver: Receiver) -> None:
    customers = [make_customer() for _ in range(4)]
    for number, customer in enumerate(customers):
        subscribe(customer, f"{receiver.url}/{number}")
    said = [say(customer).public_id for customer in customers for _ in range(10)]
    expand_due_notices()

    def send() -> int:
        try:
            count = 0
            while WebhookDelivery.objects.filter(state="pending").exists():
                count += send_due_deliveries()
            return count
        finally:
            connections.close_all()

    counts = at_once(*[send] * 5)

    assert sum(counts) == 40
    assert sorted(receiver.ids) == sorted(said)
    assert set(WebhookDelivery.objects.values_list("state", "tries")) == {("delivered", 1)}
