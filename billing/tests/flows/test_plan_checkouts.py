"""Whoever has paid for a plan does not pay for a second one, however late we hear of it."""

import json

import pytest

from billing.errors import AlreadySubscribed
from billing.models import (
    Payment,
    StripeEvent,
    Subscription,
)
from billing.services.plan_checkout import start_plan_checkout
from billing.tests.flows.subscribing import Subscriber
from billing.tests.shop import PAGES, WEBHOOK_SECRET, deliver, work_off_all

pytestmark = pytest.mark.django_db


def _open_checkout(subscriber: Subscriber, form_key: str) -> str:
    started = start_plan_checkout(
        customer=subscriber.customer,
        slug="pro",
        form_key=form_key,
        ui_mode="embedded_page",
        network_hash="",
        pages=PAGES,
        gateway=subscriber.gateway,
    )
    return started.session_id


def test_who_has_paid_cannot_subscribe_again_before_we_hear_of_it(subscriber: Subscriber) -> None:
    """Two subscriptions would be charged for month by month."""
    subscriber.control.pay_session(_open_checkout(subscriber, "first"))
    assert not Subscription.objects.exists()

    with pytest.raises(AlreadySubscribed, match="Pro"):
        _open_checkout(subscriber, "second")

    subscriber.hear()
    assert Subscription.objects.count() == 1


def test_who_has_paid_cannot_subscribe_again_while_events_come_out_of_order(subscriber: Subscriber) -> None:
    subscriber.control.pay_session(_open_checkout(subscriber, "first"))
    for signed in subscriber.control.take_events(secret=WEBHOOK_SECRET):
        if json.loads(signed.payload)["type"] == "checkout.session.completed":
            assert deliver(signed) == 200
    work_off_all(subscriber.gateway)
    assert not Subscription.objects.exists()

    with pytest.raises(AlreadySubscribed, match="Pro"):
        _open_checkout(subscriber, "second")


def test_whose_subscription_has_ended_at_stripe_may_subscribe_again(subscriber: Subscriber) -> None:
    session_id = _open_checkout(subscriber, "first")
    subscriber.control.pay_session(session_id)
    session = subscriber.control.get_object(session_id) or {}
    subscriber.control.cancel_subscription(str(session["subscription"]))

    again = _open_checkout(subscriber, "second")

    assert again != session_id
    subscriber.control.pay_session(again)
    subscriber.hear()
    assert Subscription.objects.filter(ended_at__isnull=True).count() == 1


def test_an_open_checkout_of_another_form_is_ended(subscriber: Subscriber) -> None:
    first = _open_checkout(subscriber, "first")

    _open_checkout(subscriber, "second")

    assert (subscriber.control.get_object(first) or {})["status"] == "expired"


def test_card_that_is_declined_in_the_checkout_is_no_riddle(subscriber: Subscriber) -> None:
    started = start_plan_checkout(
        customer=subscriber.customer,
        slug="pro",
        form_key="declined",
        ui_mode="embedded_page",
        network_hash="",
        pages=PAGES,
        gateway=subscriber.gateway,
    )
    subscriber.control.pay_session(started.session_id, card="4000000000000002")
    subscriber.control.expire_session(started.session_id)

    subscriber.hear()

    assert not StripeEvent.objects.exclude(state="done").exists()
    assert Payment.objects.get().state == "expired"
