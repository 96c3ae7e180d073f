"""What the webhook lets in: everything of Stripe's, once, and nothing else."""

import io
import json
import time
from typing import Any

import pytest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from billing import wake
from billing.models import EventState, StripeEvent
from billing.tests.webhooks.events import SECRET, URL, make_event, post_event
from billing.views.webhook import MAX_BODY_BYTES, receive_stripe_event
from sandbox.stripe.signing import sign_payload

pytestmark = pytest.mark.django_db


def refused(response: Any, status: int = 400) -> bool:
    return response.status_code == status and not StripeEvent.objects.exists()


def test_signed_event_is_stored_as_received_and_a_worker_is_woken(quiet_broker: list[str]) -> None:
    event = make_event()

    response = post_event(event)

    stored = StripeEvent.objects.get()
    assert response.status_code == 200
    assert (stored.event_id, stored.type, stored.state, stored.tries) == (event["id"], "product.created", "pending", 0)
    assert json.loads(stored.body) == event
    assert stored.related_ids == ["prod_1"]
    assert quiet_broker == [wake.WORK_OFF_EVENT]


@pytest.mark.usefixtures("quiet_broker")
def test_same_event_again_is_answered_and_not_stored_again() -> None:
    event = make_event()

    assert [post_event(event).status_code for _ in range(3)] == [200, 200, 200]

    assert StripeEvent.objects.count() == 1


@pytest.mark.usefixtures("quiet_broker")
def test_storing_takes_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        post_event(make_event())


@pytest.mark.usefixtures("quiet_broker")
def test_any_of_our_secrets_will_do(settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ["whsec_new", "whsec_old"]

    for secret in ("whsec_new", "whsec_old"):
        assert post_event(make_event(), secrets=[secret]).status_code == 200
    assert post_event(make_event(), secrets=["whsec_unknown", "whsec_old"]).status_code == 200

    assert StripeEvent.objects.count() == 3


@pytest.mark.parametrize("age_seconds", [299, -299])
@pytest.mark.usefixtures("quiet_broker")
def test_signature_of_the_last_or_next_five_minutes_is_taken(age_seconds: int) -> None:
    assert post_event(make_event(), age_seconds=age_seconds).status_code == 200


@pytest.mark.parametrize("age_seconds", [302, -302, 86_400])
def test_signature_of_another_time_is_refused(age_seconds: int) -> None:
    assert refused(post_event(make_event(), age_seconds=age_seconds))


def test_wrong_secret_is_refused() -> None:
    assert refused(post_event(make_event(), secrets=["whsec_wrong"]))


@pytest.mark.parametrize(
    "header",
    ["", "nonsense", "t=,v1=", "t=abc,v1=00", "v1=00", "t=NOW,v1=é", "t=1,t=2", "t=9" + "9" * 400],
)
def test_malformed_signature_is_refused(header: str) -> None:
    assert refused(post_event(make_event(), header=header.replace("NOW", str(int(time.time())))))


def test_signature_of_another_body_is_refused() -> None:
    header = sign_payload(payload=b'{"id": "evt_1"}', secrets=[SECRET], timestamp=int(time.time()))

    assert refused(post_event(make_event(), header=header))


def test_signature_by_the_test_scheme_is_refused() -> None:
    body = json.dumps(make_event()).encode()
    header = sign_payload(payload=body, secrets=[SECRET], timestamp=int(time.time())).replace("v1=", "v0=")

    assert refused(post_event(body, header=header))


def test_body_that_is_not_utf8_is_refused() -> None:
    assert refused(post_event(b'{"id": "\xff\xfe"}', header=f"t={int(time.time())},v1=00"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"object": "event"}',
        b'{"object": "event", "id": "evt_1"}',
        b'{"object": "event", "id": "evt_\\u0000", "type": "a.b"}',
        b'{"object": "event", "id": "evt_\\ud800", "type": "a.b"}',
        b'{"object": "v2.core.event", "id": "evt_1", "type": "v1.billing.meter.no_meter_found"}',
        b"[" * 100_000,
    ],
)
def test_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert refused(post_event(body))


@pytest.mark.usefixtures("quiet_broker")
def test_event_of_odd_shape_is_stored() -> None:
    event = make_event(api_version=None, created="yesterday", data=None, account=None, livemode=None)

    assert post_event(event).status_code == 200
    assert StripeEvent.objects.get().object_id == ""


def test_body_of_more_than_256_kb_is_refused_by_its_declared_length() -> None:
    body = json.dumps(make_event({"id": "prod_1", "x": "a" * MAX_BODY_BYTES})).encode()

    assert refused(post_event(body), 413)


@pytest.mark.usefixtures("quiet_broker")
def test_body_of_exactly_256_kb_is_taken() -> None:
    event = make_event({"id": "prod_1", "x": ""})
    event["data"]["object"]["x"] = "a" * (MAX_BODY_BYTES - len(json.dumps(event)))
    body = json.dumps(event).encode()

    assert len(body) == MAX_BODY_BYTES
    assert post_event(body).status_code == 200


def _chunked(body: bytes) -> Any:
    """A request as gunicorn hands on one that was sent in chunks: no length, and a stream that ends by itself."""
    header = sign_payload(payload=body, secrets=[SECRET], timestamp=int(time.time()))
    request = RequestFactory().post(URL, b"", content_type="application/json", headers={"Stripe-Signature": header})
    request.META.pop("CONTENT_LENGTH", None)
    request.META |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body)}
    return request


@pytest.mark.usefixtures("quiet_broker")
def test_chunked_body_is_read() -> None:
    response = receive_stripe_event(_chunked(json.dumps(make_event()).encode()))

    assert response.status_code == 200
    assert StripeEvent.objects.count() == 1


def test_chunked_body_of_more_than_256_kb_is_refused_without_reading_it_whole() -> None:
    request = _chunked(b"a" * (MAX_BODY_BYTES * 8))

    assert refused(receive_stripe_event(request), 413)
    assert request.META["wsgi.input"].tell() == MAX_BODY_BYTES + 1


def test_without_a_secret_nothing_is_taken(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.STRIPE_WEBHOOK_SECRET = []

    assert refused(post_event(make_event(), secrets=[""]), 503)


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_is_allowed(method: str) -> None:
    assert getattr(Client(), method)(URL).status_code == 405


@pytest.mark.parametrize(
    ("fields", "reason"), [({"livemode": True}, "live mode"), ({"account": "acct_1"}, "connected account")]
)
def test_event_that_is_not_for_us_is_stored_as_ignored(
    fields: dict[str, Any], reason: str, quiet_broker: list[str]
) -> None:
    assert post_event(make_event(**fields)).status_code == 200

    stored = StripeEvent.objects.get()
    assert stored.state == EventState.IGNORED
    assert reason in stored.reason
    assert quiet_broker == []


def test_test_event_is_ignored_where_keys_are_live(settings: Settings, quiet_broker: list[str]) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_x"

    post_event(make_event())

    assert StripeEvent.objects.get().state == EventState.IGNORED
