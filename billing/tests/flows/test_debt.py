"""A refund of spent credits leaves a debt that is explained wherever it matters, and that the next purchase repays."""

import json
from decimal import Decimal

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from accounts.models import User
from billing.credits import deduct_credits, get_balance, require_credits
from billing.errors import InsufficientCredits
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, LedgerEntry
from billing.tests.services.money_back import buy_thousand, deliver_all, posted
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@require_credits(5)
def guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("worked")


def ask(user: User, accept: str) -> HttpResponse:
    request = RequestFactory().get("/chat/", headers={"Accept": accept})
    request.user = user
    return guarded(request)


@pytest.fixture
def debtor(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> User:
    """1,000 credits bought for $10.00, 900 spent, the whole payment refunded."""
    payment = buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=customer)
    assert customer.user is not None
    deduct_credits(customer.user, 900, description="Work", idempotency_key="work-1")
    stripe_sandbox.control.refund_payment(payment.payment_intent_id or "")
    deliver_all(stripe_sandbox, gateway)
    return customer.user


def test_full_refund_of_spent_credits_leaves_a_debt_and_the_next_purchase_repays_it(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, debtor: User
) -> None:
    balance = get_balance(debtor)
    assert (balance.posted, balance.debt, balance.available) == (-900, 900, 0)
    with pytest.raises(InsufficientCredits):
        deduct_credits(debtor, 1, description="More work", idempotency_key="work-2")

    buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=customer)

    assert posted(customer) == 100
    deduct_credits(debtor, 100, description="More work", idempotency_key="work-3")
    assert posted(customer) == 0


def test_402_says_what_is_owed_and_why(debtor: User) -> None:
    answer = ask(debtor, "application/json")

    assert answer.status_code == 402
    problem = json.loads(answer.content)
    assert problem["code"] == "insufficient_credits"
    assert (problem["debt"], Decimal(problem["available"])) == ("900.000000", 0)
    assert "You owe 900 credits; the next purchase repays them first." in problem["detail"]
    assert "$10.00 of your payment of $10.00" in problem["detail"]
    assert problem["top_up_url"].endswith("/billing/buy/")


def test_402_page_says_it_too(debtor: User) -> None:
    page = ask(debtor, "text/html").content.decode()

    assert "Not enough credits" in page
    assert "You owe 900 credits; the next purchase repays them first." in page
    assert "was refunded after they were spent" in page


def test_without_a_debt_402_names_none(customer: BillingCustomer) -> None:
    assert customer.user is not None

    answer = ask(customer.user, "application/json")

    assert answer.status_code == 402
    assert "debt" not in json.loads(answer.content)


def test_pages_explain_the_debt(client: Client, customer: BillingCustomer, debtor: User) -> None:
    client.force_login(debtor)

    overview = client.get("/billing/").content.decode()
    shop = client.get("/billing/buy/").content.decode()
    ledger = client.get("/billing/ledger/").content.decode()
    payments = client.get("/billing/payments/").content.decode()

    assert "You owe 900 credits" in overview
    assert "900 credits, because $10.00 of your payment of $10.00" in overview
    assert "Money that went back" in overview
    assert "You owe 900 credits" in shop
    assert "Of these, 900 repay your debt" in shop
    assert "Of what you buy, 900 credits repay your debt first." in shop
    assert "went back to you, so its credits were taken back." in ledger
    assert ">Refunded</span>" in payments
    assert ">Paid</span>" not in payments
    assert "$10.00 was refunded on" in payments
    assert LedgerEntry.objects.get(kind="refund").amount == -1000
