"""Endpoints: who may be subscribed, and what becomes of their secrets."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from billing.errors import InvalidRequest, TooManyWebhookEndpoints, WebhookEndpointExists, WebhookEndpointNotFound
from billing.models import BillingCustomer, Notice, OutgoingMail, WebhookDelivery, WebhookEndpoint
from billing.notice_kinds import NoticeEvent
from billing.outgoing.signing import signed_headers
from billing.selectors.webhooks import list_endpoints
from billing.services import webhook_endpoints as endpoints
from billing.services import webhook_messages
from billing.services.notice_expansion import expand_due_notices
from billing.services.sealing import CannotUnseal, is_sealed_by_first_key
from billing.services.webhook_claims import claim_delivery
from billing.services.webhook_messages import purge_deleted_endpoints
from billing.tests.integrator import message_for, subscribe
from billing.tests.shop import make_customer
from billing.tests.threads import answers_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
URL = "https://hooks.example.com/in"


def test_the_secret_is_told_once_and_stands_nowhere_in_the_database(customer: BillingCustomer) -> None:
    made = subscribe(customer, URL)

    assert made.secret.startswith("whsec_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM billing_webhookendpoint e")
        ((row,),) = cursor.fetchall()
    assert made.secret not in row
    assert made.secret.removeprefix("whsec_") not in row
    assert endpoints.secrets_of(endpoint=made.endpoint, now=timezone.now()) == [made.secret]


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("http://hooks.example.com/in", ["balance.low"], "url"),
        ("https://127.0.0.1/in", ["balance.low"], "url"),
        (URL, [], "events"),
        (URL, ["balance.low", "balance.hight"], "events"),
    ],
)
def test_what_cannot_be_subscribed_is_refused(
    customer: BillingCustomer, url: str, events: list[str], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        endpoints.create_endpoint(customer=customer, url=url, events=events)

    assert refused.value.field == field
    assert not WebhookEndpoint.objects.exists()


def test_events_are_kept_once_each_and_in_order(customer: BillingCustomer) -> None:
    made = subscribe(customer, URL, events=("hold.expired", "balance.low", "hold.expired"))

    assert made.endpoint.events == ["balance.low", "hold.expired"]
    endpoints.change_endpoint(endpoint=made.endpoint, events=["credits.granted"], description="Books")
    row = WebhookEndpoint.objects.get()
    assert (row.events, row.description) == (["credits.granted"], "Books")


@pytest.mark.parametrize("of_all", [False, True])
def test_one_address_is_one_endpoint_of_its_owner(customer: BillingCustomer, of_all: bool) -> None:
    owner = None if of_all else customer
    subscribe(owner, URL)

    with pytest.raises(WebhookEndpointExists):
        subscribe(owner, URL)

    subscribe(make_customer(), URL)
    assert WebhookEndpoint.objects.count() == 2


def test_there_are_so_many_and_no_more(customer: BillingCustomer) -> None:
    for number in range(endpoints.MAX_ENDPOINTS):
        subscribe(customer, f"{URL}{number}")

    with pytest.raises(TooManyWebhookEndpoints):
        subscribe(customer, URL)

    assert WebhookEndpoint.objects.filter(customer=customer).count() == endpoints.MAX_ENDPOINTS


@pytest.mark.django_db(transaction=True)
def test_the_last_place_is_given_once() -> None:
    customer = make_customer()
    for number in range(endpoints.MAX_ENDPOINTS - 1):
        subscribe(customer, f"{URL}{number}")

    answers = answers_at_once(*[lambda number=number: subscribe(customer, f"{URL}?{number}") for number in range(4)])

    assert sorted(type(answer).__name__ for answer in answers) == ["NewSecret", *["TooManyWebhookEndpoints"] * 3]


def test_others_endpoints_do_not_exist(customer: BillingCustomer) -> None:
    made = subscribe(customer, URL)

    for other in (None, make_customer()):
        with pytest.raises(WebhookEndpointNotFound):
            endpoints.find_endpoint(public_id=made.endpoint.public_id, customer=other)
    assert endpoints.find_endpoint(public_id=made.endpoint.public_id, customer=customer) == made.endpoint


def test_for_a_day_after_a_rotation_both_secrets_sign(customer: BillingCustomer) -> None:
    first, now = subscribe(customer, URL), timezone.now()

    second = endpoints.rotate_secret(endpoint=first.endpoint, now=now)

    endpoint = WebhookEndpoint.objects.get()
    meanwhile = endpoints.secrets_of(endpoint=endpoint, now=now + timedelta(hours=23, minutes=59))
    assert meanwhile == [second.secret, first.secret]
    headers = signed_headers(message_id="evt_1", body="{}", sent_at=timezone.now(), secrets=meanwhile)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in meanwhile:
        Webhook(secret).verify("{}", headers)
    assert endpoints.secrets_of(endpoint=endpoint, now=now + endpoints.OVERLAP) == [second.secret]


def test_a_second_rotation_ends_the_first_secret(customer: BillingCustomer) -> None:
    first, now = subscribe(customer, URL), timezone.now()

    second = endpoints.rotate_secret(endpoint=first.endpoint, now=now)
    third = endpoints.rotate_secret(endpoint=first.endpoint, now=now)

    assert endpoints.secrets_of(endpoint=third.endpoint, now=now) == [third.secret, second.secret]


def test_the_owner_is_told_of_a_new_endpoint_and_a_new_secret(customer: BillingCustomer) -> None:
    assert customer.user is not None
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=True, primary=True)
    made = subscribe(customer, "https://hooks.example.com/in?token=secret")
    endpoints.rotate_secret(endpoint=made.endpoint, now=timezone.now())

    expand_due_notices()

    assert list(OutgoingMail.objects.order_by("pk").values_list("kind", flat=True)) == [
        "webhook.added",
        "webhook.rotated",
    ]
    assert Notice.objects.get(event="webhook.added").payload == {
        "endpoint": made.endpoint.public_id,
        "host": "hooks.example.com",
        "events": ["hold.expired"],
    }
    assert Notice.objects.get(event="webhook.rotated").payload["host"] == "hooks.example.com"


def test_of_endpoints_of_all_customers_nobody_is_told(customer: BillingCustomer) -> None:
    made = subscribe(None, URL)
    endpoints.rotate_secret(endpoint=made.endpoint, now=timezone.now())

    assert not Notice.objects.filter(event__startswith="webhook.").exists()


def test_deleting_hides_at_once_and_leaves_no_secret(customer: BillingCustomer) -> None:
    made = subscribe(customer, URL)
    endpoints.rotate_secret(endpoint=made.endpoint, now=timezone.now())
    message_for(made.endpoint)

    endpoints.delete_endpoint(endpoint=made.endpoint)
    endpoints.delete_endpoint(endpoint=made.endpoint)
    endpoints.enable_endpoint(endpoint=made.endpoint, now=timezone.now())

    row = WebhookEndpoint.objects.get()
    assert (row.is_enabled, row.sealed_secret, row.sealed_former_secret) == (False, "", "")
    assert not list_endpoints(customer=customer)
    assert claim_delivery(now=timezone.now()) is None
    with pytest.raises(WebhookEndpointNotFound):
        endpoints.find_endpoint(public_id=row.public_id, customer=customer)
    with pytest.raises(WebhookEndpointNotFound):
        endpoints.rotate_secret(endpoint=row, now=timezone.now())
    assert endpoints.seal_secrets_again() == 0
    assert subscribe(customer, URL).endpoint.pk != row.pk


def test_the_log_of_a_deleted_endpoint_goes_in_batches(
    customer: BillingCustomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_messages, "_AT_ONCE", 2)
    made, kept = subscribe(customer, URL), subscribe(customer, f"{URL}/kept")
    for _ in range(5):
        message_for(made.endpoint)
    endpoints.delete_endpoint(endpoint=made.endpoint)
    assert WebhookDelivery.objects.filter(endpoint=made.endpoint).count() == 5

    assert purge_deleted_endpoints(batches=2) == 4
    assert WebhookEndpoint.objects.count() == 2
    assert purge_deleted_endpoints(should_stop=lambda: True) == 0
    assert purge_deleted_endpoints() == 1

    assert WebhookEndpoint.objects.get() == kept.endpoint
    assert WebhookDelivery.objects.filter(endpoint=kept.endpoint).count() == 5


def test_the_list_says_what_waits_and_what_came_last(customer: BillingCustomer) -> None:
    made, quiet = subscribe(customer, URL), subscribe(customer, f"{URL}/quiet", events=("balance.low",))
    first, second, _ = (message_for(made.endpoint) for _ in range(3))
    now = timezone.now()
    for delivery, ended_at in ((first, now - timedelta(hours=1)), (second, now)):
        WebhookDelivery.objects.filter(pk=delivery.pk).update(state="delivered", next_try_at=None, ended_at=ended_at)

    rows = [vars(row) for row in list_endpoints(customer=customer)]

    found = [(row["id"], row["pending_count"], row["delivered_at"]) for row in rows]
    assert found == [(quiet.endpoint.pk, 0, None), (made.endpoint.pk, 1, now)]


def test_the_list_reads_indexes_and_not_what_was_ever_sent(customer: BillingCustomer) -> None:
    now = timezone.now()
    sent = {"event": "hold.expired", "body": "{}", "state": "delivered", "next_try_at": None, "ended_at": now}
    made = [subscribe(customer, f"{URL}{number}").endpoint for number in range(2)]
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=made[number % 2], message_id=f"evt_{number}", **sent) for number in range(4000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE billing_webhookdelivery")

    plan = list_endpoints(customer=customer).explain()

    assert "billing_webhook_delivered" in plan
    assert "billing_webhook_due" in plan or "billing_webhook_unsent" in plan
    for slow in ("Join", "Seq Scan on billing_webhookdelivery", "billing_webhook_of_endpoint"):
        assert slow not in plan


def test_disabling_and_enabling_keep_the_first_reason_and_forget_failures(customer: BillingCustomer) -> None:
    made, now = subscribe(customer, URL), timezone.now()
    WebhookEndpoint.objects.update(failing_since=now, failures_in_row=7)

    endpoints.disable_endpoint(endpoint=made.endpoint, now=now, reason="It failed.")
    endpoints.disable_endpoint(endpoint=made.endpoint, now=now + timedelta(hours=1))

    row = WebhookEndpoint.objects.get()
    assert (row.is_enabled, row.disabled_at, row.disabled_reason) == (False, now, "It failed.")
    endpoints.enable_endpoint(endpoint=made.endpoint, now=now)
    row.refresh_from_db()
    assert (row.is_enabled, row.disabled_at, row.disabled_reason) == (True, None, "")
    assert (row.failing_since, row.failures_in_row) == (None, 0)


def test_secrets_are_sealed_again_before_a_fallback_is_taken_out(customer: BillingCustomer, settings: Settings) -> None:
    first = subscribe(customer, URL)
    second = endpoints.rotate_secret(endpoint=first.endpoint, now=timezone.now())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 60, [settings.SECRET_KEY]

    assert endpoints.seal_secrets_again() == 1
    assert endpoints.seal_secrets_again() == 0

    row = WebhookEndpoint.objects.get()
    assert is_sealed_by_first_key(row.sealed_secret)
    settings.SECRET_KEY_FALLBACKS = []
    assert endpoints.secrets_of(endpoint=row, now=timezone.now()) == [second.secret, first.secret]


def test_a_former_secret_that_signs_no_more_is_thrown_away(customer: BillingCustomer) -> None:
    first = subscribe(customer, URL)
    endpoints.rotate_secret(endpoint=first.endpoint, now=timezone.now() - endpoints.OVERLAP)

    assert endpoints.seal_secrets_again() == 1

    assert WebhookEndpoint.objects.get().sealed_former_secret == ""


def test_a_lost_key_is_told(customer: BillingCustomer, settings: Settings) -> None:
    subscribe(customer, URL)
    settings.SECRET_KEY = "n" * 60

    with pytest.raises(CannotUnseal):
        endpoints.seal_secrets_again()


def test_every_event_can_be_subscribed_to(customer: BillingCustomer) -> None:
    made = subscribe(customer, URL, events=tuple(NoticeEvent))

    assert made.endpoint.events == list(NoticeEvent)
