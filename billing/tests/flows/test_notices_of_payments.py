"""What becomes of a payment is announced once, in whatever order and however often Stripe tells of it."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Notice, PaymentDispute, StripeEvent
from billing.services.payment_notices import announce_payment, remember
from billing.tests.flows.refunding import Shop
from billing.tests.shop import WEBHOOK_SECRET, deliver, make_pack, open_checkout, work_off_all
from billing.webhooks.replay import replay_event
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def told(customer: BillingCustomer, event: str) -> list[dict[str, Any]]:
    return list(Notice.objects.filter(customer=customer, event=event).order_by("pk").values_list("payload", flat=True))


def test_a_purchase_is_told_once_with_amount_and_credits(shop: Shop) -> None:
    payment = shop.buy()
    for event in StripeEvent.objects.order_by("-pk"):
        replay_event(event_id=event.event_id)
    work_off_all(shop.gateway)

    assert told(shop.customer, "payment.receipt") == [
        {
            "payment": payment.public_id,
            "kind": "pack",
            "description": payment.description,
            "amount_minor": 1000,
            "tax_minor": None,  # its intent came first, and only the session knows
            "currency": "usd",
            "credits": "1000.000000",
        }
    ]
    assert [grant["payment"] for grant in told(shop.customer, "credits.granted")] == [payment.public_id]
    assert told(shop.customer, "payment.failed") == []


def test_each_refund_is_told_once_with_the_sum_so_far(shop: Shop) -> None:
    payment = shop.buy()
    shop.refund(300)
    shop.refund(200)
    shop.hear()

    amounts = [(row["amount_minor"], row["refunded_minor"]) for row in told(shop.customer, "payment.refunded")]
    assert amounts == [(300, 300), (200, 500)]
    assert [row["amount"] for row in told(shop.customer, "credits.clawed_back")] == ["300.000000", "200.000000"]
    assert {row["payment"] for row in told(shop.customer, "payment.refunded")} == {payment.public_id}


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_is_told_when_it_begins_and_when_it_ends(shop: Shop, outcome: str) -> None:
    shop.buy()
    dispute = shop.control.open_dispute(shop.session)["id"]
    shop.hear()
    shop.control.close_dispute(dispute, outcome)  # type: ignore[arg-type]
    shop.hear()

    rows = told(shop.customer, "payment.disputed")
    assert [(row["status"], row["frozen"]) for row in rows] == [("opened", True), (outcome, False)]
    assert {row["dispute"] for row in rows} == {dispute}


@pytest.mark.parametrize(("is_inquiry", "statuses"), [(False, ["opened", "won"]), (True, [])])
def test_a_dispute_that_was_prevented_is_told_to_be_over_if_it_was_told_of(
    shop: Shop, is_inquiry: bool, statuses: list[str]
) -> None:
    payment = shop.buy()
    shop.control.open_dispute(shop.session, inquiry=is_inquiry)
    shop.hear()
    PaymentDispute.objects.update(status="prevented", closed_at=timezone.now())

    with transaction.atomic():
        announce_payment(payment=payment, before=remember(payment), changes=[], has_disputes=True)

    assert [row["status"] for row in told(shop.customer, "payment.disputed")] == statuses


def test_a_question_of_the_bank_is_told_to_nobody(shop: Shop) -> None:
    shop.buy()
    shop.control.open_dispute(shop.session, inquiry=True)
    shop.hear()

    assert shop.is_flagged
    assert told(shop.customer, "payment.disputed") == []


def test_a_delayed_payment_that_fails_is_told(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    started = open_checkout(customer=customer, pack=make_pack(), gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id, method="bank_debit")
    stripe_sandbox.control.settle_delayed(started.session_id, succeed=False)
    for signed in reversed(stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET)):
        assert deliver(signed) == 200
        assert deliver(signed) == 200
    work_off_all(gateway)

    [failed] = told(customer, "payment.failed")
    assert (failed["payment"], failed["amount_minor"]) == (started.payment.public_id, 1000)
    assert told(customer, "payment.receipt") == []
