"""Waking workers: quick when the broker is there, harmless when it is not."""

import socket
import time
from collections.abc import Iterator

import pytest
from celery import current_app

from billing import wake
from billing.tests.processes import Broker, running_broker


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    with running_broker() as running:
        monkeypatch.setattr(current_app.conf, "broker_url", running.celery_url)
        monkeypatch.setattr(wake._bell, "quiet_until", 0.0)
        yield running


def ring() -> tuple[bool, float]:
    begun = time.monotonic()
    return wake.wake_task(name="billing.nothing", arguments=("evt_1",)), time.monotonic() - begun


def test_message_reaches_the_broker(broker: Broker) -> None:
    assert ring()[0]

    with current_app.connection_for_read(broker.celery_url) as connection:
        message = connection.SimpleQueue(current_app.conf.task_default_queue).get(timeout=5)
        assert message.headers["task"] == "billing.nothing"
        message.ack()


def test_broker_that_is_down_costs_one_quick_try_and_then_nothing(broker: Broker) -> None:
    assert ring()[0]
    broker.stop()

    (first, first_seconds), (second, second_seconds) = ring(), ring()

    assert (first, second) == (False, False)
    assert first_seconds < 1
    assert second_seconds < 0.1


def test_broker_that_came_back_is_used_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ring()[0]
    broker.stop()
    broker.start()

    assert ring()[0]  # over a new connection: the old one ended with the old broker

    broker.stop()
    assert not ring()[0]
    broker.start()
    assert not ring()[0]
    monkeypatch.setattr(wake._bell, "quiet_until", 0.0)  # the pause is over
    assert ring()[0]


def test_broker_that_never_answers_is_left_alone_after_a_moment(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        monkeypatch.setattr(current_app.conf, "broker_url", f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")

        was_sent, seconds = ring()

    assert not was_sent
    assert seconds < 1.5
