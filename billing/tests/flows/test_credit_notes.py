"""Credit notes made at Stripe, from there to the balance: their events twice each and in any order."""

from datetime import UTC, datetime

import pytest

from billing.models import CreditNote, Invoice, Payment
from billing.services.convergence import Convergence
from billing.services.payment_reading import refresh_payment
from billing.services.plan_reading import read_plan_object
from billing.tests.flows.subscribing import Subscriber
from billing.tests.plan_world import amounts, check_books
from billing.tests.services.reconciliation.running import open_kinds, reconcile
from billing.tests.shop import make_pack, open_checkout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def test_half_into_the_balance_pays_half_of_the_renewal(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")

    subscriber.control.issue_credit_note(Invoice.objects.get().invoice_id, amount=950, way="balance")
    subscriber.hear()

    assert subscriber.posted == 10_000
    subscriber.move_to(DECEMBER)
    assert subscriber.posted == 20_000
    assert check_books()["cash_at_stripe"] == 1900 + 950


def test_note_that_refunds_takes_its_credits_once(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")

    subscriber.control.issue_credit_note(Invoice.objects.get().invoice_id, amount=1900, way="refund")
    subscriber.hear()

    assert subscriber.posted == 0
    assert amounts(subscriber.customer) == ["20000.000000", "-20000.000000"]
    payment = Payment.objects.get()
    assert (payment.refunded_minor, payment.credited_minor) == (1900, 0)


def test_open_invoice_that_is_credited_is_paid_and_grants_what_was_paid(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    subscriber.control.fail_next_payments(subscriber.at_stripe)
    subscriber.move_to(DECEMBER)
    late = Invoice.objects.get(status="open")

    subscriber.control.issue_credit_note(late.invoice_id, amount=475)
    subscriber.hear()
    assert Invoice.objects.get(pk=late.pk).credited_before_minor == 475
    subscriber.control.pay_open_invoice(late.invoice_id)
    subscriber.hear()

    assert amounts(subscriber.customer, "plan_allowance")[-1] == "15000.000000"
    assert Payment.objects.order_by("pk").last().paid_amount_minor == 1425  # type: ignore[union-attr]


def test_note_on_the_receipt_of_a_pack_takes_its_credits(subscriber: Subscriber) -> None:
    pack = make_pack()
    checkout = open_checkout(customer=subscriber.customer, pack=pack, gateway=subscriber.gateway)
    subscriber.control.pay_session(checkout.session_id)
    subscriber.hear()
    bought = subscriber.posted
    receipt = Payment.objects.get().invoice_id

    subscriber.control.issue_credit_note(receipt, way="balance")
    subscriber.hear()

    assert (bought, subscriber.posted) == (pack.credits + pack.bonus_credits, 0)
    assert check_books()["customer_balance_at_stripe"] == -pack.price_minor


def test_note_that_no_webhook_told_of_is_found_and_repaired(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    note = subscriber.control.issue_credit_note(Invoice.objects.get().invoice_id, amount=950, way="out_of_band")

    reconcile(subscriber.gateway)
    assert "credit_note_differs" in open_kinds()
    assert subscriber.posted == 20_000

    reconcile(subscriber.gateway, repairs=True)

    assert open_kinds() == []
    assert subscriber.posted == 10_000
    assert CreditNote.objects.get().credit_note_id == note["id"]
    check_books()


def test_note_is_read_by_its_own_id(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    note = subscriber.control.issue_credit_note(Invoice.objects.get().invoice_id, way="out_of_band")

    read_plan_object(stripe_id=note["id"], gateway=subscriber.gateway)

    assert subscriber.posted == 0


def test_note_is_found_by_a_check_of_its_payment(subscriber: Subscriber) -> None:
    subscriber.check_out("pro")
    subscriber.control.issue_credit_note(Invoice.objects.get().invoice_id, way="out_of_band")

    assert refresh_payment(payment=Payment.objects.get(), gateway=subscriber.gateway) is Convergence.CONVERGED

    assert subscriber.posted == 0
    check_books()
