"""Which card is kept for automatic top-up, and what removing it does."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.saved_cards import CardFacts
from billing.models import Payment, PlanPrice
from billing.services.top_ups.cards import Removal, remove_card, save_card_of, save_missing_cards
from billing.tests.flows.subscribing import offer_plans
from billing.tests.top_ups import Shopper

pytestmark = pytest.mark.django_db


def subscribe(shopper: Shopper, *, default_card: str) -> str:
    """Start a plan at Stripe that is paid with that card of the customer's settings, and gives its id."""
    offer_plans(shopper.gateway)
    at_stripe = str(shopper.customer.stripe_customer_id)
    shopper.gateway.set_default_card(
        customer_id=at_stripe, payment_method_id=default_card, idempotency_key=f"default-{default_card}"
    )
    price = PlanPrice.objects.get(plan__slug="pro", is_current=True).stripe_price_id
    return str(shopper.sandbox.control.subscribe(at_stripe, price, card=None)["id"])


def is_attached(shopper: Shopper, card: str) -> bool:
    return bool(shopper.gateway.retrieve_card(payment_method_id=card).customer_id)


def test_a_removed_card_is_gone_at_stripe(shopper: Shopper) -> None:
    card = shopper.top_up.payment_method_id

    assert remove_card(customer_id=shopper.customer.pk, gateway=shopper.gateway) is Removal.EVERYWHERE

    assert not is_attached(shopper, card)
    assert remove_card(customer_id=shopper.customer.pk, gateway=shopper.gateway) is Removal.NOTHING


def test_a_card_that_pays_a_plan_is_kept_at_stripe_and_forgotten_here(shopper: Shopper) -> None:
    card = shopper.top_up.payment_method_id
    subscribe(shopper, default_card=card)

    assert remove_card(customer_id=shopper.customer.pk, gateway=shopper.gateway) is Removal.ONLY_HERE

    assert is_attached(shopper, card)
    assert shopper.top_up.payment_method_id == ""
    assert shopper.state == ("paused", "card_removed")


def test_after_the_plan_has_ended_the_card_is_removed(shopper: Shopper) -> None:
    card = shopper.top_up.payment_method_id
    subscription = subscribe(shopper, default_card=card)
    shopper.sandbox.control.cancel_subscription(subscription)

    assert remove_card(customer_id=shopper.customer.pk, gateway=shopper.gateway) is Removal.EVERYWHERE

    assert not is_attached(shopper, card)


def test_the_page_says_that_a_plan_keeps_the_card(shopper: Shopper, client: Client) -> None:
    subscribe(shopper, default_card=shopper.top_up.payment_method_id)
    assert shopper.customer.user is not None
    client.force_login(shopper.customer.user)

    page = client.post("/billing/top-up/card/remove/", follow=True).content.decode()

    assert "Your plan is paid with it" in page


def test_a_card_of_another_customer_is_not_kept(shopper: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
    card, retrieve = shopper.top_up.payment_method_id, type(shopper.gateway).retrieve_card

    def retrieve_strangely(self: StripeGateway, **arguments: Any) -> CardFacts:
        return replace(retrieve(self, **arguments), customer_id="cus_stranger")

    monkeypatch.setattr(type(shopper.gateway), "retrieve_card", retrieve_strangely)
    shopper.buy()

    assert shopper.top_up.payment_method_id == card
    assert shopper.state == ("on", "")


def test_an_older_payment_does_not_bring_its_card_back(shopper: Shopper) -> None:
    """What was missed is looked for later, also when a newer payment's card is known already."""
    old, first = shopper.bought, shopper.top_up.payment_method_id
    Payment.objects.filter(pk=old.pk).update(card_saved_at=None, paid_at=timezone.now() - timedelta(hours=1))
    late = Payment.objects.get(pk=old.pk)
    shopper.buy()
    second = shopper.top_up.payment_method_id
    assert second != first
    Payment.objects.filter(pk=old.pk).update(card_saved_at=None)

    late.refresh_from_db()
    assert not save_card_of(payment=late, gateway=shopper.gateway)

    assert shopper.top_up.payment_method_id == second
    assert save_missing_cards(gateway=shopper.gateway, now=timezone.now()) == 0
