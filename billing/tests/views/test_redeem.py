"""The page on which codes are redeemed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import User
from billing.models import BillingCustomer, CreditBalance, VoucherGuess
from billing.tests.vouchers import make_batch

pytestmark = pytest.mark.django_db
PAGE = "/billing/redeem/"


@pytest.fixture
def verified(user: User) -> User:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def send(browser: Client, code: str, *, form_key: str = "", **more: Any) -> Any:
    return browser.post(PAGE, {"code": code, "form_key": form_key or uuid4().hex}, **more)


def posted(customer: BillingCustomer) -> Decimal:
    return Decimal(CreditBalance.objects.get(customer=customer).posted)


def test_link_fills_the_form_in_and_redeems_nothing(browser: Client, customer: BillingCustomer, verified: User) -> None:
    [code] = make_batch().codes

    page = browser.get(PAGE, {"code": code})

    assert f'value="{code}"' in page.content.decode()
    assert posted(customer) == 0


def test_code_of_a_link_is_escaped(browser: Client) -> None:
    page = browser.get(PAGE, {"code": '"><script>alert(1)</script>'})

    assert "<script>alert" not in page.content.decode()


def test_code_that_is_sent_brings_its_credits(browser: Client, customer: BillingCustomer, verified: User) -> None:
    [code] = make_batch(lifetime_days=30).codes

    answer = send(browser, code.lower(), follow=True)

    assert answer.redirect_chain == [("/billing/", 302)]
    text = answer.content.decode()
    assert "50 credits were added. Your balance is 50. The new ones expire on" in text
    assert posted(customer) == 50


def test_double_click_is_one_use(browser: Client, customer: BillingCustomer, verified: User) -> None:
    [code] = make_batch(uses_per_code=5, uses_per_customer=5).codes

    answers = [send(browser, code, form_key="f" * 32) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert posted(customer) == 50


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("0000-0000-0000-0000", 404, "We do not know this code"),
        ("not a code", 404, "We do not know this code"),
        ("", 400, "This field is required"),
    ],
)
def test_refusal_is_told_at_the_field(
    browser: Client, customer: BillingCustomer, verified: User, code: str, status: int, words: str
) -> None:
    answer = send(browser, code)

    assert answer.status_code == status
    assert words in answer.content.decode()
    assert 'aria-invalid="true"' in answer.content.decode()
    assert "data-focus" in answer.content.decode()
    assert '<a href="#id_code">Code</a>' in answer.content.decode()
    assert posted(customer) == 0


def test_code_used_before_says_when(browser: Client, customer: BillingCustomer, verified: User) -> None:
    [code] = make_batch().codes
    send(browser, code)

    answer = send(browser, code)

    assert answer.status_code == 409
    assert "its credits were added then. Nothing was added now" in answer.content.decode()
    assert posted(customer) == 50


def test_address_must_be_verified(browser: Client, customer: BillingCustomer) -> None:
    [code] = make_batch().codes

    answer = send(browser, code)

    assert answer.status_code == 403
    assert "Verify your e-mail address first" in answer.content.decode()


def test_too_many_guesses_have_to_wait(browser: Client, customer: BillingCustomer, verified: User) -> None:
    for _ in range(10):
        send(browser, "0000-0000-0000-0000")

    answer = send(browser, make_batch().codes[0])

    assert answer.status_code == 429
    assert "Try again in 60 minutes" in answer.content.decode()
    assert int(answer["Retry-After"]) <= 3600
    assert VoucherGuess.objects.exclude(network_hash="").count() == 10


@pytest.mark.parametrize("form_key", ["", "x", "\0"])
def test_form_without_its_key_is_refused(
    browser: Client, customer: BillingCustomer, verified: User, form_key: str
) -> None:
    [code] = make_batch().codes

    answer = browser.post(PAGE, {"code": code, "form_key": form_key})

    assert answer.status_code == 400
    assert "Load the page anew" in answer.content.decode()
    assert posted(customer) == 0


@pytest.mark.parametrize("page", ["/billing/", "/billing/buy/"])
def test_page_is_reached_from_overview_and_shop(browser: Client, page: str) -> None:
    assert f'href="{PAGE}"' in browser.get(page).content.decode()
