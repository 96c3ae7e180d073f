"""What subscribers are told of what becomes of their plan: each change once, in words of its own."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Notice
from billing.services.mail_texts.registry import has_mail, words_of
from billing.tests.flows.subscribing import Subscriber, offer_plans
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
NOVEMBER, DECEMBER, JANUARY = (
    datetime(2026 + (month > 12), (month - 1) % 12 + 1, 1, tzinfo=UTC) for month in (11, 12, 13)
)


def make_subscriber(
    gateway: StripeGateway,
    sandbox: SandboxServer,
    traveller: time_machine.Traveller,
    customer: BillingCustomer,
    **terms: object,
) -> Subscriber:
    offer_plans(gateway, **terms)
    return Subscriber(customer, gateway, sandbox.control, traveller)


def changes() -> list[str]:
    """What was told of subscriptions, in order."""
    told = Notice.objects.filter(event__in=["subscription.updated", "subscription.canceled"]).order_by("pk")
    return [str(notice.payload.get("change", "canceled")) for notice in told]


def test_each_change_of_a_plan_is_told_once(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> None:
    subscriber = make_subscriber(gateway, stripe_sandbox, traveller, customer)
    subscriber.check_out("pro")
    assert changes() == ["started"]

    subscriber.move_to(NOVEMBER + timedelta(days=10))
    subscriber.change("pro_plus")
    assert changes()[1:] == ["upgraded"]

    subscriber.move_to(NOVEMBER + timedelta(days=20))
    subscriber.change("pro", at_once=False)
    assert changes()[2:] == ["change_scheduled"]

    subscriber.move_to(DECEMBER)
    assert changes()[3:] == ["downgraded"]

    for is_cancelled, word in ((True, "cancellation_scheduled"), (False, "resumed"), (True, "cancellation_scheduled")):
        traveller.shift(timedelta(hours=1))
        if is_cancelled:
            subscriber.control.cancel_subscription(subscriber.subscription, at_period_end=True)
        else:
            subscriber.control.resume_subscription(subscriber.subscription)
        subscriber.hear()
        assert changes()[-1] == word
    subscriber.move_to(JANUARY)
    assert changes()[4:] == ["cancellation_scheduled", "resumed", "cancellation_scheduled", "canceled", "ended"]
    mailed = [has_mail(notice) for notice in Notice.objects.filter(event__startswith="subscription.").order_by("pk")]
    assert mailed[-2:] == [True, False]  # that it has ended is one mail


def test_a_change_that_waits_names_the_plan_that_comes_and_when(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> None:
    subscriber = make_subscriber(gateway, stripe_sandbox, traveller, customer)
    subscriber.check_out("pro_plus")

    subscriber.change("pro", at_once=False)

    notice = Notice.objects.get(event="subscription.updated", payload__change="change_scheduled")
    assert (notice.payload["plan"], notice.payload["next_plan"]) == ("Pro Plus", "Pro")
    words = words_of(notice)
    assert words.subject == "Your plan changes at the end of the period"
    assert ("Afterwards", "Pro") in words.facts
    assert ("This period ends", "1 Dec 2026, 00:00 UTC") in words.facts


def test_the_end_of_a_trial_that_was_cancelled_threatens_nobody_with_a_charge(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> None:
    subscriber = make_subscriber(gateway, stripe_sandbox, traveller, customer, trial_days=14)
    subscriber.check_out("pro")
    subscriber.control.cancel_subscription(subscriber.subscription, at_period_end=True)
    subscriber.hear()

    subscriber.move_to(NOVEMBER + timedelta(days=12))

    assert not Notice.objects.filter(event="subscription.trial_ending").exists()
    assert changes() == ["trial_started", "cancellation_scheduled"]
