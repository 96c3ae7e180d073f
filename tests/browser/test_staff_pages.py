"""Every sort of page that staff have, on the demo, in both themes: accessible, no wider than the window, and kept.

The pictures of docs/admin-guide.md are taken here, too, into test-results/guide/: copy them to docs/images/ when the
pages have changed.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.models import Model
from django.urls import reverse

from billing.models import Adjustment, BillingCustomer, Payment, ReconciliationFinding, RefundRequest
from sandbox.demo.accounts import DEBTOR, STAFF
from sandbox.demo.seeding import seed_everything
from sandbox.stripe.server import SandboxServer
from tests.browser.conftest import RESULTS
from tests.browser.staff_steps import RULES_OF_THE_FRAME, fill_adjustment, log_in_as

Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the browser tests need axe-core").Axe
Keep = Callable[[Any, str], None]
OpenPage = Callable[..., Any]
WIDTHS = (375, 1440)
GUIDE = Path(django_settings.BASE_DIR) / "docs/admin-guide.md"
IMAGES = GUIDE.parent / "images"
PICTURE = {"width": 1280, "height": 800}
MAX_PICTURE_BYTES = 175_000  # a full page of the admin


def page_of(row: Model, action: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{action}", args=[row.pk])


def list_of(model: str, query: str = "") -> str:
    return reverse(f"admin:billing_{model}_changelist") + query


def pages_of_staff() -> dict[str, str]:
    """A page of every sort, by the name of its picture."""
    debtor, disputed = (
        BillingCustomer.objects.get(user__email=email) for email in (DEBTOR.email, "disputed@example.com")
    )
    refunded = Payment.objects.get(customer__user__email="dispute-won@example.com")
    finding = ReconciliationFinding.objects.get(kind="paid_not_granted")
    waiting = Adjustment.objects.get(state="waiting", is_write_off=False)
    return {
        "staff-first-page": "/admin/",
        "staff-customers": list_of("billingcustomer"),
        "staff-nobody-found": list_of("billingcustomer", "?q=nobody@example.org"),
        "staff-customer": page_of(disputed),
        "staff-customer-in-debt": page_of(debtor),
        "staff-give-credits": page_of(disputed, "adjust"),
        "staff-write-off": page_of(debtor, "write_off"),
        "staff-lift-freeze": page_of(disputed, "unfreeze"),
        "staff-approvals": list_of("adjustment"),
        "staff-decision": page_of(waiting, "approve"),
        "staff-payment": page_of(refunded),
        "staff-refund": page_of(refunded, "refund"),
        "staff-refund-request": page_of(RefundRequest.objects.get(state="waiting")),
        "staff-disputes": list_of("paymentdispute"),
        "staff-findings": list_of("reconciliationfinding"),
        "staff-finding": page_of(finding),
        "staff-repair": page_of(finding, "repair"),
        "staff-runs": list_of("reconciliationrun"),
        "staff-books": reverse("admin:billing_books"),
        "staff-entries": list_of("ledgerentry"),
        "staff-audit-log": list_of("auditentry"),
    }


@pytest.fixture
def addresses(site: str, stripe_sandbox: SandboxServer) -> dict[str, str]:
    seed_everything(stand_in=stripe_sandbox)
    return pages_of_staff()


def list_barriers(page: Any) -> list[str]:
    """What axe says about our part of the page."""
    found = [each for each in Axe().run(page).response["violations"] if each["id"] not in RULES_OF_THE_FRAME]
    return [f"{each['id']} ({each['help']}): {[node['target'] for node in each['nodes']][:4]}" for each in found]


def check_pages(page: Any, addresses: dict[str, str], keep: Keep) -> None:
    """Every page, without barriers and no wider than the window; each is kept at each width."""
    faults: list[str] = []
    for name, address in addresses.items():
        page.goto(address)
        faults += [f"{name}: {barrier}" for barrier in list_barriers(page)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if beyond > 0:
                faults.append(f"{name}: {beyond} px wider than a window of {width}")
            keep(page, f"{name}-{width}")

    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_staff_have_no_barriers(
    theme: str, open_page: OpenPage, addresses: dict[str, str], keep: Keep
) -> None:
    page = open_page(color_scheme=theme)
    log_in_as(page, STAFF)

    check_pages(page, addresses, keep)


def test_pictures_of_the_guide(open_page: OpenPage, addresses: dict[str, str]) -> None:
    named = set(re.findall(r"images/(staff-[\w-]+)\.png", GUIDE.read_text()))
    folder = RESULTS / "guide"
    folder.mkdir(parents=True, exist_ok=True)
    page = open_page(viewport=PICTURE)
    log_in_as(page, STAFF)

    for name in sorted(named):
        page.goto(addresses[name])
        if name == "staff-give-credits":
            fill_adjustment(page, amount="500", note="Sorry for the wait")
        page.screenshot(path=folder / f"{name}.png")

    assert named
    assert {
        path.name: path.stat().st_size for path in folder.iterdir() if path.stat().st_size >= MAX_PICTURE_BYTES
    } == {}
