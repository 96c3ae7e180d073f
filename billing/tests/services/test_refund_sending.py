"""Refund requests reach Stripe once, whatever goes wrong on the way."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import AuditEntry, BillingCustomer, Payment, PaymentRefund, RefundRequest
from billing.selectors.refunds import read_refundable
from billing.services.refund_sending import send_due_refunds, send_refund
from billing.tests.services.money_back import ask_refund, buy_thousand, deliver_all, make_staff, posted
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
TRIES = 3  # of the SDK for one call


@pytest.fixture
def payment(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> Payment:
    """1,000 credits for $10.00."""
    return buy_thousand(sandbox=stripe_sandbox, gateway=gateway, customer=customer)


@pytest.fixture
def clerk() -> User:
    return make_staff("request_refunds")


def sent_long_ago(request: RefundRequest, *, hours: float) -> None:
    RefundRequest.objects.filter(pk=request.pk).update(sent_at=timezone.now() - timedelta(hours=hours))


def test_sent_refund_takes_credits_at_once_and_the_event_changes_nothing(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    sent = send_refund(request_id=request.public_id, gateway=gateway, actor=clerk, address="203.0.113.7")

    assert sent.state == "accepted"
    refund = PaymentRefund.objects.get(payment=payment)
    assert (refund.refund_id, refund.amount_minor, refund.status) == (sent.refund_id, 250, "succeeded")
    assert posted(customer) == 750
    deliver_all(stripe_sandbox, gateway)
    assert posted(customer) == 750
    assert read_refundable(payment=Payment.objects.get(pk=payment.pk), now=timezone.now()).most_minor == 750
    steps = list(AuditEntry.objects.order_by("pk").values_list("action", "actor_id"))
    assert steps == [
        ("refund_request.request", clerk.pk),
        ("refund_request.send", clerk.pk),
        ("refund_request.accept", None),
    ]


def test_refund_names_the_payment_and_the_request_at_stripe(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    send_refund(request_id=request.public_id, gateway=gateway)

    [refund] = stripe_sandbox.control.list_objects("refund")
    assert refund["metadata"] == {"payment_id": payment.public_id, "refund_request": request.public_id}
    [listed] = gateway.list_refunds_of(payment_intent_id=payment.payment_intent_id or "")
    assert listed.request_reference == request.public_id


def test_sent_twice_is_one_refund(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    first = send_refund(request_id=request.public_id, gateway=gateway)
    second = send_refund(request_id=request.public_id, gateway=gateway)

    assert first.refund_id == second.refund_id
    assert len(stripe_sandbox.control.list_objects("refund")) == 1


def test_waiting_request_is_not_sent(
    settings: Settings, stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    settings.STAFF_REFUND_LIMIT = 0
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    assert send_refund(request_id=request.public_id, gateway=gateway).state == "waiting"
    assert send_due_refunds(gateway=gateway, now=timezone.now() + timedelta(hours=1)) == 0
    assert stripe_sandbox.control.list_objects("refund") == []


@pytest.mark.parametrize("kind", ["lost_response", "dropped_connection", "error"])
def test_unknown_outcome_is_asked_again_with_the_same_key(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User, kind: str
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)
    stripe_sandbox.control.add_fault(kind, method="POST", path="/v1/refunds", times=TRIES)  # type: ignore[arg-type]

    assert send_refund(request_id=request.public_id, gateway=gateway).state == "sent"
    stripe_sandbox.control.clear_faults()
    assert send_due_refunds(gateway=gateway, now=timezone.now()) == 0  # too soon: its page may be at it
    assert send_due_refunds(gateway=gateway, now=timezone.now() + timedelta(minutes=2)) == 1

    request.refresh_from_db()
    assert request.state == "accepted"
    assert len(stripe_sandbox.control.list_objects("refund")) == 1


def test_request_whose_process_died_before_sending_is_sent_later(
    gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    assert send_due_refunds(gateway=gateway, now=timezone.now() + timedelta(minutes=2)) == 1

    request.refresh_from_db()
    assert request.state == "accepted"


def test_while_stripe_is_away_one_request_is_tried(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    ask_refund(payment=payment, amount_minor=100, actor=clerk)
    ask_refund(payment=payment, amount_minor=100, actor=clerk)
    stripe_sandbox.control.add_fault("error", method="POST", path="/v1/refunds", times=TRIES)

    assert send_due_refunds(gateway=gateway, now=timezone.now() + timedelta(minutes=2)) == 0

    assert [request.state for request in RefundRequest.objects.order_by("pk")] == ["sent", "ready"]


def test_after_a_day_a_refund_that_was_made_is_found(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)
    stripe_sandbox.control.add_fault("lost_response", method="POST", path="/v1/refunds", times=TRIES)
    send_refund(request_id=request.public_id, gateway=gateway)
    stripe_sandbox.control.clear_faults()
    sent_long_ago(request, hours=25)

    assert send_refund(request_id=request.public_id, gateway=gateway).state == "accepted"

    assert len(stripe_sandbox.control.list_objects("refund")) == 1


def test_after_a_day_a_refund_that_was_not_made_is_never_asked_for_again(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)
    stripe_sandbox.control.add_fault("error", method="POST", path="/v1/refunds", times=TRIES)
    send_refund(request_id=request.public_id, gateway=gateway)
    stripe_sandbox.control.clear_faults()
    sent_long_ago(request, hours=25)

    ended = send_refund(request_id=request.public_id, gateway=gateway)

    assert ended.state == "refused"
    assert "made no such refund" in ended.refusal
    assert stripe_sandbox.control.list_objects("refund") == []
    assert read_refundable(payment=payment, now=timezone.now()).most_minor == 1000


def test_shortly_before_a_day_a_refund_is_looked_up_and_not_given_up(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    """A call of the last minutes may still be under way, and one more could come when the key is forgotten."""
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)
    stripe_sandbox.control.add_fault("error", method="POST", path="/v1/refunds", times=TRIES)
    send_refund(request_id=request.public_id, gateway=gateway)
    stripe_sandbox.control.clear_faults()
    sent_long_ago(request, hours=23.5)

    assert send_refund(request_id=request.public_id, gateway=gateway).state == "sent"

    assert stripe_sandbox.control.list_objects("refund") == []
    ask_refund(payment=payment, amount_minor=100, actor=clerk)
    assert send_due_refunds(gateway=gateway, now=timezone.now() + timedelta(minutes=2)) == 1
    assert [made["amount"] for made in stripe_sandbox.control.list_objects("refund")] == [100]


def test_refusal_of_stripe_is_stored_and_frees_the_amount(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    stripe_sandbox.control.refund_payment(payment.payment_intent_id or "", amount=900)  # we have not been told yet
    request = ask_refund(payment=payment, amount_minor=250, actor=clerk)

    refused = send_refund(request_id=request.public_id, gateway=gateway)

    assert refused.state == "refused"
    assert refused.refusal
    assert posted(customer) == 1000
    assert AuditEntry.objects.latest("pk").action == "refund_request.refuse"


def test_refund_that_fails_later_gives_the_credits_back(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, payment: Payment, customer: BillingCustomer, clerk: User
) -> None:
    stripe_sandbox.control.set_refunds(status="pending")
    request = ask_refund(payment=payment, amount_minor=1000, actor=clerk)
    sent = send_refund(request_id=request.public_id, gateway=gateway)
    assert posted(customer) == 0

    stripe_sandbox.control.end_refund(sent.refund_id or "", "failed")
    deliver_all(stripe_sandbox, gateway)

    assert posted(customer) == 1000
    assert read_refundable(payment=Payment.objects.get(pk=payment.pk), now=timezone.now()).most_minor == 1000


def test_sweeper_sends_what_was_left_and_ends_what_nobody_decided(
    settings: Settings, gateway: StripeGateway, payment: Payment, clerk: User
) -> None:
    left = ask_refund(payment=payment, amount_minor=100, actor=clerk)
    settings.STAFF_REFUND_LIMIT = 0
    undecided = ask_refund(payment=payment, amount_minor=100, actor=clerk)
    earlier = timezone.now() - timedelta(minutes=2)
    RefundRequest.objects.update(requested_at=earlier)
    RefundRequest.objects.filter(pk=undecided.pk).update(decide_until=earlier)

    call_command("sweep", once=True)

    left.refresh_from_db()
    undecided.refresh_from_db()
    assert (left.state, undecided.state) == ("accepted", "expired")
