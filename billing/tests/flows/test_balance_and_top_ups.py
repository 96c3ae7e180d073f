"""Credit notes and automatic top-ups: what a note took off an invoice is not paid, what the balance paid is no cash."""

import pytest
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.billing_details import Address
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, Payment
from billing.selectors.refunds import read_refundable
from billing.services.top_ups.deciding import decide_top_up
from billing.services.top_ups.invoicing import _finalized
from billing.tests.plan_world import check_books
from billing.tests.services.reconciliation.running import open_kinds, reconcile
from billing.tests.top_ups import Shopper
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]


@pytest.fixture
def shopper(
    stripe_sandbox: SandboxServer,
    gateway: StripeGateway,
    customer: BillingCustomer,
    pack: CreditPack,
    settings: Settings,
) -> Shopper:
    """A shopper in France, where a top-up is an invoice of $10.00 and 20 %, who owns a pack."""
    settings.STRIPE_AUTOMATIC_TAX = True
    shopper = Shopper(sandbox=stripe_sandbox, gateway=gateway, customer=customer, pack=pack)
    gateway.update_billing_details(
        customer_id=str(shopper.customer.stripe_customer_id),
        name="Ada",
        email="",
        address=Address(country="FR"),
        idempotency_key="details-1",
    )
    shopper.deliver()
    return shopper


def receipt_of(shopper: Shopper) -> str:
    """The invoice of the pack that was bought at first."""
    return Payment.objects.get(pk=shopper.bought.pk).invoice_id


def fill_balance(shopper: Shopper) -> None:
    """Put $5.00 of the pack into the balance at Stripe. Money that goes back pauses top-up, so it is agreed to anew."""
    shopper.sandbox.control.issue_credit_note(receipt_of(shopper), amount=500, way="balance")
    shopper.deliver()
    shopper.consent()


def open_invoice(shopper: Shopper) -> str:
    """The invoice of the top-up that is due, which nobody has paid yet."""
    shopper.spend_down_to(0)
    attempt = decide_top_up(customer_id=shopper.customer.pk)
    assert attempt is not None
    assert attempt.consent is not None
    return _finalized(attempt=attempt, consent=attempt.consent, gateway=shopper.gateway).id


def top_up(shopper: Shopper) -> Payment:
    """The only one, after all was heard of it."""
    shopper.run()
    shopper.deliver()
    (attempt,) = shopper.attempts
    return attempt


def test_an_invoice_that_a_note_took_all_off_brings_no_credits(shopper: Shopper) -> None:
    shopper.sandbox.control.issue_credit_note(open_invoice(shopper))

    attempt = top_up(shopper)

    assert (attempt.state, attempt.paid_at) == ("failed", None)
    assert (shopper.topped_up(), shopper.balance.posted) == (0, 0)
    assert check_books() == {"cash_at_stripe": 1000, "revenue": -1000}


def test_an_invoice_that_a_note_took_a_part_off_waits_for_staff(shopper: Shopper) -> None:
    shopper.sandbox.control.issue_credit_note(open_invoice(shopper), amount=300)

    attempt = top_up(shopper)

    assert (attempt.state, attempt.mismatch) == ("review", "Paid for $7.50, offered for $10.00.")
    assert (attempt.paid_amount_minor, attempt.paid_tax_minor) == (900, 150)
    assert shopper.topped_up() == 0
    books = check_books()
    assert (books["cash_at_stripe"], books["tax_payable"]) == (1900, -150)


def test_what_the_balance_pays_of_a_top_up_is_no_cash(shopper: Shopper) -> None:
    fill_balance(shopper)
    shopper.spend_down_to(0)

    attempt = top_up(shopper)

    assert (attempt.state, attempt.paid_amount_minor, shopper.topped_up()) == ("paid", 1200, 1)
    books = check_books()
    assert (books["cash_at_stripe"], books.get("customer_balance_at_stripe")) == (1000 + 700, None)
    assert read_refundable(payment=attempt, now=timezone.now()).most_minor == 700
    reconcile(shopper.gateway)
    assert open_kinds() == []


def test_what_the_balance_pays_is_told_with_the_money_where_the_invoice_was_heard_of_first(shopper: Shopper) -> None:
    fill_balance(shopper)
    opened = open_invoice(shopper)
    shopper.sandbox.control.pay_open_invoice(opened)
    shopper.deliver()

    attempt = top_up(shopper)

    assert attempt.state == "paid"
    assert [row.from_balance_minor for row in attempt.money_movements.all()] == [500]
    assert check_books()["cash_at_stripe"] == 1700
