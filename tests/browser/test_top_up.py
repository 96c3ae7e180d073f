"""Automatic top-up as people set it up: save a card by a purchase, read, agree, spend, and turn it off."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingCustomer, Payment
from billing.services.debits import debit_credits
from billing.services.gateway import configured_gateway
from billing.services.top_ups.running import run_due_top_ups
from tests.browser.conftest import InboxWorker
from tests.browser.steps import EMAIL, GOOD_CARD, expect, pay_by_card, payment_form, sign_up
from tests.browser.test_pages import look_at

Keep = Callable[[Any, str], None]


def spend(amount: int, *, key: str) -> None:
    customer = BillingCustomer.objects.get(user__email=EMAIL)
    debit_credits(customer_id=customer.pk, amount=Decimal(amount), key=key, placed_by="system")
    run_due_top_ups(gateway=configured_gateway(), now=timezone.now())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_card_is_saved_top_up_agreed_to_used_and_turned_off(
    theme: str, open_page: Callable[..., Any], inbox: InboxWorker, keep: Keep
) -> None:
    page = open_page(color_scheme=theme)
    sign_up(page)
    page.goto("/billing/buy/")
    page.get_by_role("link", name="Have a pack bought automatically").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Automatic top-up")
    look_at(page, {"empty": ""}, keep=keep)
    page.get_by_role("link", name="Buy “10,000 credits” and save the card").click()
    form = payment_form(page)
    expect(page.get_by_text("Your card is saved with Stripe")).to_be_visible()
    look_at(page, {"checkout": ""}, keep=keep)
    pay_by_card(form, number=GOOD_CARD)
    expect(page.locator("[data-state=credited]")).to_be_visible()

    for _ in range(20):
        page.goto("/billing/top-up/")
        if page.get_by_text("Visa ending in 4242").count():
            break
        page.wait_for_timeout(500)
    look_at(page, {"card": ""}, keep=keep)
    page.get_by_label("When I have fewer available credits than").fill("2000")
    page.get_by_label("Charge at most, in a calendar month").fill("1")
    page.get_by_label("Buy this pack").select_option("standard")
    page.get_by_role("button", name="Read what I agree to").click()
    expect(page.get_by_text("$10.00 or more")).to_be_visible()
    look_at(page, {"refused": ""}, keep=keep)
    page.get_by_label("Charge at most, in a calendar month").fill("30")
    page.get_by_role("button", name="Read what I agree to").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What you agree to")
    look_at(page, {"consent": ""}, keep=keep)
    page.get_by_role("button", name="I agree, turn it on").click()
    expect(page.get_by_text("Automatic top-up is on.")).to_be_visible()
    look_at(page, {"on": "/billing/top-up/"}, keep=keep)

    spend(9_000, key="a call")
    page.goto("/billing/top-up/")
    expect(page.get_by_role("row").filter(has_text="10,000 credits")).to_contain_text("$10.00")
    assert Payment.objects.filter(kind="auto_top_up", paid_at__isnull=False).count() == 1
    expect(page.locator(".balance-chip")).to_contain_text("11,500")
    look_at(page, {"used": ""}, keep=keep)

    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("You turned it off.")).to_be_visible()
    look_at(page, {"off": ""}, keep=keep)
