"""A day of support, an approver, finance and an auditor in the admin, each in a browser of their own, on the demo."""

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from accounts.models import User
from billing.models import Adjustment, AuditEntry, CreditBalance, LedgerEntry, Payment, RefundRequest
from billing.services.customers import ensure_customer
from sandbox.demo.accounts import APPROVER, AUDITOR, FINANCE, SUPPORT
from sandbox.demo.people import ensure_account
from sandbox.demo.seeding import seed_everything
from sandbox.stripe.server import SandboxServer
from tests.browser.staff_steps import act, fill_adjustment, find_customer, log_in_as, open_list, press_until
from tests.browser.steps import expect

Keep = Callable[[Any, str], None]
OpenPage = Callable[..., Any]
CUSTOMER = "refund-failed@example.com"


@pytest.fixture
def demo(site: str, stripe_sandbox: SandboxServer) -> None:
    """People of each group, and customers whose money took every way."""
    seeded = seed_everything(stand_in=stripe_sandbox)
    assert not seeded.notes


def posted(email: str) -> Decimal:
    return Decimal(CreditBalance.objects.get(customer__user__email=email).posted)


@pytest.mark.usefixtures("demo")
def test_a_day_of_four_people(open_page: OpenPage, keep: Keep, tmp_path: Path) -> None:
    support, approver, finance, auditor = (open_page() for _ in range(4))
    for page, account in ((support, SUPPORT), (approver, APPROVER), (finance, FINANCE), (auditor, AUDITOR)):
        log_in_as(page, account)

    support_gives_credits(support, keep)
    asked = Adjustment.objects.get(note="A week without summaries")
    approver_decides(approver, keep)
    asked.refresh_from_db()
    assert (asked.state, asked.approved_by) == ("posted", User.objects.get(email=APPROVER.email))
    finance_repairs(finance, keep)
    finance_refunds(finance, keep)
    finance_exports(finance, folder=tmp_path)
    auditor_looks(auditor, keep)


def support_gives_credits(page: Any, keep: Keep) -> None:
    """500 credits at once; 20,000 that wait, and that the same person cannot approve."""
    before = posted(CUSTOMER)
    find_customer(page, email=CUSTOMER)
    keep(page, "1-customer")
    act(page, "Give or take credits")
    fill_adjustment(page, amount="500", note="Sorry for the wait")
    keep(page, "2-preview")
    page.get_by_role("button", name="Confirm and post").click()
    expect(page.get_by_text(f"+500 credits. The balance is now {before + 500:,.0f}.")).to_be_visible()
    assert posted(CUSTOMER) == before + 500

    act(page, "Give or take credits")
    fill_adjustment(page, amount="20,000", note="A week without summaries")
    expect(page.get_by_text("More than 1,000 credits at once need a second person.")).to_be_visible()
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("Nothing has been posted yet: +20,000 credits")).to_be_visible()
    keep(page, "3-waiting")
    assert posted(CUSTOMER) == before + 500

    open_list(page, "Approvals")
    page.locator("#result_list").get_by_role("row").filter(has_text=CUSTOMER).get_by_role("link").first.click()
    expect(page.get_by_text("A week without summaries")).to_be_visible()
    expect(page.get_by_role("link", name="Approve", exact=True)).to_have_count(0)
    assert page.goto(page.url.replace("/change/", "/approve/")).status == 403


def approver_decides(page: Any, keep: Keep) -> None:
    """From the first page to the decision."""
    before = posted(CUSTOMER)
    page.get_by_role("link", name="Credits waiting for approval").click()
    keep(page, "4-approvals")
    page.locator("#result_list").get_by_role("row").filter(has_text=CUSTOMER).get_by_role("link").first.click()
    act(page, "Approve")
    expect(page.get_by_text("A week without summaries")).to_be_visible()
    keep(page, "5-decision")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text(f"+20,000 credits. The balance is now {before + 20_000:,.0f}.")).to_be_visible()
    assert posted(CUSTOMER) == before + 20_000


def finance_repairs(page: Any, keep: Keep) -> None:
    """A payment that no webhook told of: both sides, the dry run, and with a reason the repair."""
    payment = Payment.objects.get(customer__user__email="unheard@example.com")
    page.get_by_role("link", name="Findings open").click()
    keep(page, "6-findings")
    page.get_by_role("link", name="Paid at Stripe, not granted here").click()
    keep(page, "7-finding")
    act(page, "Repair")
    expect(page.get_by_text("Nothing has been changed yet")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="10,000").first).to_be_visible()
    keep(page, "8-dry-run")
    payment.refresh_from_db()
    assert payment.state == "pending"

    page.get_by_role("button", name="Repair", exact=True).click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.get_by_label("Reason").fill("Its webhooks were lost.")
    page.get_by_role("button", name="Repair", exact=True).click()
    expect(page.get_by_text("Repaired.", exact=True)).to_be_visible()
    keep(page, "9-repaired")
    payment.refresh_from_db()
    assert payment.state == "paid"
    assert posted("unheard@example.com") == 10_000


def finance_refunds(page: Any, keep: Keep) -> None:
    """A part of a payment, back to the card."""
    before = posted(CUSTOMER)
    find_customer(page, email=CUSTOMER)
    page.get_by_role("link", name="pay_").first.click()
    act(page, "Refund")
    page.get_by_label("Amount").fill("2.50")
    page.get_by_label("Note").fill("A quarter was never used.")
    keep(page, "10-refund")
    page.get_by_role("button", name="Show what it does").click()
    expect(page.get_by_text("Nothing has gone back yet")).to_be_visible()
    keep(page, "11-what-it-does")
    page.get_by_role("button", name="Refund now").click()
    expect(page.get_by_text("Stripe has accepted the refund.")).to_be_visible()
    keep(page, "12-refunded")

    request = RefundRequest.objects.get(note="A quarter was never used.")
    assert (request.state, request.amount_minor) == ("accepted", 250)
    assert request.payment.refunds.get(is_dead=False).amount_minor == 250
    assert posted(CUSTOMER) == before - 2_500


def finance_exports(page: Any, *, folder: Path) -> None:
    """The ledger as both files, whole and exact."""
    entries = LedgerEntry.objects.count()
    open_list(page, "Entries")
    files = {}
    for label in ("CSV", "Excel"):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Ledger, {label}").click()
        files[label] = folder / download.value.suggested_filename
        download.value.save_as(files[label])

    with files["CSV"].open(encoding="utf-8-sig", newline="") as text:
        lines = list(csv.DictReader(text))
    assert len(lines) == entries
    given = next(line for line in lines if line["description"] == "Sorry for the wait")
    assert (given["type"], Decimal(given["amount"])) == ("adjustment", Decimal(500))
    sheet = load_workbook(files["Excel"], read_only=True).active
    rows = list(sheet.iter_rows(values_only=True))
    assert len(rows) == entries + 1
    assert next(row for row in rows if "Sorry for the wait" in row)[4] == 500


def auditor_looks(page: Any, keep: Keep) -> None:
    """All of it is in the log, with the reasons, and there is nothing to press."""
    find_customer(page, email=CUSTOMER)
    for name in ("Give or take credits", "Write off the debt", "Freeze", "Add a note"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name="Keep the note")).to_have_count(0)
    open_list(page, "Audit log")
    keep(page, "13-audit-log")
    log = page.locator("#result_list")
    for words in (
        ("support@example.com", "adjustment.request", "Sorry for the wait"),
        ("support@example.com", "adjustment.request", "A week without summaries"),
        ("approver@example.com", "adjustment.approve", CUSTOMER),
        ("finance@example.com", "finding.repair", "Its webhooks were lost."),
        ("finance@example.com", "refund_request.send", CUSTOMER),
        ("finance@example.com", "ledger.export"),
    ):
        row = log.get_by_role("row")
        for word in words:
            row = row.filter(has_text=word)
        expect(row.first).to_be_visible()
    log.get_by_role("row").filter(has_text="finding.repair").get_by_role("link").first.click()
    expect(page.get_by_text("Its webhooks were lost.").first).to_be_visible()
    keep(page, "14-audit-entry")
    assert AuditEntry.objects.filter(actor__email=AUDITOR.email).exclude(action="staff.login").count() == 0


def test_credits_are_given_by_keyboard_alone(open_page: OpenPage, site: str) -> None:
    ensure_account(SUPPORT)
    customer = ensure_customer(user=User.objects.create_user("grace@example.com"))
    page = open_page()
    log_in_as(page, SUPPORT)
    page.goto(reverse("admin:billing_billingcustomer_adjust", args=[customer.pk]))

    press_until(page, "#id_amount")
    page.keyboard.type("250.5")
    press_until(page, "#id_reason_code")
    page.keyboard.type("Outage")
    press_until(page, "#id_note")
    page.keyboard.type("An hour without summaries")
    press_until(page, "button:has-text('Show what it does')")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing has been posted yet")).to_be_visible()
    press_until(page, "button[name=confirm]")
    page.keyboard.press("Enter")

    expect(page.get_by_text("+250.5 credits. The balance is now 250.5.")).to_be_visible()
    adjustment = Adjustment.objects.get()
    assert (adjustment.amount, adjustment.reason_code) == (Decimal("250.5"), "outage")
