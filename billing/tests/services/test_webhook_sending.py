"""Messages to endpoints: what they say, when they are tried, and what becomes of those that fail."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from standardwebhooks import Webhook

from billing import wake
from billing.errors import DeliveryNotPossible
from billing.models import (
    BillingCustomer,
    DeliveryState,
    Notice,
    OutgoingMail,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from billing.outgoing.posting import Answer, post_message
from billing.services import webhook_endpoints as endpoints
from billing.services import webhook_sending
from billing.services.notice_expansion import expand_due_notices
from billing.services.webhook_claims import GIVE_UP_AFTER, claim_delivery, give_up_waiting, record_answer
from billing.services.webhook_messages import KEPT, purge_old_deliveries, replay_delivery, send_test_event
from billing.services.webhook_sending import send_due_deliveries
from billing.tests.integrator import message_for, pass_time, subscribe, tell
from billing.tests.outgoing.receiver import Receiver, running_receiver
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    with running_receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def woken(quiet_broker: list[str]) -> list[str]:
    return quiet_broker


def test_a_notice_comes_signed_with_its_id_its_time_and_its_customer(
    customer: BillingCustomer, receiver: Receiver
) -> None:
    BillingCustomer.objects.filter(pk=customer.pk).update(external_id="acme-7")
    made = subscribe(customer, receiver.url)
    notice = tell(customer, hold="hold_1", amount="40.000000")

    assert send_due_deliveries() == 1

    (got,) = receiver.received
    assert Webhook(made.secret).verify(got.body, got.headers) == {
        "type": "hold.expired",
        "timestamp": notice.occurred_at.isoformat().replace("+00:00", "Z"),
        "data": {"hold": "hold_1", "amount": "40.000000", "customer": customer.public_id, "external_id": "acme-7"},
    }
    assert got.headers["webhook-id"] == notice.public_id
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.next_try_at) == ("delivered", 1, None)
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.excerpt, attempt.error, attempt.is_success) == (200, "ok", "", True)


def test_messages_go_to_who_subscribes_and_to_nobody_else(customer: BillingCustomer) -> None:
    own = subscribe(customer, "https://a.example.com/").endpoint
    of_all = subscribe(None, "https://b.example.com/").endpoint
    subscribe(customer, "https://c.example.com/", events=("balance.low",))
    subscribe(make_customer(), "https://d.example.com/")
    disabled = subscribe(customer, "https://e.example.com/").endpoint
    endpoints.disable_endpoint(endpoint=disabled, now=timezone.now())

    tell(customer)

    assert {delivery.endpoint for delivery in WebhookDelivery.objects.all()} == {own, of_all}


def test_expanding_wakes_the_sender_only_where_something_is_to_be_sent(
    customer: BillingCustomer,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        tell(customer)
    assert wake.SEND_WEBHOOKS not in woken

    subscribe(customer, "https://a.example.com/")
    with django_capture_on_commit_callbacks(execute=True):
        tell(customer)
    assert wake.SEND_WEBHOOKS in woken


@pytest.mark.parametrize(("wish", "waits"), [("3600", 3600), ("5", 10), ("999999999", 6 * 3600), ("soon", 10)])
def test_a_receiver_may_ask_for_patience(customer: BillingCustomer, receiver: Receiver, wish: str, waits: int) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    receiver.status, receiver.headers = 429, {"Retry-After": wish}

    assert send_due_deliveries() == 1

    due = WebhookDelivery.objects.get().next_try_at
    assert due is not None
    assert abs((due - timezone.now()).total_seconds() - waits) < 4


def test_a_failure_is_tried_again_later_with_the_same_id_and_body(
    customer: BillingCustomer, receiver: Receiver
) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    receiver.status, receiver.answer = 500, b"we are sorry"

    assert send_due_deliveries() == 1
    assert send_due_deliveries() == 0

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.tries) == ("pending", 1)
    assert delivery.next_try_at is not None
    assert timedelta(seconds=7) < delivery.next_try_at - timezone.now() < timedelta(seconds=13)
    assert WebhookAttempt.objects.get().excerpt == "we are sorry"
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.failures_in_row, endpoint.failing_since is not None) == (1, True)

    receiver.status = 204
    pass_time(timedelta(0))
    assert send_due_deliveries() == 1

    first, second = receiver.received
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert WebhookDelivery.objects.get().state == "delivered"
    endpoint.refresh_from_db()
    assert (endpoint.failures_in_row, endpoint.failing_since) == (0, None)


def test_tries_grow_apart_up_to_six_hours(customer: BillingCustomer) -> None:
    endpoint = subscribe(customer, "https://a.example.com/").endpoint
    message_for(endpoint)
    waits = []
    for _ in range(10):
        pass_time(timedelta(0))
        now = timezone.now()
        claim = claim_delivery(now=now)
        assert claim is not None
        record_answer(claim=claim, answer=Answer(error="no"), attempted_at=now)
        due = WebhookDelivery.objects.get().next_try_at
        assert due is not None
        waits.append((due - now).total_seconds())

    expected = [10, 40, 160, 640, 2560, 10240, 21600, 21600, 21600, 21600]
    for wait, middle in zip(waits, expected, strict=True):
        assert 0.79 * middle <= wait <= 1.21 * middle + 1


def test_after_three_days_of_failure_a_message_is_given_up_and_its_endpoint_disabled(
    customer: BillingCustomer, receiver: Receiver
) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    receiver.status = 503
    send_due_deliveries()
    pass_time(GIVE_UP_AFTER - timedelta(seconds=5))
    send_due_deliveries()
    assert WebhookDelivery.objects.get().state == "pending"

    pass_time(timedelta(seconds=6))
    send_due_deliveries()

    assert WebhookDelivery.objects.get().state == "dead"
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "Nothing was delivered for three days.")
    assert len(receiver.received) == 3
    assert not OutgoingMail.objects.exists()  # nobody is known to have made it


def test_who_made_an_endpoint_is_told_that_it_was_disabled(customer: BillingCustomer, receiver: Receiver) -> None:
    user = customer.user
    assert user is not None
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    endpoint = subscribe(customer, receiver.url).endpoint
    WebhookEndpoint.objects.update(created_by=user)
    tell(customer)
    receiver.status = 410

    send_due_deliveries()

    mail = OutgoingMail.objects.get(kind="webhook_endpoint.disabled")
    assert mail.to == user.email
    assert "127.0.0.1" in mail.text
    assert receiver.url not in mail.text  # the rest of the address may be a secret
    assert f"/billing/webhooks/{endpoint.public_id}/" in mail.text


def test_one_message_that_is_never_taken_does_not_disable_an_endpoint_that_takes_others(
    customer: BillingCustomer, receiver: Receiver
) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    receiver.status = 400
    send_due_deliveries()
    receiver.status = 200
    WebhookEndpoint.objects.update(free_at=timezone.now())
    tell(customer)
    send_due_deliveries()

    receiver.status = 400
    pass_time()
    send_due_deliveries()

    assert sorted(WebhookDelivery.objects.values_list("state", flat=True)) == ["dead", "delivered"]
    assert WebhookEndpoint.objects.get().is_enabled


def test_an_endpoint_that_says_it_is_gone_is_disabled_at_once(customer: BillingCustomer, receiver: Receiver) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    receiver.status = 410

    send_due_deliveries()

    assert WebhookDelivery.objects.get().state == "dead"
    assert "410" in WebhookEndpoint.objects.get().disabled_reason


def test_what_waits_at_a_disabled_endpoint_is_sent_when_it_is_enabled_or_given_up_after_three_days(
    customer: BillingCustomer, receiver: Receiver
) -> None:
    endpoint = subscribe(customer, receiver.url).endpoint
    tell(customer)
    now = timezone.now()
    endpoints.disable_endpoint(endpoint=endpoint, now=now)

    assert send_due_deliveries() == 0
    assert give_up_waiting(now=now + GIVE_UP_AFTER) == 0
    assert WebhookDelivery.objects.get().state == "pending"
    assert give_up_waiting(now=now + GIVE_UP_AFTER + timedelta(seconds=1)) == 1
    assert WebhookDelivery.objects.get().state == "dead"

    endpoints.enable_endpoint(endpoint=endpoint, now=timezone.now())
    tell(customer)
    assert send_due_deliveries() == 1


def test_a_message_is_replayed_with_its_id_whatever_became_of_it(
    customer: BillingCustomer, receiver: Receiver, woken: list[str]
) -> None:
    endpoint = subscribe(customer, receiver.url).endpoint
    notice = tell(customer)
    send_due_deliveries()

    replay_delivery(delivery=WebhookDelivery.objects.get())
    assert send_due_deliveries() == 1

    assert receiver.ids == [notice.public_id] * 2
    assert WebhookDelivery.objects.get().tries == 1
    assert WebhookAttempt.objects.count() == 2
    endpoints.disable_endpoint(endpoint=endpoint, now=timezone.now())
    with pytest.raises(DeliveryNotPossible):
        replay_delivery(delivery=WebhookDelivery.objects.get())


def test_a_test_event_comes_whatever_is_subscribed_to(customer: BillingCustomer, receiver: Receiver) -> None:
    of_customer = subscribe(customer, receiver.url).endpoint
    of_all = subscribe(None, f"{receiver.url}/all").endpoint

    for endpoint in (of_customer, of_all):
        send_test_event(endpoint=endpoint)
    send_due_deliveries()

    bodies = {got.path: json.loads(got.body) for got in receiver.received}
    assert {body["type"] for body in bodies.values()} == {"webhook.test"}
    assert bodies["/in"]["data"]["customer"] == customer.public_id
    assert bodies["/in/all"]["data"]["customer"] is None
    assert not Notice.objects.filter(event="webhook.test").exists()
    endpoints.disable_endpoint(endpoint=of_all, now=timezone.now())
    with pytest.raises(DeliveryNotPossible):
        send_test_event(endpoint=of_all)


def test_a_slow_endpoint_delays_nobody_else(customer: BillingCustomer, receiver: Receiver) -> None:
    with running_receiver() as slow:
        slow.wait_seconds = 4
        subscribe(customer, slow.url)
        subscribe(customer, receiver.url)
        for _ in range(6):
            tell(customer)
        begun = time.monotonic()
        arrived: list[float] = []

        def note(handler: Any) -> None:
            arrived.append(time.monotonic() - begun)
            handler.send_response(200)
            handler.end_headers()

        receiver.act = note

        count = send_due_deliveries(seconds=3)

        assert len(arrived) == 6
        assert max(arrived) < 4  # not after the slow one
        assert len(slow.received) == 1
        assert count == 7


def test_one_endpoint_is_sent_one_message_at_a_time(customer: BillingCustomer) -> None:
    endpoint = subscribe(customer, "https://a.example.com/").endpoint
    message_for(endpoint)
    message_for(endpoint)
    now = timezone.now()

    claim = claim_delivery(now=now)

    assert claim is not None
    assert claim_delivery(now=now) is None
    record_answer(claim=claim, answer=Answer(status=200), attempted_at=now)
    assert claim_delivery(now=timezone.now()) is not None


def test_endpoints_take_turns(customer: BillingCustomer) -> None:
    first = subscribe(customer, "https://a.example.com/").endpoint
    second = subscribe(customer, "https://b.example.com/").endpoint
    for _ in range(3):
        tell(customer)
    turns = []
    for _ in range(6):
        claim = claim_delivery(now=timezone.now())
        assert claim is not None
        turns.append(claim.endpoint)
        record_answer(claim=claim, answer=Answer(status=200), attempted_at=timezone.now())

    assert turns == [first, second] * 3


def test_a_claim_whose_sender_died_is_taken_again_after_its_lease(customer: BillingCustomer) -> None:
    message_for(subscribe(customer, "https://a.example.com/").endpoint)
    now = timezone.now()
    claim_delivery(now=now)

    assert claim_delivery(now=now + timedelta(seconds=29)) is None
    again = claim_delivery(now=now + timedelta(seconds=31))

    assert again is not None
    assert again.delivery.tries == 2


def test_an_answer_to_what_was_deleted_or_has_ended_meanwhile_changes_nothing(customer: BillingCustomer) -> None:
    made = subscribe(customer, "https://a.example.com/")
    delivery = message_for(made.endpoint)
    claim = claim_delivery(now=timezone.now())
    assert claim is not None
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.DELIVERED, next_try_at=None, ended_at=timezone.now()
    )

    assert record_answer(claim=claim, answer=Answer(error="late"), attempted_at=timezone.now()) is None
    assert WebhookDelivery.objects.get().state == "delivered"
    endpoints.delete_endpoint(endpoint=made.endpoint)
    assert record_answer(claim=claim, answer=Answer(status=200), attempted_at=timezone.now()) is None


def test_a_secret_that_cannot_be_read_and_an_address_that_is_refused_by_now_are_failures(
    customer: BillingCustomer, receiver: Receiver, settings: Settings
) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    key = settings.SECRET_KEY
    settings.SECRET_KEY = "n" * 60
    send_due_deliveries()
    settings.SECRET_KEY, settings.WEBHOOKS_MAY_REACH_LOOPBACK = key, False
    pass_time(timedelta(0))
    send_due_deliveries()

    errors = list(WebhookAttempt.objects.order_by("pk").values_list("error", flat=True))
    assert errors == ["Its secret cannot be read any more. Rotate it.", "The address begins with https://."]
    assert receiver.received == []


def test_a_fault_of_ours_with_one_message_keeps_no_other_waiting(
    customer: BillingCustomer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(customer, receiver.url)
    subscribe(customer, f"{receiver.url}/broken")
    tell(customer)

    def break_one(**arguments: Any) -> Answer:
        if arguments["target"].path.endswith("broken"):
            raise ValueError("nobody has foreseen this")
        return post_message(**arguments)

    monkeypatch.setattr(webhook_sending, "post_message", break_one)

    assert send_due_deliveries() == 2

    assert len(receiver.received) == 1
    assert WebhookAttempt.objects.get(is_success=False).error == "It could not be sent."


def test_old_messages_are_deleted_and_pending_ones_kept(customer: BillingCustomer, receiver: Receiver) -> None:
    subscribe(customer, receiver.url)
    tell(customer)
    send_due_deliveries()
    tell(customer)
    now = timezone.now()

    assert purge_old_deliveries(now=now + KEPT - timedelta(minutes=1)) == 0
    assert purge_old_deliveries(now=now + KEPT + timedelta(minutes=1)) == 1
    assert WebhookDelivery.objects.get().state == "pending"


def test_a_notice_that_is_expanded_twice_is_one_message(customer: BillingCustomer) -> None:
    endpoint = subscribe(customer, "https://a.example.com/").endpoint
    delivery = message_for(endpoint)
    expand_due_notices()
    Notice.objects.filter(public_id=delivery.message_id).update(expanded_at=None)
    assert expand_due_notices() == 1

    assert WebhookDelivery.objects.get() == delivery


def test_sending_stops_where_it_is_told_to(customer: BillingCustomer, receiver: Receiver) -> None:
    subscribe(customer, receiver.url)
    for _ in range(3):
        tell(customer)

    assert send_due_deliveries(should_stop=lambda: True) == 0
    assert send_due_deliveries(seconds=0) == 0
    assert send_due_deliveries(limit=2) == 2
    assert send_due_deliveries() == 1
