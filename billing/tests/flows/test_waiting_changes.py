"""A change of plan that waits for the end of the period: told, shown, taken back, and gone once it has happened."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Scope
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, LedgerEntry, Notice, PlanPrice, Subscription
from billing.services.mail_texts.registry import words_of
from billing.services.portal import Flow, open_portal
from billing.services.subscriptions import store_subscription
from billing.tests.api.conftest import make_program
from billing.tests.flows.subscribing import Subscriber, offer_plans
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
NOVEMBER, MIDDLE, DECEMBER = (datetime(2026, *day, tzinfo=UTC) for day in ((11, 1), (11, 15), (12, 1)))


@pytest.fixture
def subscriber(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, customer: BillingCustomer
) -> Iterator[Subscriber]:
    """Somebody who is on Pro Plus since the first of November."""
    with time_machine.travel(NOVEMBER, tick=False) as traveller:
        offer_plans(gateway)
        subscriber = Subscriber(customer, gateway, stripe_sandbox.control, traveller)
        subscriber.check_out("pro_plus")
        yield subscriber


def waiting() -> tuple[str | None, datetime | None]:
    """The next plan and its time, as they are stored."""
    known = Subscription.objects.select_related("next_plan").get()
    return known.next_plan.slug if known.next_plan else None, known.changes_at


def told() -> list[str]:
    """What was told since the subscription began."""
    found = Notice.objects.filter(event__in=["subscription.updated", "subscription.canceled"]).order_by("pk")
    return [str(notice.payload.get("change", "canceled")) for notice in found][1:]


def read_page(customer: BillingCustomer) -> str:
    client = Client()
    assert customer.user is not None
    client.force_login(customer.user)
    return " ".join(client.get("/billing/plans/").content.decode().split())


def read_api(customer: BillingCustomer) -> dict[str, Any]:
    answer: dict[str, Any] = make_program(customer.user, Scope.READ).get("/subscription").json()
    return answer


def take_back(subscriber: Subscriber) -> None:
    subscriber.control.keep_plan(subscriber.subscription)
    subscriber.hear()


def test_a_downgrade_that_waits_is_shown_until_it_is_taken_back(subscriber: Subscriber) -> None:
    subscriber.move_to(MIDDLE)
    entries = LedgerEntry.objects.count()

    subscriber.change("pro", at_once=False)

    assert waiting() == ("pro", DECEMBER)
    page, answer = read_page(subscriber.customer), read_api(subscriber.customer)
    assert "Changes to Pro on" in page
    assert "Keep Pro Plus" in page
    assert "Renews on" not in page
    assert (answer["tier"], answer["next_plan"]) == ("pro_plus", "pro")
    assert answer["changes_at"] == answer["expires_at"] == "2026-12-01T00:00:00Z"

    subscriber.move_to(MIDDLE + timedelta(days=1))
    take_back(subscriber)

    assert waiting() == (None, None)
    assert "Renews on" in read_page(subscriber.customer)
    answer = read_api(subscriber.customer)
    assert (answer["next_plan"], answer["changes_at"]) == (None, None)
    assert told() == ["change_scheduled", "change_unscheduled"]
    assert LedgerEntry.objects.count() == entries


def test_what_was_taken_back_is_mailed_and_told_to_webhooks_in_words_of_its_own(subscriber: Subscriber) -> None:
    subscriber.change("pro", at_once=False)
    subscriber.move_to(MIDDLE)
    take_back(subscriber)

    notice = Notice.objects.get(payload__change="change_unscheduled")

    assert notice.event == "subscription.updated"
    assert (notice.payload["plan"], notice.payload["next_plan"]) == ("Pro Plus", None)
    words = words_of(notice)
    assert words.subject == "You keep your plan Pro Plus"
    assert words.paragraphs == ("The change that was to come was taken back. Your plan is renewed as before.",)


def test_a_change_that_has_happened_waits_no_more(subscriber: Subscriber) -> None:
    subscriber.change("pro", at_once=False)

    subscriber.move_to(DECEMBER)

    assert waiting() == (None, None)
    assert Subscription.objects.get().plan == PlanPrice.objects.get(stripe_price_id=subscriber.price("pro")).plan
    assert told() == ["change_scheduled", "downgraded"]


def test_a_change_that_is_taken_back_and_made_again_is_told_again(subscriber: Subscriber) -> None:
    for day in (1, 2):
        subscriber.move_to(MIDDLE + timedelta(days=day))
        subscriber.change("pro", at_once=False)
        subscriber.move_to(MIDDLE + timedelta(days=day, hours=1))
        take_back(subscriber)

    assert told() == ["change_scheduled", "change_unscheduled"] * 2


def test_a_cancellation_in_place_of_the_change_is_told_alone(subscriber: Subscriber) -> None:
    subscriber.change("pro", at_once=False)
    subscriber.move_to(MIDDLE)

    subscriber.control.cancel_subscription(subscriber.subscription, at_period_end=True)
    subscriber.hear()

    assert waiting() == (None, None)
    assert told() == ["change_scheduled", "cancellation_scheduled"]


def test_an_older_reading_brings_no_change_back(subscriber: Subscriber) -> None:
    subscriber.change("pro", at_once=False)
    began_at = timezone.now()
    older = subscriber.gateway.retrieve_subscription(subscription_id=subscriber.subscription)
    subscriber.move_to(MIDDLE)
    take_back(subscriber)

    with transaction.atomic():
        store_subscription(facts=older, read_at=began_at)

    assert older.changes_at == DECEMBER
    assert waiting() == (None, None)
    assert told() == ["change_scheduled", "change_unscheduled"]


def test_a_change_to_a_price_of_no_plan_is_shown_without_its_name(subscriber: Subscriber) -> None:
    PlanPrice.objects.filter(plan__slug="pro").update(stripe_price_id="price_of_another_time")
    price = subscriber.gateway.create_recurring_price(
        product_id=subscriber.gateway.create_plan_product(name="X", reference="x", idempotency_key="x").id,
        amount_minor=500,
        currency="usd",
        interval="month",
        reference="x",
        idempotency_key="x-price",
    )

    subscriber.control.change_subscription(subscriber.subscription, price=price.id, at_once=False)
    subscriber.hear()

    assert waiting() == (None, DECEMBER)
    page = read_page(subscriber.customer)
    assert "Changes on" in page
    assert "Keep Pro Plus" not in page
    assert read_api(subscriber.customer)["next_plan"] is None
    assert told() == ["change_scheduled"]
    take_back(subscriber)
    assert waiting() == (None, None)
    assert told() == ["change_scheduled", "change_unscheduled"]


def test_a_schedule_that_changes_nothing_is_no_change(subscriber: Subscriber) -> None:
    subscriber.change("pro_plus", at_once=False)

    assert waiting() == (None, None)
    assert told() == []


@pytest.mark.parametrize(
    ("choice", "is_waiting", "begins_with"),
    [
        ({"flow": Flow.CHANGE_PLAN, "plan": "pro"}, False, "subscription_update_confirm"),
        ({"flow": Flow.CHANGE_PLAN, "plan": "pro"}, True, None),
        ({"flow": Flow.CANCEL}, False, "subscription_cancel"),
        ({"flow": Flow.CANCEL}, True, None),
        ({"flow": Flow.UPDATE_CARD}, True, "payment_method_update"),
    ],
)
def test_no_second_change_is_begun_where_one_waits(
    subscriber: Subscriber, choice: dict[str, Any], begins_with: str | None, *, is_waiting: bool
) -> None:
    if is_waiting:
        subscriber.change("pro", at_once=False)

    open_portal(
        customer=subscriber.customer,
        return_url="https://product.example.com/",
        network_hash="",
        gateway=subscriber.gateway,
        **choice,
    )

    [session] = subscriber.control.list_objects("billing_portal.session")
    assert (session["flow"] or {}).get("type") == begins_with
