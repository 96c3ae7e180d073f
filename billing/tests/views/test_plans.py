"""The plans page, subscribing, and the way into the portal."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Payment, Plan
from billing.services.catalog import sync_catalog
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import PRO_PLUS, make_plan
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
PLANS, PORTAL = "/billing/plans/", "/billing/portal/"
KEY = "a-form-key-of-a-page"


@pytest.fixture
def pro(db: None) -> Plan:
    return make_plan("pro", features=["Answers in a day"], requests_per_minute=1200, max_api_keys=10)


@pytest.fixture
def plans(pro: Plan) -> list[Plan]:
    """Free, Pro, Pro Plus and one by agreement."""
    enterprise = {"slug": "enterprise", "name": "Enterprise", "rank": 9}
    return [
        make_free(max_api_keys=2),
        pro,
        make_plan("pro_plus", price=PRO_PLUS, rank=2),
        Plan.objects.create(**enterprise),
    ]


@pytest.fixture
def at_stripe(gateway: StripeGateway, db: None) -> Plan:
    """Pro and Pro Plus with prices at the sandbox, and the portal set up for them."""
    Plan.objects.create(slug="pro_plus", name="Pro Plus", rank=2, credits=60_000, price_minor=4900)
    plan = Plan.objects.create(slug="pro", name="Pro", rank=1, credits=20_000, price_minor=1900)
    list(sync_catalog(gateway=gateway, dry_run=False))
    return plan


def steps(browser: Client) -> dict[str, str]:
    """What each card of the page offers."""
    return {offer.plan.slug: str(offer.step) for offer in browser.get(PLANS).context["offers"]}


def test_plans_are_compared_with_price_credits_limits_and_features(browser: Client, plans: list[Plan]) -> None:
    page = browser.get(PLANS).content.decode()

    for words in ("You are on Free", "20,000", "$19.00", "1,200 requests a minute for each key", "10 live API keys"):
        assert words in page
    assert "Answers in a day" in page
    assert "mailto:" in page
    assert "Unused credits end with the period" in page


def test_who_has_no_plan_may_subscribe(browser: Client, plans: list[Plan]) -> None:
    assert steps(browser) == {"free": "none", "pro": "subscribe", "pro_plus": "subscribe", "enterprise": "talk"}


def test_who_has_one_goes_up_at_once_and_down_at_the_end(
    browser: Client, customer: BillingCustomer, plans: list[Plan]
) -> None:
    subscribe(customer, plans[1])
    assert steps(browser) == {"free": "cancel", "pro": "none", "pro_plus": "upgrade", "enterprise": "talk"}
    page = browser.get(PLANS).content.decode()
    assert "You pay the difference for the rest of this period" in page
    assert "From the end of this period" in page
    assert "Renews on" in page


def test_from_the_larger_plan_one_goes_down(browser: Client, customer: BillingCustomer, plans: list[Plan]) -> None:
    subscribe(customer, plans[2])

    assert steps(browser)["pro"] == "downgrade"


@pytest.mark.parametrize(
    ("has", "wants", "step"),
    [
        ({"interval": "year", "price_minor": 19_000}, {"price_minor": 4900}, "downgrade"),  # a month after a year
        ({"interval": "year", "price_minor": 3000}, {"price_minor": 4900}, "downgrade"),
        ({"price_minor": 4900}, {"price_minor": 49_000, "interval": "year"}, "upgrade"),
        ({"price_minor": 5000}, {"price_minor": 4900}, "downgrade"),  # an agreed price of the smaller plan
        ({"price_minor": 4900}, {"price_minor": 4900}, "upgrade"),
        ({"price_minor": 3 * 1900, "quantity": 3}, {"price_minor": 4900}, "upgrade"),  # three seats stay three
    ],
)
def test_a_change_is_said_to_come_when_the_portal_makes_it(
    browser: Client,
    customer: BillingCustomer,
    plans: list[Plan],
    has: dict[str, Any],
    wants: dict[str, Any],
    step: str,
) -> None:
    subscribe(customer, plans[1], **has)
    Plan.objects.filter(slug="pro_plus").update(**wants)

    assert steps(browser)["pro_plus"] == step


def test_a_cancelled_plan_says_when_it_ends_and_is_not_cancelled_twice(
    browser: Client, customer: BillingCustomer, plans: list[Plan]
) -> None:
    subscribe(customer, plans[1], cancel_at=timezone.now() + timedelta(days=3))

    page = browser.get(PLANS).content.decode()

    assert "Cancelled, ends on" in page
    assert "Follows when your plan has ended." in page
    assert "take the cancellation back under" in page
    assert "Renews on" not in page
    assert steps(browser)["free"] == "none"


def test_a_trial_is_offered_to_who_has_never_subscribed(browser: Client, customer: BillingCustomer, pro: Plan) -> None:
    pro.trial_days = 14
    pro.save()
    assert "14 days free to try" in browser.get(PLANS).content.decode()
    assert "Nothing is charged during the trial" in browser.get(f"{PLANS}pro/").content.decode()

    subscribe(customer, pro, status="canceled", ended_at=timezone.now())

    assert "free to try" not in browser.get(PLANS).content.decode()
    assert "Nothing is charged during the trial" not in browser.get(f"{PLANS}pro/").content.decode()


@pytest.mark.parametrize(("days", "words"), [(1, "Your plan goes on until"), (8, "You have Free's limits")])
def test_past_due_is_said_with_the_way_to_the_card(
    browser: Client, customer: BillingCustomer, plans: list[Plan], days: int, words: str
) -> None:
    subscribe(customer, plans[1], status="past_due", past_due_since=timezone.now() - timedelta(days=days))

    page = browser.get(PLANS).content.decode()

    assert "did not go through" in page
    assert words in page.replace("&#x27;", "'")
    assert 'value="update_card"' in page


@pytest.mark.parametrize(("days", "is_said"), [(1, False), (8, True)])
def test_the_card_of_a_plan_that_lapsed_says_what_brings_it_back(
    browser: Client, customer: BillingCustomer, plans: list[Plan], days: int, is_said: bool
) -> None:
    subscribe(customer, plans[1], status="past_due", past_due_since=timezone.now() - timedelta(days=days))

    page = browser.get(PLANS).content.decode()

    assert ("Not paid" in page) is is_said
    assert ("Comes back as soon as the payment has gone through." in page) is is_said


def test_the_page_without_plans_says_what_will_be_there(browser: Client) -> None:
    assert "No plans on offer" in browser.get(PLANS).content.decode()


@pytest.mark.parametrize("off", [{"STRIPE_BILLING_ENABLED": False}, {"STRIPE_BILLING_COHORT": 0}])
def test_nothing_is_sold_to_who_is_not_sold_to_and_leaving_goes_on(
    browser: Client, customer: BillingCustomer, plans: list[Plan], settings: Settings, off: dict[str, object]
) -> None:
    for name, value in off.items():
        setattr(settings, name, value)

    page = browser.get(PLANS).content.decode()

    assert "No plan can be chosen at the moment." in page
    assert set(steps(browser).values()) == {"none"}
    assert browser.get(f"{PLANS}pro/").status_code == 410
    assert browser.post(f"{PLANS}pro/", {"form_key": KEY, "ui_mode": "hosted"}).status_code == 410
    subscribe(customer, plans[1])
    assert steps(browser)["free"] == "cancel"
    assert browser.post(PORTAL, {"flow": "change_plan", "plan": "pro_plus"}).status_code == 410


@pytest.mark.parametrize("slug", ["free", "enterprise", "unknown"])
def test_plans_that_cannot_be_subscribed_to_are_refused(browser: Client, plans: list[Plan], slug: str) -> None:
    assert browser.get(f"{PLANS}{slug}/").status_code == 410
    assert browser.post(f"{PLANS}{slug}/", {"form_key": KEY, "ui_mode": "hosted"}).status_code == 410


def test_nobody_subscribes_twice(browser: Client, customer: BillingCustomer, plans: list[Plan]) -> None:
    subscribe(customer, plans[1])

    page = browser.get(f"{PLANS}pro_plus/")

    assert page.status_code == 409
    assert "You have a plan already" in page.content.decode()


def test_form_opens_one_checkout_however_often_it_is_sent(browser: Client, at_stripe: Plan) -> None:
    answers = [browser.post(f"{PLANS}pro/", {"form_key": KEY}).json() for _ in range(2)]

    assert answers[0]["client_secret"] == answers[1]["client_secret"]
    assert Payment.objects.get().plan == at_stripe


def test_hosted_form_is_sent_on_to_stripes_page(
    browser: Client, at_stripe: Plan, stripe_sandbox: SandboxServer
) -> None:
    response = browser.post(f"{PLANS}pro/", {"form_key": KEY, "ui_mode": "hosted"})

    assert response.status_code == 303
    assert response["Location"].startswith(stripe_sandbox.base_url)


@pytest.mark.parametrize("flow", ["", "manage", "update_card"])
def test_the_portal_opens_for_everybody(
    browser: Client, at_stripe: Plan, stripe_sandbox: SandboxServer, flow: str
) -> None:
    response = browser.post(PORTAL, {"flow": flow})

    assert response.status_code == 303
    assert response["Location"].startswith(f"{stripe_sandbox.base_url}/p/session/")


@pytest.mark.parametrize(
    "body", [{"flow": "cancel"}, {"flow": "change_plan", "plan": "pro"}, {"flow": "dance"}, {"plan": "pro"}]
)
def test_what_cannot_be_done_in_the_portal_is_refused(browser: Client, at_stripe: Plan, body: dict[str, str]) -> None:
    assert browser.post(PORTAL, body).status_code == 400


def test_the_portal_is_opened_by_post_alone(browser: Client) -> None:
    assert browser.get(PORTAL).status_code == 405


def test_too_many_ways_into_the_portal_say_when_to_come_back(
    browser: Client, at_stripe: Plan, settings: Settings
) -> None:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 2
    cache.clear()

    statuses = [browser.post(PORTAL).status_code for _ in range(3)]
    refused = browser.post(PORTAL, headers={"Accept": "application/json"})
    cache.clear()

    assert statuses == [303, 303, 429]
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_stripe_out_of_reach_is_said_kindly(browser: Client, settings: Settings) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    response = browser.post(PORTAL)

    assert response.status_code == 503
    assert "Stripe cannot be reached" in response.content.decode()


def test_only_forms_of_pages_with_a_way_into_the_portal_may_lead_to_stripe(browser: Client, plans: list[Plan]) -> None:
    policies = [browser.get(path)["Content-Security-Policy"] for path in (PLANS, "/billing/invoices/", "/billing/")]

    actions = [next(part for part in policy.split(";") if "form-action" in part) for policy in policies]
    assert ["stripe" in action or "127.0.0.1" in action or "localhost" in action for action in actions] == [
        True,
        True,
        False,
    ]
    assert all("frame-src" not in policy for policy in policies)
