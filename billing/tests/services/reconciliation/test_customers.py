"""Customers: deleted at Stripe, or twice there."""

from collections.abc import Callable

import pytest

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, FindingState, Payment, ReconciliationFinding, RunState, StripeEvent
from billing.tests.services.money_back import posted
from billing.tests.services.reconciliation.running import open_kinds, reconcile
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


def test_deleted_customer_is_marked_as_gone(
    stripe_sandbox: SandboxServer, paid: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    customer.refresh_from_db()
    gone = customer.stripe_customer_id or ""
    stripe_sandbox.control.delete_customer(gone)

    reconcile(gateway)
    assert open_kinds() == ["customer_deleted"]
    reconcile(gateway, repairs=True)

    customer.refresh_from_db()
    assert (customer.stripe_customer_id, customer.former_stripe_customer_ids) == (None, [gone])
    assert posted(customer) == 10_500
    assert reconcile(gateway).state == RunState.CLEAN


def test_deletion_of_an_older_customer_is_found_by_its_event(
    stripe_sandbox: SandboxServer,
    paid: Payment,
    customer: BillingCustomer,
    gateway: StripeGateway,
    deliver: Callable[[], None],
) -> None:
    customer.refresh_from_db()
    stripe_sandbox.control.delete_customer(customer.stripe_customer_id or "")
    deliver()  # it came, and yet the id stands here again, as after a restored backup
    BillingCustomer.objects.filter(pk=customer.pk).update(
        stripe_customer_id=customer.stripe_customer_id, created_at="2020-01-01T00:00:00Z"
    )

    reconcile(gateway)

    assert open_kinds() == ["customer_deleted"]
    assert StripeEvent.objects.filter(type="customer.deleted", state="done").exists()


def test_deleted_customer_is_found_by_a_run_for_it_alone(
    stripe_sandbox: SandboxServer, paid: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    customer.refresh_from_db()
    stripe_sandbox.control.delete_customer(customer.stripe_customer_id or "")

    reconcile(gateway, customer=customer)

    assert open_kinds() == ["customer_deleted"]


def test_two_customers_at_stripe_for_one_of_ours(
    paid: Payment, customer: BillingCustomer, gateway: StripeGateway
) -> None:
    second = gateway.create_customer(email="second@example.com", reference=customer.public_id, idempotency_key="second")

    run = reconcile(gateway, repairs=True)

    finding = ReconciliationFinding.objects.get(state=FindingState.OPEN)
    assert (run.state, finding.kind, finding.stripe_id) == (RunState.FINDINGS, "customer_doubled", second.id)
    assert finding.customer == customer
