"""Usage, corrections, keys and overdrafts in a browser: what staff do, and pages without barriers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.api_keys import find_key
from accounts.models import ApiKey
from billing.models import BillingCustomer, CreditBalance
from billing.tests.shop import make_customer
from sandbox.demo.accounts import STAFF
from sandbox.demo.people import ensure_account
from tests.browser.staff_steps import act, log_in_as, open_list
from tests.browser.steps import expect
from tests.browser.test_staff_pages import check_pages, page_of
from usage.models import UsageCorrection, UsageEvent
from usage.tests.corrections import MODEL, make_price, overcharge

OpenPage = Callable[..., Any]
Keep = Callable[[Any, str], None]


@pytest.fixture
def buyer(site: str) -> BillingCustomer:
    """Somebody with 1,000 credits, of which two calls cost 35 each instead of 3.5."""
    ensure_account(STAFF)
    customer = overcharge(make_customer(email="buyer@example.com"))
    make_price(input_usd="0.0025")
    return customer


def test_charges_are_corrected_and_taken_back(open_page: OpenPage, buyer: BillingCustomer, keep: Keep) -> None:
    now = timezone.now()
    page = open_page()
    log_in_as(page, STAFF)
    open_list(page, "Corrections")
    act(page, "Correct charges")

    page.locator("[name=model]").fill(MODEL)
    for name, moment in (("since", now - timedelta(days=1)), ("until", now + timedelta(days=1))):
        page.locator(f"[name={name}_0]").fill(f"{moment:%Y-%m-%d}")
        page.locator(f"[name={name}_1]").fill(f"{moment:%H:%M:%S}")
    page.locator("[name=price]").select_option(index=1)  # the newest version
    page.locator("[name=reason]").fill("The price list was wrong")
    page.get_by_role("button", name="Show what it does").click()
    expect(page.get_by_text("Nothing has been posted yet")).to_be_visible()
    expect(page.get_by_role("row", name="buyer@example.com")).to_contain_text("+63")
    keep(page, "preview")
    page.get_by_role("button", name="Confirm and post").click()

    expect(page.get_by_text("The charges are corrected.")).to_be_visible()
    assert CreditBalance.objects.get(pk=buyer.pk).posted == 993
    act(page, "Take it back")
    page.locator("[name=reason]").fill("It was right after all")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("was taken back.")).to_be_visible()
    assert CreditBalance.objects.get(pk=buyer.pk).posted == 930


def test_a_key_is_made_found_and_revoked(open_page: OpenPage, buyer: BillingCustomer, keep: Keep) -> None:
    page = open_page()
    log_in_as(page, STAFF)
    open_list(page, "API keys")
    act(page, "Make a key")

    page.locator("[name=email]").fill("buyer@example.com")
    page.locator("[name=name]").fill("Integration")
    page.locator("[name=scopes][value=customers]").check()
    page.locator("[name=reason]").fill("Contract 4711")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("It is not shown again.")).to_be_visible()
    text = page.locator("#new-key").inner_text()
    keep(page, "made")
    key = find_key(text=text, now=timezone.now())
    assert key.scopes == ["customers"]

    page.get_by_role("link", name="Done").click()
    act(page, "Revoke")
    page.locator("[name=reason]").fill("Seen in a ticket")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The key is revoked.")).to_be_visible()
    assert ApiKey.objects.get().revoked_at is not None


def test_an_overdraft_is_set_on_the_customers_page(open_page: OpenPage, buyer: BillingCustomer) -> None:
    page = open_page()
    log_in_as(page, STAFF)
    page.goto(page_of(buyer))
    act(page, "Set the overdraft")

    page.locator("[name=limit]").fill("500")
    page.locator("[name=reason]").fill("Pays by invoice")
    page.get_by_role("button", name="Set the overdraft").click()

    expect(page.get_by_text("Overdraft set.")).to_be_visible()
    assert CreditBalance.objects.get(pk=buyer.pk).overdraft_limit == Decimal(500)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_usage_have_no_barriers(theme: str, open_page: OpenPage, buyer: BillingCustomer, keep: Keep) -> None:
    now = timezone.now()
    correction = UsageCorrection.objects.create(
        model=MODEL,
        since=now - timedelta(days=1),
        until=now,
        price=make_price(model="right"),
        reason="Wrong price list",
    )
    event = UsageEvent.objects.first()
    assert event is not None
    addresses = {
        "usage": reverse("admin:usage_usageevent_changelist"),
        "event": page_of(event),
        "corrections": reverse("admin:usage_usagecorrection_changelist"),
        "correction": page_of(correction),
        "correct": reverse("admin:usage_usagecorrection_correct"),
        "finish": page_of(correction, "finish"),
        "keys": reverse("admin:accounts_apikey_changelist"),
        "make-key": reverse("admin:accounts_apikey_make"),
        "overdraft": page_of(buyer, "overdraft"),
        "customer": page_of(buyer),
    }
    page = open_page(color_scheme=theme)
    log_in_as(page, STAFF)

    check_pages(page, addresses, keep)
