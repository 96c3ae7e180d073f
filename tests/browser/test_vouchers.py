"""A voucher from the one who makes it to the one who redeems it."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress

from accounts.models import User
from billing.models import VoucherBatch
from tests.browser.conftest import InboxWorker
from tests.browser.staff_steps import open_list
from tests.browser.steps import PASSWORD, expect, sign_up
from tests.browser.test_pages import look_at
from tests.browser.test_staff_pages import list_barriers

Keep = Callable[[Any, str], None]


def log_in_as_owner(page: Any) -> None:
    owner = User.objects.create_superuser("owner@example.org", PASSWORD)
    EmailAddress.objects.create(user=owner, email=owner.email, primary=True, verified=True)
    page.goto("/accounts/login/?next=/admin/")
    page.get_by_label("Email").fill("owner@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/admin/")


def keep_at_widths(page: Any, name: str, keep: Keep) -> None:
    """A page of staff without barriers, no wider than its window, as a picture."""
    assert list_barriers(page) == []
    for width in (375, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        keep(page, f"{name}-{width}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_voucher_is_made_by_staff_and_redeemed_once(
    theme: str, open_page: Callable[..., Any], inbox: InboxWorker, keep: Keep
) -> None:
    staff = open_page(color_scheme=theme)
    log_in_as_owner(staff)
    open_list(staff, "Vouchers")
    staff.get_by_role("link", name="Make vouchers").click()
    keep_at_widths(staff, "make", keep)
    staff.locator("#id_name").fill("Spring fair")
    staff.locator("#id_credits").fill("250")
    staff.locator("#id_code_count").fill("2")
    staff.locator("#id_lifetime_days").fill("30")
    staff.locator("#id_note").fill("For the fair")
    staff.get_by_role("button", name="Show what it does").click()
    expect(staff.get_by_text("500 credits")).to_be_visible()
    keep_at_widths(staff, "preview", keep)
    staff.get_by_role("button", name="Make them and show the codes").click()
    codes = staff.get_by_label("Codes").input_value().split()
    keep_at_widths(staff, "made", keep)
    with staff.expect_download() as download:
        staff.get_by_role("button", name="Download as CSV").click()
    assert codes[1] in download.value.path().read_text()

    page = open_page(color_scheme=theme)
    sign_up(page)
    page.get_by_role("link", name="Redeem a code").click()
    look_at(page, {"redeem": ""}, keep=keep)
    page.get_by_label("Code", exact=True).fill("0000 0000 0000 0000")
    page.get_by_role("button", name="Add the credits").click()
    expect(page.get_by_text("We do not know this code.")).to_be_visible()
    expect(page.locator("[data-focus]")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    look_at(page, {"unknown": ""}, keep=keep)
    page.goto(f"/billing/redeem/?code={codes[0]}")
    page.get_by_role("button", name="Add the credits").click()
    expect(page.get_by_text("250 credits were added. Your balance is 750.")).to_be_visible()
    look_at(page, {"redeemed": ""}, keep=keep)
    page.goto("/billing/buy/")
    look_at(page, {"buy": ""}, keep=keep)
    page.get_by_role("link", name="Redeem a code").click()
    page.get_by_label("Code", exact=True).fill(codes[0].lower())
    page.get_by_role("button", name="Add the credits").click()
    expect(page.get_by_text("its credits were added then")).to_be_visible()

    batch = VoucherBatch.objects.get()
    staff.goto(f"/admin/billing/voucherbatch/{batch.pk}/change/")
    expect(staff.get_by_text("1 of 2")).to_be_visible()
    keep_at_widths(staff, "batch", keep)
