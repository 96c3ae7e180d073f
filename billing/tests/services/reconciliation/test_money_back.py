"""What went back, compared both ways: refunds, disputes with their movements, fraud warnings."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import (
    BillingCustomer,
    CustomerFlag,
    DisputeMovement,
    FindingState,
    Payment,
    PaymentDispute,
    PaymentRefund,
    ReconciliationFinding,
    RunState,
)
from billing.tests.services.money_back import posted
from billing.tests.services.reconciliation.running import open_kinds, reconcile
from sandbox.stripe.control import Control
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def control(stripe_sandbox: SandboxServer) -> Control:
    return stripe_sandbox.control


@pytest.fixture
def session(paid: Payment) -> str:
    """The checkout session of a payment of $10.00 that was granted."""
    return paid.checkout_session_id or ""


def found_and_repaired(gateway: StripeGateway, kind: str) -> None:
    """The kind is found by a run that only looks, and settled by one that repairs."""
    reconcile(gateway)
    assert kind in open_kinds()
    reconcile(gateway, repairs=True)
    assert set(ReconciliationFinding.objects.values_list("state", flat=True)) == {FindingState.REPAIRED}
    assert reconcile(gateway).state == RunState.CLEAN


def test_refund_that_nobody_told_us_of(
    control: Control, session: str, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    control.refund_payment(session, amount=500)

    found_and_repaired(gateway, "refund_not_recorded")

    assert posted(customer) == 5250


def test_refund_of_a_payment_that_is_not_recorded_itself(
    control: Control, lost: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    control.refund_payment(lost.checkout_session_id or "", amount=500)

    reconcile(gateway)
    assert open_kinds() == ["paid_not_granted", "refund_not_recorded"]
    reconcile(gateway, repairs=True)

    assert posted(customer) == 5250


def test_refund_that_died_unheard(
    control: Control,
    session: str,
    customer: BillingCustomer,
    gateway: StripeGateway,
    deliver: Callable[[], None],
) -> None:
    refund = control.refund_payment(session, amount=500)
    deliver()
    control.end_refund(refund["id"], "failed")

    found_and_repaired(gateway, "refund_state_differs")

    assert posted(customer) == 10_500


def test_late_death_of_an_older_refund_is_found_by_its_movement(
    control: Control,
    session: str,
    customer: BillingCustomer,
    gateway: StripeGateway,
    deliver: Callable[[], None],
) -> None:
    refund = control.refund_payment(session, amount=500)
    deliver()
    time.sleep(1.1)  # Stripe's lists count in seconds
    since = timezone.now()
    control.end_refund(refund["id"], "failed")

    run = reconcile(gateway, since=since, repairs=True)

    assert run.counts["objects"].get("refunds", 0) == 0
    assert run.counts["findings"]["refund_state_differs"] == 1
    assert posted(customer) == 10_500


def test_refund_of_another_amount_needs_a_person(
    control: Control, session: str, gateway: StripeGateway, deliver: Callable[[], None]
) -> None:
    control.refund_payment(session, amount=500)
    deliver()
    PaymentRefund.objects.update(amount_minor=400)

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["refund_amount_differs"]


def test_refund_that_stripe_does_not_know(paid: Payment, gateway: StripeGateway) -> None:
    PaymentRefund.objects.create(
        refund_id="re_nowhere", payment=paid, amount_minor=100, currency="usd", refunded_at=timezone.now()
    )

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["refund_missing"]


def test_dispute_that_nobody_told_us_of(
    control: Control, session: str, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    control.open_dispute(session)

    found_and_repaired(gateway, "dispute_not_recorded")

    assert posted(customer) == 0
    assert CustomerFlag.objects.get().freezes


def test_dispute_that_was_decided_unheard(
    control: Control,
    session: str,
    customer: BillingCustomer,
    gateway: StripeGateway,
    deliver: Callable[[], None],
) -> None:
    dispute = control.open_dispute(session)
    deliver()
    control.close_dispute(dispute["id"], "lost")

    found_and_repaired(gateway, "dispute_state_differs")

    assert PaymentDispute.objects.get().status == "lost"


def test_disputed_money_that_came_and_went_unheard(
    control: Control,
    session: str,
    customer: BillingCustomer,
    gateway: StripeGateway,
    deliver: Callable[[], None],
) -> None:
    dispute = control.open_dispute(session)["id"]
    deliver()
    for _ in range(2):
        control.reinstate_funds(dispute)
        control.withdraw_funds(dispute)
    control.reinstate_funds(dispute)

    found_and_repaired(gateway, "dispute_movement_not_recorded")

    assert DisputeMovement.objects.count() == 6
    assert posted(customer) == 10_500


def test_dispute_that_stripe_does_not_know(paid: Payment, gateway: StripeGateway) -> None:
    PaymentDispute.objects.create(
        dispute_id="dp_nowhere",
        payment=paid,
        amount_minor=100,
        currency="usd",
        status="needs_response",
        status_read_at=timezone.now(),
        opened_at=timezone.now(),
    )

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["dispute_missing"]


def test_movement_that_stripe_does_not_know(
    control: Control, session: str, gateway: StripeGateway, deliver: Callable[[], None]
) -> None:
    control.open_dispute(session)
    deliver()
    DisputeMovement.objects.create(
        balance_transaction_id="txn_nowhere",
        dispute=PaymentDispute.objects.get(),
        amount_minor=1000,
        occurred_at=timezone.now(),
    )

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["dispute_movement_missing"]


def test_fraud_warning_that_nobody_told_us_of(
    control: Control, session: str, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    control.warn_of_fraud(session)

    found_and_repaired(gateway, "fraud_warning_not_recorded")

    assert CustomerFlag.objects.filter(cause__startswith="fraud_warning:").exists()


def test_money_back_of_one_customer_is_read_with_the_charges(
    control: Control, session: str, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    control.warn_of_fraud(session)
    control.refund_payment(session, amount=300)
    control.open_dispute(session, amount=200)
    customer.refresh_from_db()

    reconcile(gateway, customer=customer)
    assert open_kinds() == ["dispute_not_recorded", "fraud_warning_not_recorded", "refund_not_recorded"]
    run = reconcile(gateway, customer=customer, repairs=True)

    assert run.state == RunState.REPAIRED
    assert posted(customer) == 5250
    assert reconcile(gateway, since=timezone.now() - timedelta(days=1), customer=customer).state == RunState.CLEAN
