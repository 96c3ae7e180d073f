"""Billing settings: what somebody wants to be told of, one click that ends a mail, and what cannot be ended."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import BillingCustomer, CreditBalance, NotificationPreferences
from billing.notice_kinds import NoticeEvent
from billing.services.mail_rendering import unsubscribe_url
from billing.tests.views.test_notice_banners import make_top_up

pytestmark = pytest.mark.django_db
PAGE, SAVE = "/billing/settings/", "/billing/settings/notices/"
ALL_ON = {"balance.low": "on", "balance.depleted": "on", "credits.expiring": "on"}


def switched_off(customer: BillingCustomer) -> list[str]:
    row = NotificationPreferences.objects.filter(pk=customer.pk).first()
    return row.switched_off if row else []


def link_of(customer: BillingCustomer, event: NoticeEvent = NoticeEvent.BALANCE_LOW) -> str:
    return unsubscribe_url(customer=customer.public_id, event=event).partition("8000")[2]


def test_everything_is_on_at_first_and_the_fixed_ones_say_why(browser: Client, customer: BillingCustomer) -> None:
    page = browser.get(PAGE).content.decode()

    assert page.count("checked") == 8
    assert page.count("disabled") == 5
    assert page.count("It is about your money, so it cannot be switched off.") == 1
    assert page.count("It keeps your account safe, so it cannot be switched off.") == 1
    assert "Empty: the usual 100. 0: never." in page
    assert customer.user is not None
    assert customer.user.email in page


def test_choices_are_kept(browser: Client, customer: BillingCustomer) -> None:
    answer = browser.post(SAVE, {"threshold": "250.5", "balance.depleted": "on"}, follow=True)

    assert "Your choice is saved." in answer.content.decode()
    assert switched_off(customer) == ["balance.low", "credits.expiring"]
    assert CreditBalance.objects.get(pk=customer.pk).low_threshold == Decimal("250.5")
    page = browser.get(PAGE).content.decode()
    assert 'value="250.5"' in page
    assert page.count("checked") == 6


def test_an_empty_threshold_is_the_usual_one(browser: Client, customer: BillingCustomer) -> None:
    browser.post(SAVE, {"threshold": "7", **ALL_ON})
    browser.post(SAVE, {"threshold": "", **ALL_ON})

    assert CreditBalance.objects.get(pk=customer.pk).low_threshold == 100
    assert NotificationPreferences.objects.get(pk=customer.pk).low_threshold is None
    assert switched_off(customer) == []


@pytest.mark.parametrize("threshold", ["-1", "many", "1000000001", "0.0000001", "NaN"])
def test_a_threshold_that_makes_no_sense_changes_nothing(
    browser: Client, customer: BillingCustomer, threshold: str
) -> None:
    answer = browser.post(SAVE, {"threshold": threshold})

    assert answer.status_code == 400
    assert "errorlist" in answer.content.decode()
    assert not NotificationPreferences.objects.exists()


def test_money_cannot_be_switched_off_by_a_forged_form(browser: Client, customer: BillingCustomer) -> None:
    browser.post(SAVE, {**ALL_ON, "payment.receipt": "", "key.created": ""})

    assert switched_off(customer) == []


def test_one_click_of_a_mail_program_needs_no_login_and_no_cookie(customer: BillingCustomer) -> None:
    program = Client(enforce_csrf_checks=True)

    answer = program.post(link_of(customer), {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert switched_off(customer) == ["balance.low"]
    assert not answer.cookies


def test_following_the_link_only_asks(client: Client, customer: BillingCustomer) -> None:
    page = client.get(link_of(customer)).content.decode()

    assert "My balance is low" in page
    assert switched_off(customer) == []
    assert "No more of these mails" in client.post(link_of(customer)).content.decode()
    assert switched_off(customer) == ["balance.low"]


def test_a_second_click_keeps_what_else_was_chosen(client: Client, customer: BillingCustomer) -> None:
    client.post(link_of(customer, NoticeEvent.CREDITS_EXPIRING))
    client.post(link_of(customer))
    client.post(link_of(customer))

    assert switched_off(customer) == ["balance.low", "credits.expiring"]


@pytest.mark.parametrize("change", [lambda link: link[:-3] + "x/", lambda link: "/billing/unsubscribe/x/"])
def test_a_forged_link_is_nobodys(client: Client, customer: BillingCustomer, change: Any) -> None:
    assert client.post(change(link_of(customer))).status_code == 404
    assert switched_off(customer) == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "Nothing is charged by itself."),
        ({"state": "on", "cause": ""}, "A pack is bought with your saved card"),
        ({"state": "paused", "cause": "refund"}, "It waits for you; nothing is charged by itself."),
    ],
)
def test_the_page_says_how_automatic_top_up_stands(
    browser: Client, customer: BillingCustomer, state: dict[str, str], words: str
) -> None:
    if state:
        make_top_up(customer, days_ago=1, **state)

    page = browser.get(PAGE).content.decode()

    assert words in page
    assert "/billing/top-up/" in page
