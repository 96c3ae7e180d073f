"""Subscribe, upgrade in the portal, see the invoices; and the pages of plans without barriers, in both themes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingCustomer, Plan, Subscription
from billing.services.catalog import sync_catalog
from billing.services.gateway import configured_gateway
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.views.rows import make_payment
from billing.tests.views.test_invoices import make_invoice
from tests.browser.steps import GOOD_CARD, expect, pay_by_card, payment_form, sign_up
from tests.browser.test_pages import Keep, customer, log_in, look_at  # noqa: F401  # a fixture among them

PAGES = {"plans": "/billing/plans/", "invoices": "/billing/invoices/"}


@pytest.fixture
def plans(site: str) -> None:
    """Free, Pro, Pro Plus and Enterprise; those that have a price have it at the sandbox, and the portal is set up."""
    make_free(max_api_keys=2, features=["100 credits on the first of each month"])
    limits = {"requests_per_minute": 1200, "max_api_keys": 10, "features": ["Mail support"]}
    Plan.objects.create(slug="pro", name="Pro", rank=1, credits=20_000, price_minor=1900, **limits)
    Plan.objects.create(slug="pro_plus", name="Pro Plus", rank=2, credits=60_000, price_minor=4900)
    Plan.objects.create(slug="enterprise", name="Enterprise", rank=9, description="Credits and terms as agreed.")
    list(sync_catalog(gateway=configured_gateway(), dry_run=False))


def reload_until(page: Any, text: str) -> None:
    """Load the page again until it says so: it shows what the inbox has worked off so far."""
    for _ in range(30):
        if text in page.locator("main").inner_text():
            return
        page.wait_for_timeout(500)
        page.reload()
    pytest.fail(f"The page did not come to say {text!r}.")


def test_subscribe_upgrade_in_the_portal_and_see_the_invoices(page: Any, plans: None, keep: Keep) -> None:
    sign_up(page)
    page.get_by_role("link", name="Plans", exact=True).click()
    keep(page, "1-plans")
    page.get_by_role("link", name="Subscribe Pro", exact=True).click()
    pay_by_card(payment_form(page), number=GOOD_CARD)

    expect(page.locator("[data-state=credited]")).to_contain_text("20,000 credits have arrived")
    expect(page.locator(".balance-chip")).to_contain_text("20,500")
    keep(page, "2-credited")

    page.goto("/billing/plans/")
    reload_until(page, "You are on Pro")
    expect(page.locator("[data-payment-method]")).to_contain_text("Visa ending in 4242")
    keep(page, "3-subscribed")
    page.get_by_role("button", name="Upgrade Pro Plus").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your change")
    page.locator("[data-pay]").click()

    page.wait_for_url("**/billing/plans/")
    reload_until(page, "You are on Pro Plus")
    keep(page, "4-upgraded")
    expect(page.locator(".balance-chip")).to_contain_text("60,")
    page.get_by_role("link", name="Invoices", exact=True).first.click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("$19.00")
    expect(rows.first).to_contain_text("Paid")
    expect(rows.first.get_by_role("link", name="PDF")).to_be_visible()
    keep(page, "5-invoices")


def test_cancel_in_the_portal_and_see_when_it_ends(page: Any, plans: None) -> None:
    sign_up(page)
    page.goto("/billing/plans/pro/")
    pay_by_card(payment_form(page), number=GOOD_CARD)
    expect(page.locator("[data-state=credited]")).to_be_visible()
    page.goto("/billing/plans/")
    reload_until(page, "You are on Pro")

    page.get_by_role("button", name="Cancel the paid plan").click()
    page.locator("button[value=cancel]").click()
    page.goto("/billing/plans/")

    reload_until(page, "Cancelled, ends on")
    assert Subscription.objects.get().cancel_at is not None
    expect(page.locator(".balance-chip")).to_contain_text("20,500")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_empty_pages_of_plans_have_no_barriers(
    theme: str,
    open_page: Callable[..., Any],
    customer: BillingCustomer,  # noqa: F811
    keep: Keep,
) -> None:
    page = open_page(color_scheme=theme)
    log_in(page)

    look_at(page, PAGES, keep=keep)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_full_pages_of_plans_have_no_barriers(
    theme: str,
    open_page: Callable[..., Any],
    customer: BillingCustomer,  # noqa: F811
    plans: None,
    keep: Keep,
) -> None:
    now, pro = timezone.now(), Plan.objects.get(slug="pro")
    for number, status in enumerate(["paid", "open", "void", "paid"]):
        make_invoice(customer, f"A1B2C3-000{number}", status=status, subscription_id="sub_1")
    trial = make_payment(
        customer, kind="plan", plan=pro, credits=0, trial_days=14, paid_at=now, paid_amount_minor=0, paid_currency="usd"
    )
    free = make_payment(
        customer, kind="plan", plan=pro, credits=0, paid_at=now, paid_amount_minor=0, paid_currency="usd"
    )
    page = open_page(color_scheme=theme)
    log_in(page)
    page.goto("/billing/plans/pro/")
    payment_form(page)
    look_at(page, {"plan-checkout": ""}, keep=keep)
    returned = "/billing/checkout/return/?session_id="
    look_at(page, {"plans-free": "/billing/plans/"}, keep=keep)
    subscribe(customer, pro, status="past_due", past_due_since=now - timedelta(days=2))

    look_at(
        page,
        {
            "plans-past-due": "/billing/plans/",
            "invoices-full": "/billing/invoices/",
            "trial": f"{returned}{trial.checkout_session_id}",
            "free-period": f"{returned}{free.checkout_session_id}",
        },
        keep=keep,
    )
