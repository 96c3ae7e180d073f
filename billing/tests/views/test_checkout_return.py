"""The return page reads: each state of a checkout has its words, and only its own buyer sees it."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.models import BillingCustomer, LedgerEntry, StripeEvent
from billing.tests.plan_world import make_plan
from billing.tests.shop import make_customer, make_pack
from billing.tests.views.rows import make_payment
from billing.views.checkout_return import POLL_SECONDS

pytestmark = pytest.mark.django_db
PAID = {"paid_at": timezone.now(), "paid_amount_minor": 1000, "paid_currency": "usd"}
DECLINED = {"ch_1": {"code": "card_declined", "message": "Your bank said no.", "at": "2026-11-20T10:00:00+00:00"}}


def page_of(browser: Client, session_id: str | None, *, looks: int | None = None) -> str:
    path = "/billing/checkout/return/" if looks is None else "/billing/checkout/return/status/"
    query = {"session_id": session_id or "", **({} if looks is None else {"looks": str(looks)})}
    response = browser.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("facts", "words", "polls"),
    [
        ({**PAID, "posting_count": 1}, "10,000 credits have arrived", False),
        (PAID, "Payment received, adding your credits", True),
        ({"completed_at": timezone.now()}, "some days to confirm $10.00", True),
        ({"completed_at": timezone.now(), "failed_at": timezone.now()}, "The payment did not go through", False),
        ({"refused_at": timezone.now(), "refusal": "No such price: price_1"}, "The payment did not go through", False),
        ({"expired_at": timezone.now()}, "This checkout has expired", False),
        ({"mismatch": "Paid for $9.00, offered for $10.00."}, "Your payment is being looked at", False),
        ({}, "Waiting for Stripe", True),
    ],
)
def test_each_state_has_its_words(
    browser: Client, customer: BillingCustomer, facts: dict[str, object], words: str, polls: bool
) -> None:
    payment = make_payment(customer, **facts)

    page = page_of(browser, payment.checkout_session_id)

    assert words in page
    assert payment.public_id in page
    assert ("load delay:2s" in page) is polls
    assert "offered for $10.00" not in page
    assert "No such price" not in page  # Stripe's words are for staff


def test_event_that_waits_in_the_inbox_counts_as_received(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer)
    StripeEvent.objects.create(
        event_id="evt_1",
        type="checkout.session.completed",
        object_id=str(payment.checkout_session_id),
        body="{}",
        livemode=False,
        occurred_at=timezone.now(),
        state="pending",
        next_try_at=timezone.now(),
    )

    assert "Payment received, adding your credits" in page_of(browser, payment.checkout_session_id)


def test_failed_payment_says_why(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, completed_at=timezone.now(), failed_at=timezone.now(), failed_attempts=DECLINED)

    page = page_of(browser, payment.checkout_session_id)

    assert "Your bank said no." in page
    assert "Nothing was charged." in page


def test_page_looks_for_a_minute_and_then_gives_up_kindly(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, **PAID)

    last = page_of(browser, payment.checkout_session_id, looks=len(POLL_SECONDS) - 1)
    given_up = page_of(browser, payment.checkout_session_id, looks=len(POLL_SECONDS))

    assert sum(POLL_SECONDS) == 60
    assert "hx-trigger" in last
    assert "hx-trigger" not in given_up
    assert "Please do not pay again" in given_up
    assert payment.public_id in given_up


def test_open_checkout_offers_to_go_on_once_the_page_has_given_up(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer)

    page = page_of(browser, payment.checkout_session_id, looks=99)

    assert "No payment has reached us yet" in page
    assert f"payment={payment.public_id}" in page


@pytest.mark.parametrize("looks", ["-1", "x", "٣", ""])
def test_count_of_looks_that_is_no_number_counts_as_none(
    browser: Client, customer: BillingCustomer, looks: str
) -> None:
    payment = make_payment(customer)

    response = browser.get(
        "/billing/checkout/return/status/", {"session_id": payment.checkout_session_id or "", "looks": looks}
    )

    assert "load delay:2s" in response.content.decode()


def test_final_state_refreshes_the_balance_in_the_header(browser: Client, customer: BillingCustomer) -> None:
    credited = make_payment(customer, **PAID, posting_count=1)
    waiting = make_payment(customer)

    def trigger_of(session_id: str | None) -> str | None:
        return browser.get("/billing/checkout/return/status/", {"session_id": session_id or ""}).get("HX-Trigger")

    assert trigger_of(credited.checkout_session_id) == "balance-changed"
    assert trigger_of(waiting.checkout_session_id) is None


def test_visiting_the_page_credits_nothing(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, **PAID)

    for _ in range(2):
        page_of(browser, payment.checkout_session_id)

    assert LedgerEntry.objects.count() == 0


@pytest.mark.parametrize("path", ["/billing/checkout/return/", "/billing/checkout/return/status/"])
def test_checkout_of_somebody_else_is_unknown(browser: Client, path: str) -> None:
    foreign = make_payment(make_customer(), **PAID)

    of_somebody_else = browser.get(path, {"session_id": foreign.checkout_session_id or ""})
    of_nobody = browser.get(path, {"session_id": "cs_test_nobody"})
    unnamed = browser.get(path)

    assert of_somebody_else.status_code == of_nobody.status_code == unnamed.status_code == 404
    assert foreign.public_id not in of_somebody_else.content.decode()


def test_cancelled_page_says_that_nothing_was_charged_and_offers_the_packs(browser: Client) -> None:
    pack = make_pack()

    page = browser.get("/billing/checkout/cancelled/").content.decode()

    assert "Nothing was charged." in page
    assert f"/billing/buy/{pack.slug}/" in page


def test_who_left_the_checkout_of_a_plan_is_led_back_to_the_plans(browser: Client, customer: BillingCustomer) -> None:
    pack = make_pack()
    make_payment(customer)
    make_payment(customer, kind="plan", plan=make_plan("pro"))

    page = browser.get("/billing/checkout/cancelled/").content.decode()

    assert "Back to the plans" in page
    assert f"/billing/buy/{pack.slug}/" not in page


def test_cancelled_page_offers_nothing_while_nothing_is_sold(browser: Client, settings: Settings) -> None:
    pack = make_pack()
    settings.STRIPE_BILLING_ENABLED = False

    page = browser.get("/billing/checkout/cancelled/").content.decode()

    assert "Nothing was charged." in page
    assert f"/billing/buy/{pack.slug}/" not in page
    assert "Back to the packs" not in page
