"""Refunds asked for, decided and sent at the same moment, over real connections."""

from collections import Counter
from collections.abc import Callable

import pytest
from pytest_django import Settings

from accounts.models import User
from billing.errors import ApprovalEnded, RefundNotPossible
from billing.gateway.client import StripeGateway
from billing.models import AuditEntry, Payment, RefundRequest
from billing.services.refund_sending import send_refund
from billing.services.refunds import approve_refund
from billing.tests.services.money_back import ask_refund, buy_thousand, deliver_all, make_staff, posted
from billing.tests.shop import make_customer
from billing.tests.threads import at_once
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def payment(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> Payment:
    """1,000 credits for $10.00."""
    return buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=make_customer())


def test_requests_at_once_never_ask_for_more_than_was_collected(payment: Payment) -> None:
    clerk = make_staff("request_refunds")

    def ask() -> str:
        try:
            ask_refund(payment=payment, amount_minor=300, actor=clerk)
        except RefundNotPossible:
            return "refused"
        return "asked"

    assert Counter(at_once(*[ask] * 10)) == {"asked": 3, "refused": 7}


def test_limit_without_a_second_person_holds_under_parallel_requests(settings: Settings, payment: Payment) -> None:
    settings.STAFF_REFUND_LIMIT = 200
    clerk = make_staff("request_refunds")

    states = at_once(*[lambda: str(ask_refund(payment=payment, amount_minor=100, actor=clerk).state)] * 8)

    assert Counter(states) == {"ready": 2, "waiting": 6}


def test_two_clicks_at_once_are_one_request(payment: Payment) -> None:
    clerk = make_staff("request_refunds")

    asked = at_once(*[lambda: ask_refund(payment=payment, amount_minor=100, actor=clerk, form_key="one").pk] * 6)

    assert len(set(asked)) == 1


def test_of_two_approvers_one_wins(settings: Settings, payment: Payment) -> None:
    settings.STAFF_REFUND_LIMIT = 0
    request = ask_refund(payment=payment, amount_minor=100, actor=make_staff("request_refunds"))

    def approver_of(actor: User) -> Callable[[], str]:
        def approve() -> str:
            try:
                approve_refund(request_id=request.public_id, actor=actor, address="")
            except ApprovalEnded:
                return "late"
            return "approved"

        return approve

    outcomes = at_once(*[approver_of(make_staff("approve_refunds")) for _ in range(4)])

    assert Counter(outcomes) == {"approved": 1, "late": 3}
    assert AuditEntry.objects.filter(action="refund_request.approve").count() == 1


def test_sent_by_several_at_once_is_one_refund(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment
) -> None:
    request = ask_refund(payment=payment, amount_minor=100, actor=make_staff("request_refunds"))

    at_once(*[lambda: send_refund(request_id=request.public_id, gateway=gateway)] * 4)
    deliver_all(stripe_sandbox, gateway)

    assert RefundRequest.objects.get().state == "accepted"
    assert len(stripe_sandbox.control.list_objects("refund")) == 1
    assert AuditEntry.objects.filter(action="refund_request.accept").count() == 1
    assert posted(payment.customer) == 900
