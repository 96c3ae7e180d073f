"""Plans, compared both ways: what no webhook told is found, and repaired by the path of webhooks."""

import pytest
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import (
    BillingCustomer,
    FindingState,
    Invoice,
    Payment,
    PlanPrice,
    ReconciliationFinding,
    RunState,
    StripeEvent,
    Subscription,
)
from billing.services.stripe_customers import ensure_stripe_customer
from billing.tests.flows.subscribing import offer_plans
from billing.tests.plan_world import check_books, posted
from billing.tests.services.money_back import deliver_all
from billing.tests.services.reconciliation.running import open_kinds, reconcile
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def subscription(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> str:
    """A subscription that was paid at Stripe, of which no webhook came."""
    offer_plans(gateway)
    price = PlanPrice.objects.get(plan__slug="pro").stripe_price_id
    at_stripe = ensure_stripe_customer(customer=customer, gateway=gateway)
    return str(stripe_sandbox.control.subscribe(at_stripe, price)["id"])


def test_plan_that_no_webhook_told_of_is_found_and_repaired(
    subscription: str, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    assert reconcile(gateway).state == RunState.FINDINGS
    assert open_kinds() == ["plan_invoice_missing", "subscription_differs"]
    assert posted(customer) == 0

    assert reconcile(gateway, repairs=True).state == RunState.REPAIRED

    assert posted(customer) == 20_000
    assert Subscription.objects.get().status == "active"
    assert set(ReconciliationFinding.objects.values_list("state", flat=True)) == {FindingState.REPAIRED}
    assert not StripeEvent.objects.exclude(state="done").exists()
    assert reconcile(gateway, repairs=True).state == RunState.CLEAN
    check_books()


def test_plan_that_webhooks_told_of_is_no_finding(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    deliver_all(stripe_sandbox, gateway)

    assert reconcile(gateway).state == RunState.CLEAN
    assert reconcile(gateway, customer=customer).state == RunState.CLEAN


def test_refund_of_a_plan_that_no_webhook_told_of_is_repaired(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    deliver_all(stripe_sandbox, gateway)
    stripe_sandbox.control.refund_payment(Payment.objects.get().payment_intent_id or "", amount=950)

    assert reconcile(gateway, repairs=True).state == RunState.REPAIRED

    assert posted(customer) == 10_000
    assert ReconciliationFinding.objects.filter(kind="refund_not_recorded", state="repaired").exists()
    assert reconcile(gateway).state == RunState.CLEAN
    check_books()


def test_change_that_no_webhook_told_of_is_repaired(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway
) -> None:
    deliver_all(stripe_sandbox, gateway)
    stripe_sandbox.control.cancel_subscription(subscription, at_period_end=True)

    reconcile(gateway, repairs=True)

    assert Subscription.objects.get().cancel_at is not None
    assert open_kinds() == []


def test_downgrade_that_waits_and_no_webhook_told_of_is_repaired(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway
) -> None:
    deliver_all(stripe_sandbox, gateway)
    price = PlanPrice.objects.get(plan__slug="pro_plus").stripe_price_id
    stripe_sandbox.control.change_subscription(subscription, price=price, at_once=False)

    assert reconcile(gateway).state == RunState.FINDINGS
    reconcile(gateway, repairs=True)

    known = Subscription.objects.select_related("next_plan").get()
    assert known.next_plan is not None
    assert (known.next_plan.slug, known.changes_at) == ("pro_plus", known.period_end)
    assert open_kinds() == []
    assert reconcile(gateway).state == RunState.CLEAN


def test_invoice_with_another_status_here_is_read_again(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway
) -> None:
    deliver_all(stripe_sandbox, gateway)
    Invoice.objects.update(total_minor=1)

    assert reconcile(gateway).state == RunState.FINDINGS
    assert open_kinds() == ["plan_invoice_differs"]
    reconcile(gateway, repairs=True)

    assert Invoice.objects.get().total_minor == 1900
    assert open_kinds() == []


def test_invoice_that_stripe_does_not_know_is_for_a_person(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    Invoice.objects.create(
        customer=customer,
        invoice_id="in_gone",
        subscription_id="sub_gone",
        status="paid",
        currency="usd",
        total_minor=1900,
        created_at=timezone.now(),
        read_at=timezone.now(),
    )
    deliver_all(stripe_sandbox, gateway)

    reconcile(gateway, repairs=True)

    assert open_kinds() == ["plan_invoice_unknown"]


def test_subscription_of_a_stranger_is_no_plan_of_ours(
    subscription: str, stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer
) -> None:
    BillingCustomer.objects.update(stripe_customer_id=None)

    reconcile(gateway)

    assert open_kinds() == ["payment_not_ours"]
    assert not Invoice.objects.exists()
