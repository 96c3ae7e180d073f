"""Invoices that are not paid at once: failures, tries, authentication, ends."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.subscriptions.plans import DAY, Plans

DECLINED, ASKS = "4000000000000341", "4000002760003184"


def test_failed_renewal_is_tried_again_and_paid(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.fail_next_payments(plans.customer, 2)

    plans.control.advance_clock(days=30)

    assert plans.read(subscription.id).status == "past_due"
    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.status, invoice.attempt_count, invoice.amount_remaining) == ("open", 1, 1900)
    assert invoice.next_payment_attempt == invoice.created + DAY
    assert invoice.confirmation_secret
    plans.control.advance_clock(days=1)
    assert plans.invoices(subscription.id)[0].next_payment_attempt == invoice.created + 3 * DAY
    plans.control.advance_clock(days=2)
    paid = plans.invoices(subscription.id)[0]
    assert (paid.status, paid.attempt_count, paid.next_payment_attempt) == ("paid", 3, None)
    assert plans.read(subscription.id).status == "active"
    assert len(plans.control.list_events("invoice.payment_failed")) == 2
    charges = plans.client.v1.charges.list({"customer": plans.customer}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed", "failed", "succeeded"]


def test_events_of_a_failure(plans: Plans) -> None:
    plans.subscribe()
    plans.control.set_customer_card(plans.customer, DECLINED)
    before = len(plans.shop.event_types())

    plans.control.advance_clock(days=30)

    events = plans.control.list_events()[before:]
    assert [event["type"] for event in events] == [
        "customer.subscription.updated",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.updated",
        "invoice.payment_failed",
        "customer.subscription.updated",
    ]
    assert events[-1]["data"]["previous_attributes"] == {"status": "active"}
    assert events[-2]["data"]["object"]["next_payment_attempt"] == events[-2]["created"] + DAY


@pytest.mark.parametrize(
    ("then", "status", "deleted"), [("canceled", "canceled", 1), ("unpaid", "unpaid", 0), ("past_due", "past_due", 0)]
)
def test_after_the_last_try(plans: Plans, then: Any, status: str, deleted: int) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, DECLINED)
    plans.control.set_dunning(retry_days=[1, 2], then=then)

    plans.control.advance_clock(days=33)

    ended = plans.read(subscription.id)
    assert ended.status == status
    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == ("open", 3, None)
    assert len(plans.control.list_events("customer.subscription.deleted")) == deleted
    if deleted:
        assert ended.ended_at == invoice.created + 2 * DAY
        assert ended.cancellation_details
        assert ended.cancellation_details.reason == "payment_failed"


def test_unpaid_subscription_drafts_its_invoices_until_somebody_pays(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, DECLINED)
    plans.control.set_dunning(retry_days=[1], then="unpaid")
    plans.control.advance_clock(days=60)
    draft, unpaid, _ = plans.invoices(subscription.id)

    assert (draft.status, unpaid.status) == ("draft", "open")
    plans.control.pay_open_invoice(unpaid.id or "")
    assert plans.read(subscription.id).status == "active"
    plans.control.set_customer_card(plans.customer)
    assert plans.control.finalize_draft(draft.id or "")["status"] == "paid"


def test_customer_pays_on_the_page_of_the_invoice(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, DECLINED)
    plans.control.advance_clock(days=30)
    invoice = plans.invoices(subscription.id)[0]

    assert plans.control.pay_open_invoice(invoice.id or "", card=None).outcome == "declined"
    assert plans.control.pay_open_invoice(invoice.id or "", card="4000000000009995").outcome == "declined"
    assert plans.control.pay_open_invoice(invoice.id or "").outcome == "paid"

    assert plans.invoices(subscription.id)[0].status == "paid"
    assert plans.read(subscription.id).status == "active"
    with pytest.raises(ApiError, match="paid"):
        plans.control.pay_open_invoice(invoice.id or "")


@pytest.mark.parametrize("succeed", [True, False])
def test_renewal_that_must_be_authenticated(plans: Plans, succeed: bool) -> None:
    subscription = plans.subscribe()
    plans.control.set_customer_card(plans.customer, ASKS)

    plans.control.advance_clock(days=30)

    asked = plans.control.list_events("invoice.payment_action_required")
    assert len(asked) == 1
    invoice = plans.invoices(subscription.id)[0]
    assert plans.read(subscription.id).status == "past_due"
    assert invoice.payments
    intent_id = str(invoice.payments.data[0].payment.payment_intent)
    assert plans.client.v1.payment_intents.retrieve(intent_id).status == "requires_action"
    taking = plans.control.pay_open_invoice(invoice.id or "", authenticate=succeed)
    assert taking.outcome == ("paid" if succeed else "declined")
    assert plans.read(subscription.id).status == ("active" if succeed else "past_due")


def test_first_invoice_that_fails_leaves_it_incomplete_for_a_day(plans: Plans) -> None:
    subscription = plans.subscribe(card=DECLINED)

    assert subscription.status == "incomplete"
    [invoice] = plans.invoices(subscription.id)
    assert (invoice.status, invoice.next_payment_attempt) == ("open", None)
    plans.control.advance_clock(days=1)
    assert plans.read(subscription.id).status == "incomplete_expired"
    assert plans.invoices(subscription.id)[0].status == "void"
    assert plans.client.v1.subscriptions.list().data == []
    assert len(plans.client.v1.subscriptions.list({"status": "ended"}).data) == 1


def test_first_invoice_that_is_paid_in_time(plans: Plans) -> None:
    subscription = plans.subscribe(card=DECLINED)

    plans.control.pay_open_invoice(str(subscription.latest_invoice))

    assert plans.read(subscription.id).status == "active"
    plans.control.advance_clock(days=2)
    assert plans.read(subscription.id).status == "active"


def test_void_and_written_off_invoices(plans: Plans) -> None:
    plans.control.set_customer_balance(plans.customer, -400)
    subscription = plans.subscribe(card=DECLINED)
    invoice = str(subscription.latest_invoice)
    assert plans.balance() == 0

    assert plans.control.write_off_invoice(invoice)["status"] == "uncollectible"
    voided = plans.control.void_invoice(invoice)

    assert (voided["status"], plans.balance()) == ("void", -400)
    assert [event["type"] for event in plans.control.list_events("invoice.voided", "invoice.marked_uncollectible")] == [
        "invoice.marked_uncollectible",
        "invoice.voided",
    ]
    with pytest.raises(ApiError, match="void"):
        plans.control.void_invoice(invoice)
    with pytest.raises(ApiError, match="open"):
        plans.control.write_off_invoice(invoice)


@pytest.mark.parametrize("ending", ["void", "mark_uncollectible", "pay", "paid_out_of_band"])
def test_renewal_that_a_request_ends(plans: Plans, ending: str) -> None:
    subscription = plans.subscribe()
    plans.control.fail_next_payments(plans.customer)
    plans.control.advance_clock(days=30)
    invoice = plans.invoices(subscription.id)[0].id or ""
    assert plans.read(subscription.id).status == "past_due"

    match ending:
        case "void":
            ended = plans.client.v1.invoices.void_invoice(invoice)
        case "mark_uncollectible":
            ended = plans.client.v1.invoices.mark_uncollectible(invoice)
        case "pay":
            ended = plans.client.v1.invoices.pay(invoice)
        case _:
            ended = plans.client.v1.invoices.pay(invoice, {"paid_out_of_band": True})

    status = {"void": "void", "mark_uncollectible": "uncollectible"}.get(ending, "paid")
    assert (ended.status, plans.read(subscription.id).status) == (status, "active")
    assert ended.amount_paid_off_stripe == (1900 if ending == "paid_out_of_band" else 0)


def test_refund_and_dispute_of_a_renewal(plans: Plans) -> None:
    subscription = plans.subscribe()
    plans.control.advance_clock(days=30)
    second, first = plans.invoices(subscription.id)

    refund = plans.control.refund_payment(second.id or "", amount=900)
    dispute = plans.control.open_dispute(first.id or "")

    found = plans.client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": refund["payment_intent"]}}
    )
    assert [payment.invoice for payment in found.data] == [second.id]
    assert (refund["amount"], dispute["amount"]) == (900, 1900)
    assert plans.invoices(subscription.id)[0].status == "paid"


def test_nothing_was_charged_for_an_invoice_paid_by_credit(plans: Plans) -> None:
    plans.control.set_customer_balance(plans.customer, -5000)
    subscription = plans.subscribe()

    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.total, invoice.amount_paid, invoice.status) == (1900, 0, "paid")
    assert (invoice.starting_balance, invoice.ending_balance, plans.balance()) == (-5000, -3100, -3100)
    with pytest.raises(ApiError, match="Nothing was charged"):
        plans.control.refund_payment(invoice.id or "")
    with pytest.raises(stripe.InvalidRequestError):
        plans.client.v1.refunds.create({"charge": "ch_none"})


def test_what_is_owed_is_paid_with_the_next_invoice(plans: Plans) -> None:
    plans.control.set_customer_balance(plans.customer, 300)

    subscription = plans.subscribe()

    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.total, invoice.amount_paid, plans.balance()) == (1900, 2200, 0)


def test_less_than_can_be_charged_waits_in_the_balance(plans: Plans) -> None:
    subscription = plans.subscribe(price=plans.new_price("Tiny", 30))
    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.status, invoice.amount_due, plans.balance()) == ("paid", 0, 30)

    plans.control.advance_clock(days=30)

    invoice = plans.invoices(subscription.id)[0]
    assert (invoice.amount_paid, plans.balance()) == (60, 0)
    moved = plans.client.v1.customers.balance_transactions.list(plans.customer).data
    assert [(movement.amount, movement.ending_balance) for movement in moved] == [(-30, 0), (30, 30)]
    assert {movement.type for movement in moved} == {"invoice_too_small"}


def test_balance_is_moved_by_hand(plans: Plans) -> None:
    transactions = plans.client.v1.customers.balance_transactions

    made = transactions.create(plans.customer, {"amount": -250, "currency": "usd", "description": "Sorry"})

    assert (made.amount, made.ending_balance, made.type, made.description) == (-250, -250, "adjustment", "Sorry")
    assert transactions.retrieve(plans.customer, made.id).ending_balance == -250
    assert plans.balance() == -250
    updated = plans.control.list_events("customer.updated")[-1]
    assert updated["data"]["previous_attributes"]["balance"] == 0
    other = plans.client.v1.customers.create({"name": "Eve"})
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        transactions.retrieve(other.id, made.id)
