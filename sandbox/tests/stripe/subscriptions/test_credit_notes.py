"""Credit notes of invoices of subscriptions."""

import pytest
import stripe

from sandbox.tests.stripe.subscriptions.plans import DAY, Plans


@pytest.fixture
def owing(plans: Plans) -> stripe.Subscription:
    """A subscription whose renewal could not be paid."""
    subscription = plans.subscribe()
    plans.control.fail_next_payments(plans.customer)
    plans.control.advance_clock(days=30)
    assert plans.read(subscription.id).status == "past_due"
    return subscription


def credit(plans: Plans, invoice: stripe.Invoice, amount: int) -> stripe.CreditNote:
    return plans.client.v1.credit_notes.create({"invoice": invoice.id, "amount": amount})


def test_next_try_takes_what_a_note_left(plans: Plans, owing: stripe.Subscription) -> None:
    credit(plans, plans.invoices(owing.id)[0], 500)

    plans.control.advance_clock(days=1)

    invoice = plans.invoices(owing.id)[0]
    assert (invoice.status, invoice.amount_due, invoice.amount_paid) == ("paid", 1400, 1400)
    charge = plans.client.v1.charges.list({"customer": plans.customer}).data[0]
    assert (charge.amount, charge.status) == (1400, "succeeded")
    assert plans.read(owing.id).status == "active"


def test_subscription_of_an_invoice_that_is_credited_is_active(plans: Plans, owing: stripe.Subscription) -> None:
    before = len(plans.shop.event_types())

    credit(plans, plans.invoices(owing.id)[0], 1900)

    invoice = plans.invoices(owing.id)[0]
    assert (invoice.status, invoice.amount_paid, invoice.next_payment_attempt) == ("paid", 0, None)
    assert plans.read(owing.id).status == "active"
    assert plans.shop.event_types(since=before)[-3:] == [
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]
    plans.control.advance_clock(days=7)
    assert len(plans.client.v1.charges.list({"customer": plans.customer}).data) == 2


def test_void_note_lets_the_next_try_take_all(plans: Plans, owing: stripe.Subscription) -> None:
    invoice = plans.invoices(owing.id)[0]
    note = credit(plans, invoice, 500)
    plans.client.v1.credit_notes.void_credit_note(note.id)

    plans.control.advance_clock(days=1)

    paid = plans.invoices(owing.id)[0]
    assert (paid.id, paid.status, paid.amount_paid) == (invoice.id, "paid", 1900)
    assert paid.status_transitions.paid_at == invoice.created + DAY


def test_credit_of_a_note_pays_the_next_renewal(plans: Plans) -> None:
    subscription = plans.subscribe()
    [first] = plans.invoices(subscription.id)
    plans.client.v1.credit_notes.create({"invoice": first.id, "amount": 900, "credit_amount": 900})

    plans.control.advance_clock(days=30)

    renewal = plans.invoices(subscription.id)[0]
    assert (renewal.status, renewal.total, renewal.amount_paid, plans.balance()) == ("paid", 1900, 1000, 0)


def test_payment_that_waits_for_its_customer_asks_for_what_a_note_left(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, "4000002760003184")
    plans.control.advance_clock(days=30)
    invoice = plans.invoices(subscription.id)[0]
    credit(plans, invoice, 500)

    plans.control.pay_open_invoice(invoice.id)

    assert plans.invoices(subscription.id)[0].amount_paid == 1400
    assert plans.client.v1.charges.list({"customer": plans.customer}).data[0].amount == 1400
