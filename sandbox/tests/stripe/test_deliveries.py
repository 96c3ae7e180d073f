"""Webhooks over HTTP: who gets what, retries, and what can be made to go wrong."""

import json

import pytest
import stripe

from sandbox.stripe import deliveries
from sandbox.tests.stripe.conftest import Receiver
from sandbox.tests.stripe.shop import SECRET, Shop, wait_until


def types_of(receiver: Receiver) -> list[str]:
    return [json.loads(body)["type"] for body, _ in receiver.received]


def test_event_is_delivered_signed(shop: Shop, receiver: Receiver) -> None:
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    session = shop.open_session()

    shop.control.pay_session(session.id)

    wait_until(lambda: len(receiver.received) == 4)
    assert types_of(receiver)[-1] == "checkout.session.completed"
    for body, signature in receiver.received:
        stripe.WebhookSignature.verify_header(body.decode(), signature, SECRET, 300)
    event = json.loads(receiver.received[-1][0])
    assert event["pending_webhooks"] == 1
    wait_until(lambda: shop.client.v1.events.retrieve(event["id"]).pending_webhooks == 0)


def test_endpoint_gets_only_what_it_asked_for(shop: Shop, receiver: Receiver) -> None:
    shop.client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["customer.deleted"]})
    customer = shop.client.v1.customers.create()

    shop.client.v1.customers.delete(customer.id)

    wait_until(lambda: receiver.received)
    assert types_of(receiver) == ["customer.deleted"]


def test_disabled_endpoint_gets_nothing(shop: Shop, receiver: Receiver) -> None:
    endpoint = shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.client.v1.webhook_endpoints.update(endpoint["id"], {"disabled": True})

    shop.client.v1.customers.create()

    assert shop.control.list_objects("sandbox.delivery") == []


def test_failed_delivery_is_tried_again(shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BACKOFF_SECONDS", (0.05, 0.05))
    receiver.statuses = [500, 302]
    shop.control.add_endpoint(receiver.url, secrets=SECRET)

    shop.client.v1.customers.create()

    wait_until(lambda: shop.control.list_objects("sandbox.delivery")[0]["state"] == "delivered")
    attempts = shop.control.list_objects("sandbox.delivery")[0]["attempts"]
    assert [attempt["status"] for attempt in attempts] == [500, 302, 200]
    assert len({body for body, _ in receiver.received}) == 1


def test_delivery_is_given_up_at_last(shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BACKOFF_SECONDS", (0.01,))
    receiver.statuses = [500, 500, 500]
    shop.control.add_endpoint(receiver.url, secrets=SECRET)

    shop.client.v1.customers.create()

    wait_until(lambda: shop.control.list_objects("sandbox.delivery")[0]["state"] == "failed")
    assert len(receiver.received) == 2


def test_deliveries_are_collected_and_released_in_reverse(shop: Shop, receiver: Receiver) -> None:
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.control.set_deliveries(mode="collect")
    session = shop.open_session()
    shop.control.pay_session(session.id)

    assert receiver.received == []
    released = shop.control.release_deliveries(newest_first=True)

    assert released == 4
    assert types_of(receiver)[0] == "checkout.session.completed"
    assert types_of(receiver)[-1] == "payment_intent.created"


def test_dropped_events_stay_readable(shop: Shop, receiver: Receiver) -> None:
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.control.set_deliveries(mode="drop")

    shop.client.v1.customers.create()

    assert shop.control.list_objects("sandbox.delivery")[0]["state"] == "dropped"
    assert shop.client.v1.events.list({"type": "customer.created"}).data
    assert receiver.received == []


def test_duplicates(shop: Shop, receiver: Receiver) -> None:
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.control.set_deliveries(copies=3)

    shop.client.v1.customers.create()

    wait_until(lambda: len(receiver.received) == 3)
    assert len({json.loads(body)["id"] for body, _ in receiver.received}) == 1


def test_reordered_events_come_newest_first(shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_REORDER_SECONDS", 0.3)
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.control.set_deliveries(reorder=True)
    session = shop.open_session()

    shop.control.pay_session(session.id)

    wait_until(lambda: len(receiver.received) == 4)
    assert types_of(receiver)[0] == "checkout.session.completed"


def test_delayed_event_comes_later_and_can_be_dropped(shop: Shop, receiver: Receiver) -> None:
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.control.set_deliveries(delay_seconds=60)
    shop.client.v1.customers.create()
    event = shop.control.list_events("customer.created")[0]

    shop.control.delay_event(event["id"], seconds=0)
    wait_until(lambda: receiver.received)
    shop.client.v1.customers.create()
    second = shop.control.list_events("customer.created")[1]
    shop.control.drop_event(second["id"])

    assert [found["state"] for found in shop.control.list_objects("sandbox.delivery")] == ["dropped", "delivered"]


@pytest.mark.parametrize("signature", ["wrong", "old"])
def test_badly_signed_deliveries(shop: Shop, receiver: Receiver, signature: str) -> None:
    shop.control.add_endpoint(receiver.url, secrets=SECRET)
    shop.control.set_deliveries(signature=signature)

    shop.client.v1.customers.create()

    wait_until(lambda: receiver.received)
    body, header = receiver.received[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode(), header, SECRET, 300)


def test_event_is_sent_again_on_demand(shop: Shop, receiver: Receiver) -> None:
    shop.control.set_deliveries(mode="drop")
    shop.client.v1.customers.create()
    shop.control.add_endpoint(receiver.url, secrets=["whsec_old", SECRET])
    event = shop.control.list_events("customer.created")[0]

    shop.control.resend_event(event["id"], copies=2)

    wait_until(lambda: len(receiver.received) == 2)
    assert receiver.received[0][1].count("v1=") == 2
    assert shop.control.read_deliveries().mode == "drop"


def test_endpoint_that_is_down_is_recorded(shop: Shop) -> None:
    shop.control.add_endpoint("http://127.0.0.1:9/none/", secrets=SECRET)

    shop.client.v1.customers.create()

    wait_until(lambda: shop.control.list_objects("sandbox.delivery")[0]["attempts"])
    attempt = shop.control.list_objects("sandbox.delivery")[0]["attempts"][0]
    assert attempt["status"] == 0
    assert "refused" in attempt["answer"].lower()
