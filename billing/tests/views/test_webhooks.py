"""The pages of webhooks: one's own endpoints and no others', a secret that is shown once, and what was sent."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import AuditEntry, BillingCustomer, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from billing.services.customers import ensure_customer
from billing.services.webhook_endpoints import disable_endpoint, secrets_of
from billing.tests.integrator import message_for, subscribe
from billing.tests.shop import make_customer
from billing.views.webhook_acts import ACTS_PER_MINUTE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
LIST, NEW, URL = "/billing/webhooks/", "/billing/webhooks/new/", "https://hooks.example.com/in"
FORM = {"url": URL, "description": "Books", "events": ["balance.low", "credits.granted"]}


@pytest.fixture
def own(user: User) -> BillingCustomer:
    return ensure_customer(user=user)


@pytest.fixture
def endpoint(own: BillingCustomer) -> WebhookEndpoint:
    return subscribe(own, URL).endpoint


def token_of(browser: Client, path: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get(path).content.decode())
    assert found is not None
    return found[1]


def page(endpoint: WebhookEndpoint, act: str = "") -> str:
    return f"{LIST}{endpoint.public_id}/{act}"


def send(browser: Client, path: str, form: dict[str, Any]) -> Any:
    """Fill in the form of a page and send it."""
    return browser.post(path, {**form, "form_token": token_of(browser, path)})


def test_an_empty_list_says_what_will_be_there(browser: Client) -> None:
    text = browser.get(LIST).content.decode()

    assert "No endpoint yet" in text
    assert f'href="{NEW}"' in text


def test_a_new_endpoint_shows_its_secret_once(browser: Client, own: BillingCustomer) -> None:
    response = send(browser, NEW, FORM)

    endpoint = WebhookEndpoint.objects.get()
    (secret,) = secrets_of(endpoint=endpoint, now=timezone.now())
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert (endpoint.customer, endpoint.url, endpoint.description) == (own, URL, "Books")
    assert endpoint.events == FORM["events"]
    assert secret not in browser.get(page(endpoint)).content.decode()
    assert URL in browser.get(LIST).content.decode()
    assert secret not in str(dict(browser.session))


def test_a_form_that_is_sent_twice_makes_one(browser: Client) -> None:
    form = {**FORM, "form_token": token_of(browser, NEW)}
    browser.post(NEW, form)

    again = browser.post(NEW, {**form, "url": f"{URL}2"})

    assert again["Location"] == LIST
    assert WebhookEndpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://hooks.example.com/in"}, "The address begins with https://."),
        ({"url": "https://169.254.169.254/latest"}, "Name a host, not the number of one."),
        ({"url": ""}, "This field is required."),
        ({"events": []}, "Choose at least one event."),
        ({"events": ["balance.hight"]}, "Select a valid choice."),
        ({"description": "a\nb\x07"}, "one line of plain text"),
    ],
)
def test_what_cannot_be_subscribed_is_said_at_its_field(browser: Client, change: dict[str, Any], words: str) -> None:
    response = send(browser, NEW, {**FORM, **change})

    assert response.status_code == 400
    assert words in response.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_an_address_that_is_subscribed_already_is_said(browser: Client, endpoint: WebhookEndpoint) -> None:
    response = send(browser, NEW, FORM)

    assert response.status_code == 400
    assert "This address is an endpoint already." in response.content.decode()
    assert send(browser, NEW, {**FORM, "url": f"{URL}2"}).status_code == 200


def test_others_endpoints_do_not_exist(browser: Client) -> None:
    other = subscribe(make_customer(), URL).endpoint
    delivery = message_for(other)
    of_all = subscribe(None, URL).endpoint

    for row in (other, of_all):
        for act in ("", "rotate/", "delete/"):
            assert browser.get(page(row, act)).status_code == 404
        for act in ("", "test/", "rotate/", "switch/", "delete/", f"{delivery.public_id}/replay/"):
            assert browser.post(page(row, act)).status_code == 404
    assert URL not in browser.get(LIST).content.decode()
    assert WebhookEndpoint.objects.filter(is_enabled=True).count() == 2


def test_events_can_be_changed_and_not_the_address(browser: Client, endpoint: WebhookEndpoint) -> None:
    browser.post(page(endpoint), {"events": ["hold.expired"], "description": "", "url": "https://evil.example.com/"})

    endpoint.refresh_from_db()
    assert (endpoint.events, endpoint.url) == (["hold.expired"], URL)
    assert browser.post(page(endpoint), {"events": []}).status_code == 400


def test_rotating_shows_the_new_secret_and_says_how_long_the_old_one_signs(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    path = page(endpoint, "rotate/")
    (old,) = secrets_of(endpoint=endpoint, now=timezone.now())
    form = {"form_token": token_of(browser, path)}

    text = browser.post(path, form).content.decode()
    browser.post(path, form)  # a double click must not end the old secret

    endpoint.refresh_from_db()
    new, still = secrets_of(endpoint=endpoint, now=timezone.now())
    assert new in text
    assert "two signatures" in text
    assert still == old


def test_the_log_shows_what_came_of_each_message_and_sends_it_again(browser: Client, endpoint: WebhookEndpoint) -> None:
    delivery = message_for(endpoint)
    WebhookDelivery.objects.update(state="dead", next_try_at=None, ended_at=timezone.now())
    for status, error, excerpt in ((500, "", "<b>we are sorry</b>"), (None, "It did not answer in time.", "")):
        WebhookAttempt.objects.create(
            delivery=delivery,
            attempted_at=timezone.now(),
            status=status,
            error=error,
            excerpt=excerpt,
            duration_ms=12,
            is_success=False,
        )

    text = browser.get(page(endpoint)).content.decode()

    for words in ("hold.expired", "Given up", "answered 500", "&lt;b&gt;we are sorry", "It did not answer in time."):
        assert words in text
    browser.post(page(endpoint, f"{delivery.public_id}/replay/"))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("pending", 0)
    assert "Waiting" in browser.get(page(endpoint)).content.decode()


def test_the_log_is_paged(browser: Client, endpoint: WebhookEndpoint) -> None:
    first = message_for(endpoint)
    for _ in range(25):
        message_for(endpoint)

    text = browser.get(page(endpoint)).content.decode()
    older = re.search(r'href="\?before=(\d+)"', text)

    assert older is not None
    assert first.message_id not in text
    assert first.message_id in browser.get(f"{page(endpoint)}?before={older[1]}").content.decode()
    assert browser.get(f"{page(endpoint)}?before=x").status_code == 404


def test_a_test_event_is_sent_unless_the_endpoint_is_disabled(browser: Client, endpoint: WebhookEndpoint) -> None:
    browser.post(page(endpoint, "test/"))
    assert WebhookDelivery.objects.get().event == "webhook.test"

    disable_endpoint(endpoint=endpoint, now=timezone.now())
    response = browser.post(page(endpoint, "test/"), follow=True)
    assert "The endpoint is disabled" in response.content.decode()
    delivery = WebhookDelivery.objects.get()
    response = browser.post(page(endpoint, f"{delivery.public_id}/replay/"), follow=True)
    assert "The endpoint is disabled" in response.content.decode()


def test_an_endpoint_is_switched_off_and_on(browser: Client, endpoint: WebhookEndpoint) -> None:
    text = browser.post(page(endpoint, "switch/"), {"to": "disabled"}, follow=True).content.decode()
    assert "Nothing is sent to this endpoint." in text
    assert "Disabled by hand." in text

    browser.post(page(endpoint, "switch/"), {"to": "enabled"})
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def test_a_failing_endpoint_says_since_when(browser: Client, endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(hours=5))

    assert "Every request has failed since" in browser.get(page(endpoint)).content.decode()
    assert "Failing" in browser.get(LIST).content.decode()


def test_test_events_and_replays_are_limited_by_the_minute(browser: Client, endpoint: WebhookEndpoint) -> None:
    delivery = message_for(endpoint)
    WebhookDelivery.objects.update(state="delivered", next_try_at=None, ended_at=timezone.now())
    with time_machine.travel(timezone.now().replace(second=15), tick=False) as clock:
        for _ in range(ACTS_PER_MINUTE):
            browser.post(page(endpoint, "test/"))
        assert WebhookDelivery.objects.filter(event="webhook.test").count() == ACTS_PER_MINUTE

        refused = browser.post(page(endpoint, f"{delivery.public_id}/replay/"), follow=True)
        browser.post(page(endpoint, "test/"))

        assert "Too many requests. Try again in 45 seconds." in refused.content.decode()
        assert WebhookDelivery.objects.get(pk=delivery.pk).state == "delivered"
        assert WebhookDelivery.objects.filter(event="webhook.test").count() == ACTS_PER_MINUTE
        clock.shift(45)
        browser.post(page(endpoint, f"{delivery.public_id}/replay/"))

    assert WebhookDelivery.objects.get(pk=delivery.pk).state == "pending"


def test_deleting_asks_first(browser: Client, endpoint: WebhookEndpoint) -> None:
    message_for(endpoint)
    assert "cannot be undone" in browser.get(page(endpoint, "delete/")).content.decode()
    assert WebhookEndpoint.objects.exists()

    assert browser.post(page(endpoint, "delete/"))["Location"] == LIST
    assert endpoint.url not in browser.get(LIST).content.decode()
    assert browser.get(page(endpoint)).status_code == 404


def test_staff_with_the_right_act_for_all_customers_and_it_is_written_down(browser: Client, user: User) -> None:
    assert "is_of_all" not in browser.get(NEW).content.decode()
    user.is_staff = True
    user.save()
    assert "is_of_all" not in browser.get(NEW).content.decode()
    user.user_permissions.set(Permission.objects.filter(codename="add_webhookendpoint"))

    send(browser, NEW, {**FORM, "is_of_all": "on"})

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.customer, endpoint.created_by) == (None, user)
    assert "Events of all customers" in browser.get(LIST).content.decode()
    browser.post(page(endpoint), {"events": ["hold.expired"]})
    browser.post(page(endpoint, "rotate/"), {"form_token": token_of(browser, page(endpoint, "rotate/"))})
    browser.post(page(endpoint, "switch/"), {"to": "disabled"})
    browser.post(page(endpoint, "delete/"))
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == [f"webhookendpoint.{verb}" for verb in ("add", "change", "rotate", "disable", "delete")]
    written = str(list(AuditEntry.objects.values()))
    assert "hooks.example.com" in written
    assert endpoint.url not in written  # the rest of the address may be a secret
    assert "whsec" not in written


def test_a_stranger_cannot_ask_for_events_of_all(browser: Client, own: BillingCustomer) -> None:
    send(browser, NEW, {**FORM, "is_of_all": "on"})

    assert WebhookEndpoint.objects.get().customer == own
