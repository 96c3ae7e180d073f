"""Prices in a browser: a new version, from the list over the preview to the row, and pages without barriers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import OperationPrice, PricingConfig
from billing.selectors.prices import find_price
from sandbox.demo.accounts import STAFF
from sandbox.demo.people import ensure_account
from sandbox.demo.prices import ensure_prices
from tests.browser.staff_steps import act, log_in_as, open_list
from tests.browser.steps import expect
from tests.browser.test_staff_pages import WIDTHS, list_barriers, page_of

OpenPage = Callable[..., Any]
Keep = Callable[[Any, str], None]


@pytest.fixture
def priced(site: str) -> PricingConfig:
    """The demo's prices, somebody who sets them, and one of them."""
    ensure_account(STAFF)
    ensure_prices(now=timezone.now())
    return PricingConfig.objects.get(model="gpt-5-mini")


def test_owner_sets_a_new_version(open_page: OpenPage, priced: PricingConfig, keep: Keep) -> None:
    page = open_page()
    log_in_as(page, STAFF)
    open_list(page, "Model prices")
    page.locator("#result_list").get_by_role("link", name="gpt-5-mini", exact=True).click()
    act(page, "New version")

    page.get_by_label("Markup in percent").fill("50")
    page.get_by_label("Why").fill("The provider has become slower")
    page.get_by_role("button", name="Show what it does").click()
    expect(page.get_by_text("Nothing has changed yet")).to_be_visible()
    expect(page.get_by_role("row", name="1,000 tokens in, 500 out, in credits")).to_contain_text("1.875")
    keep(page, "preview")
    page.get_by_role("button", name="Set this price").click()

    expect(page.get_by_text("the new version holds from")).to_be_visible()
    assert find_price(model="gpt-5-mini", at=timezone.now()).markup_percent == Decimal(50)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_prices_have_no_barriers(theme: str, open_page: OpenPage, priced: PricingConfig, keep: Keep) -> None:
    operation = OperationPrice.objects.get(operation="api-call")
    addresses = {
        "prices": reverse("admin:billing_pricingconfig_changelist"),
        "price": page_of(priced),
        "new-version": page_of(priced, "new_version"),
        "withdraw": page_of(priced, "withdraw"),
        "operation-prices": reverse("admin:billing_operationprice_changelist"),
        "operation-new-version": page_of(operation, "new_version"),
    }
    page = open_page(color_scheme=theme)
    log_in_as(page, STAFF)

    faults = []
    for name, address in addresses.items():
        page.goto(address)
        faults += [f"{name}: {barrier}" for barrier in list_barriers(page)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            faults += [f"{name}: {beyond} px wider than a window of {width}"] if beyond > 0 else []
            keep(page, f"{name}-{width}")

    assert not faults, "\n".join(faults)
