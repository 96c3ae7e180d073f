"""The plans page while a change of plan waits for the end of the period."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.models import BillingCustomer, Plan, Subscription
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import PRO_PLUS, make_plan

pytestmark = pytest.mark.django_db
PLANS = "/billing/plans/"


@pytest.fixture
def plans(db: None) -> dict[str, Plan]:
    """Free, Basic, Pro, Pro Plus and Max."""
    made = [
        make_free(),
        make_plan("basic", price=(900, PRO_PLUS[1]), rank=1),
        make_plan("pro", rank=2),
        make_plan("pro_plus", price=PRO_PLUS, rank=3),
        make_plan("max", price=(9900, PRO_PLUS[1]), rank=4),
    ]
    return {plan.slug: plan for plan in made}


def let_wait(customer: BillingCustomer, plans: dict[str, Plan], **fields: Any) -> Subscription:
    """A subscription to Pro Plus that becomes Pro at the end of its period."""
    end: datetime = timezone.now() + timedelta(days=15)
    terms = {"next_plan": plans["pro"], "changes_at": end, "period_end": end, **fields}
    return subscribe(customer, plans["pro_plus"], **terms)


def offers(browser: Client) -> dict[str, tuple[str, bool]]:
    """What each card offers, and whether the change that waits comes before it."""
    return {offer.plan.slug: (str(offer.step), offer.is_held) for offer in browser.get(PLANS).context["offers"]}


def read(browser: Client) -> str:
    return " ".join(browser.get(PLANS).content.decode().split())


def test_the_next_plan_leads_to_keeping_the_present_one(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan]
) -> None:
    let_wait(customer, plans)

    page = read(browser)

    assert offers(browser)["pro"] == ("keep", False)
    assert "Your next plan" in page
    assert "Until then you keep Pro Plus, and can take the change back at Stripe." in page
    assert "until then you keep Pro Plus" in page
    assert "Ends with this period." in page
    assert 'value="change_plan"' not in page


def test_other_changes_begin_on_the_portals_first_page(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan]
) -> None:
    let_wait(customer, plans)

    page = read(browser)

    assert offers(browser) == {
        "free": ("cancel", True),
        "basic": ("downgrade", True),
        "pro": ("keep", False),
        "pro_plus": ("none", False),
        "max": ("upgrade", True),
    }
    assert page.count("Another change waits. Take it back at Stripe first") == 2
    assert 'value="cancel"' not in page
    assert page.count('name="flow" value="manage"') == 5


def test_a_next_plan_that_is_no_longer_offered_has_a_card(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan]
) -> None:
    Plan.objects.filter(slug="pro").update(is_active=False)
    let_wait(customer, plans)

    assert list(offers(browser)) == ["free", "basic", "pro", "pro_plus", "max"]
    assert offers(browser)["pro"] == ("keep", False)


def test_the_change_is_taken_back_where_nothing_is_sold(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan], settings: Settings
) -> None:
    settings.STRIPE_BILLING_ENABLED = False
    let_wait(customer, plans)

    assert offers(browser)["pro"] == ("keep", False)


def test_of_a_cancelled_plan_the_end_is_what_comes(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan]
) -> None:
    let_wait(customer, plans, cancel_at=timezone.now() + timedelta(days=15))

    page = read(browser)

    assert "Cancelled, ends on" in page
    assert "Changes to Pro on" not in page
    assert offers(browser)["pro"] == ("downgrade", False)


def test_a_trial_names_its_end_and_the_plan_after_it(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan]
) -> None:
    end = timezone.now() + timedelta(days=15)
    let_wait(customer, plans, status="trialing", trial_end=end)

    page = read(browser)

    assert "The trial ends, and the first payment is made, on" in page
    assert "Changes to Pro on" in page
    assert "The plan's credits come with the first payment." in page.replace("&#x27;", "'")


def test_another_price_of_the_same_plan_is_no_other_plan(
    browser: Client, customer: BillingCustomer, plans: dict[str, Plan]
) -> None:
    let_wait(customer, plans, next_plan=plans["pro_plus"])

    page = read(browser)

    assert "Changes on" in page
    assert "Changes to" not in page
    assert "Ends with this period." not in page
    assert offers(browser)["pro_plus"] == ("none", False)
