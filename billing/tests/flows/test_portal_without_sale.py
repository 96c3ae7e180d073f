"""While nothing is sold, the portal lets customers leave, pay and see, and change no plan."""

import re
from dataclasses import dataclass

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, PortalConfiguration, Subscription
from billing.services.catalog import sync_catalog
from billing.tests.flows.subscribing import Subscriber, offer_plans
from sandbox.stripe.server import SandboxServer
from sandbox.tests.stripe.shop import Page, Shop

pytestmark = pytest.mark.django_db
OFF = [{"STRIPE_BILLING_ENABLED": False}, {"STRIPE_BILLING_COHORT": 0}]
CARD = {"number": "4000 0000 0000 0259", "expiry": "12 / 34", "cvc": "123"}


@dataclass
class Visitor:
    """A subscriber of Pro who goes to the portal by our button, with a browser without scripts."""

    subscriber: Subscriber
    browser: Client
    shop: Shop
    settings: Settings

    def ask(self, flow: str) -> int:
        """The status of the answer to our button."""
        return self.browser.post("/billing/portal/", {"flow": flow}).status_code

    def open(self, flow: str) -> str:
        """Where our button leads."""
        response = self.browser.post("/billing/portal/", {"flow": flow})
        assert response.status_code == 303, response.content
        return str(response["Location"])

    def look(self, address: str, **query: str) -> Page:
        return self.shop.browse(f"{address}?{'&'.join(f'{name}={value}' for name, value in query.items())}")

    def press(self, address: str, action: str, **typed: str) -> Page:
        """Send a form of the portal, whether a page shows it or not; and hear what came of it."""
        named = {"token": self.shop.control.sandbox.form_token, "subscription": self.subscriber.subscription}
        page = self.shop.browse(address, {**named, "action": action, **typed})
        self.subscriber.hear()
        return page

    def sell(self, **off: object) -> None:
        for name, value in off.items():
            setattr(self.settings, name, value)


@pytest.fixture
def visitor(
    gateway: StripeGateway,
    stripe_sandbox: SandboxServer,
    traveller: time_machine.Traveller,
    customer: BillingCustomer,
    client: Client,
    settings: Settings,
) -> Visitor:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 0
    offer_plans(gateway)
    subscriber = Subscriber(customer, gateway, stripe_sandbox.control, traveller)
    subscriber.check_out("pro")
    assert customer.user is not None
    client.force_login(customer.user)
    return Visitor(subscriber, client, Shop(stripe_sandbox), settings)


def links(page: Page) -> list[str]:
    """What can be followed or pressed on a page of the portal."""
    return [text.strip() for text in re.findall(r"<(?:a|button)\b[^>]*>([^<]*)", page.html)]


def test_while_plans_are_sold_the_portal_changes_them(visitor: Visitor) -> None:
    address = visitor.open("manage")

    page = visitor.look(address)
    changed = visitor.press(address, "change_plan", price=visitor.subscriber.price("pro_plus"))

    assert {"Change plan", "Cancel plan", "Change card", "Change details", "PDF"} <= set(links(page))
    assert changed.status == 303
    assert Subscription.objects.get().plan is not None
    assert Subscription.objects.get().price_minor == 4900


@pytest.mark.parametrize("off", OFF)
def test_while_nothing_is_sold_no_plan_can_be_changed(visitor: Visitor, off: dict[str, object]) -> None:
    visitor.sell(**off)
    address, price = visitor.open("manage"), visitor.subscriber.price("pro_plus")
    subscription = visitor.subscriber.subscription

    page = visitor.look(address)
    chosen = visitor.look(address, view="plans", subscription=subscription)
    confirmed = visitor.look(address, view="confirm", subscription=subscription, price=price)
    changed = visitor.press(address, "change_plan", price=price)

    assert "Change plan" not in page.text
    assert {"Cancel plan", "Change card", "Change details", "PDF"} <= set(links(page))
    assert "$19.00 / month" in page.text
    assert [chosen.status, confirmed.status, changed.status] == [422, 422, 422]
    assert Subscription.objects.get().price_minor == 1900
    assert visitor.ask("change_plan") == 410


@pytest.mark.parametrize("off", OFF)
def test_while_nothing_is_sold_one_leaves_and_stays_and_changes_the_card(
    visitor: Visitor, off: dict[str, object]
) -> None:
    visitor.sell(**off)

    assert visitor.press(visitor.open("cancel"), "cancel").status == 303
    assert Subscription.objects.get().cancel_at is not None
    first_page = visitor.open("cancel")  # it is cancelled already
    assert "Do not cancel" in links(visitor.look(first_page))
    assert "Change plan" not in visitor.look(first_page).text
    assert visitor.press(first_page, "resume").status == 303
    assert Subscription.objects.get().cancel_at is None
    assert "Change plan" not in visitor.look(first_page).text
    assert visitor.press(visitor.open("update_card"), "change_card", **CARD).status == 303
    assert "ending in 0259" in visitor.look(first_page).text


def test_before_the_catalog_was_synced_only_single_steps_are_opened(visitor: Visitor, gateway: StripeGateway) -> None:
    PortalConfiguration.objects.filter(sells=False).delete()
    assert visitor.ask("manage") == 303
    visitor.sell(STRIPE_BILLING_ENABLED=False)

    refused = visitor.browser.post("/billing/portal/", {"flow": "manage"})
    pages = {flow: visitor.look(visitor.open(flow)) for flow in ("update_card", "cancel")}
    left = visitor.press(visitor.open("cancel"), "cancel")

    assert refused.status_code == 503
    for words in ("Not all of this can be opened yet", "cannot be opened as a whole", "Back to the plans"):
        assert words in refused.content.decode()
    way_out = ["Back to the shop"]  # and none to the rest of the portal
    assert [links(page)[:2] for page in pages.values()] == [[*way_out, "Save card"], [*way_out, "Cancel plan"]]
    assert (left.status, left.headers["Location"]) == (303, "http://127.0.0.1:8000/billing/plans/")
    assert visitor.ask("cancel") == 503  # it is cancelled already, and would open the first page
    list(sync_catalog(gateway=gateway))
    assert "Change plan" not in visitor.look(visitor.open("manage")).text


def test_without_any_portal_of_ours_the_accounts_own_is_not_opened_at_its_first_page(visitor: Visitor) -> None:
    PortalConfiguration.objects.all().delete()
    visitor.sell(STRIPE_BILLING_ENABLED=False)

    assert [visitor.ask(flow) for flow in ("manage", "update_card", "cancel")] == [503, 303, 303]
