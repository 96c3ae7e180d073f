"""Receipts come after the credits, and never in their way."""

import pytest
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, LedgerEntry, Payment, StripeEvent
from billing.services.receipts import fetch_missing_receipts, fetch_receipt
from billing.tasks import fetch_receipts, work_off_stored_event
from billing.tests.shop import WEBHOOK_SECRET, deliver, open_checkout
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def paid(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack) -> Payment:
    """A payment whose events are stored and not worked off."""
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stripe_sandbox.control.pay_session(started.session_id)
    for signed in stripe_sandbox.control.take_events(secret=WEBHOOK_SECRET):
        assert deliver(signed) == 200
    return started.payment


def work_off_by_task() -> None:
    for event_id in list(StripeEvent.objects.values_list("event_id", flat=True)):
        work_off_stored_event(event_id)


def test_worker_brings_credits_and_receipt(paid: Payment, stripe_sandbox: SandboxServer) -> None:
    work_off_by_task()

    paid.refresh_from_db()
    assert paid.receipt_url.startswith(stripe_sandbox.base_url)
    assert paid.charge_id
    assert paid.invoice_id
    assert LedgerEntry.objects.count() == 1


def test_receipt_that_cannot_be_had_holds_up_no_credits(
    paid: Payment, stripe_sandbox: SandboxServer, gateway: StripeGateway
) -> None:
    stripe_sandbox.control.fail_reads(percent=100)
    work_off_by_task()
    assert LedgerEntry.objects.count() == 1
    assert fetch_receipts() == 0

    stripe_sandbox.control.clear_faults()

    assert fetch_missing_receipts(gateway=gateway, now=timezone.now()) == 1
    assert fetch_receipts() == 0
    assert Payment.objects.get().receipt_url
    assert LedgerEntry.objects.count() == 1


def test_nothing_is_fetched_for_what_is_not_paid(gateway: StripeGateway) -> None:
    assert not fetch_receipt(payment_intent_id="pi_unknown", gateway=gateway)
