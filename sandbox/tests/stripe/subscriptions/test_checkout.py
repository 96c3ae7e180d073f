"""Checkout in subscription mode: paid, for nothing, in a trial, declined, on the page."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.shop import SECRET
from sandbox.tests.stripe.subscriptions.plans import DAY, Plans, lines_of, period_of


def test_paid_session_starts_the_subscription(plans: Plans) -> None:
    session = plans.open_session(subscription_data={"metadata": {"plan": "pro"}}, client_reference_id="one")
    before = len(plans.shop.event_types())

    attempt = plans.control.pay_session(session.id)

    assert attempt.outcome == "paid"
    paid = plans.shop.read_session(session.id)
    assert (paid.status, paid.payment_status, paid.payment_intent) == ("complete", "paid", None)
    found = plans.read(str(paid.subscription), "default_payment_method")
    assert (found.status, found.metadata.to_dict(), found.latest_invoice) == ("active", {"plan": "pro"}, paid.invoice)
    start, end = period_of(found)
    assert end - start == 30 * DAY
    assert isinstance(found.default_payment_method, stripe.PaymentMethod)
    assert found.default_payment_method.customer == plans.customer
    assert plans.shop.event_types(since=before) == [
        "payment_intent.created",
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "checkout.session.completed",
    ]


def test_first_invoice_has_todays_shape(plans: Plans) -> None:
    session = plans.open_session(quantity=3, subscription_data={"metadata": {"plan": "pro"}})

    plans.control.pay_session(session.id)

    [invoice] = plans.invoices(str(plans.shop.read_session(session.id).subscription))
    assert (invoice.billing_reason, invoice.status, invoice.total) == ("subscription_create", "paid", 5700)
    assert (invoice.amount_due, invoice.amount_paid, invoice.amount_remaining) == (5700, 5700, 0)
    assert invoice.parent
    assert invoice.parent.subscription_details
    assert invoice.parent.subscription_details.metadata
    assert invoice.parent.subscription_details.metadata.to_dict() == {"plan": "pro"}
    [line] = invoice.lines.data
    assert (line.amount, line.quantity, line.description) == (5700, 3, "3 × Pro (at $19.00 / every 30 days)")
    assert line.pricing
    assert line.pricing.price_details
    assert line.pricing.price_details.price == plans.pro
    assert line.parent
    assert line.parent.subscription_item_details
    assert line.parent.subscription_item_details.proration is False
    assert line.period.end - line.period.start == 30 * DAY
    assert invoice.payments
    payment = invoice.payments.data[0]
    assert (payment.status, payment.amount_paid) == ("paid", 5700)
    intent = plans.client.v1.payment_intents.retrieve(str(payment.payment.payment_intent))
    found = plans.client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent.id}})
    assert [one.invoice for one in found.data] == [invoice.id]


def test_customer_is_made_of_the_payer(plans: Plans) -> None:
    session = plans.open_session(customer_email="eve@example.com")

    plans.control.pay_session(session.id)

    paid = plans.shop.read_session(session.id, "customer", "subscription.default_payment_method")
    assert isinstance(paid.customer, stripe.Customer)
    assert paid.customer.email == "eve@example.com"
    assert isinstance(paid.subscription, stripe.Subscription)
    assert isinstance(paid.subscription.default_payment_method, stripe.PaymentMethod)
    assert paid.subscription.default_payment_method.customer == paid.customer.id


def test_declined_card_starts_nothing_and_another_does(plans: Plans) -> None:
    session = plans.open_session()

    attempt = plans.control.pay_session(session.id, card="4000000000000002")

    assert attempt.outcome == "declined"
    assert plans.client.v1.subscriptions.list().data == []
    assert plans.shop.read_session(session.id).status == "open"
    assert plans.control.pay_session(session.id).outcome == "paid"
    assert len(plans.client.v1.subscriptions.list().data) == 1


def test_card_that_asks_is_authenticated_once(plans: Plans) -> None:
    session = plans.open_session()

    assert plans.control.pay_session(session.id, card="4000002500003155").outcome == "paid"
    plans.control.advance_clock(days=30)

    subscription = plans.client.v1.subscriptions.list().data[0]
    assert [invoice.status for invoice in plans.invoices(subscription.id)] == ["paid", "paid"]


def test_trial_costs_nothing_and_saves_the_card(plans: Plans) -> None:
    session = plans.open_session(subscription_data={"trial_period_days": 7})

    attempt = plans.control.pay_session(session.id)

    done = plans.shop.read_session(session.id)
    assert (attempt.outcome, done.payment_status, done.amount_total) == ("free", "no_payment_required", 0)
    found = plans.read(str(done.subscription))
    assert (found.status, found.trial_end) == ("trialing", found.created + 7 * DAY)
    assert period_of(found) == (found.created, found.trial_end)
    assert found.default_payment_method
    [invoice] = plans.invoices(found.id)
    assert (invoice.total, invoice.status, lines_of(invoice)) == (0, "paid", [0])
    assert invoice.lines.data[0].description == "Trial period for Pro"
    assert plans.client.v1.charges.list().data == []


@pytest.mark.parametrize(("card", "outcome"), [("4000000000000002", "declined"), ("4000000000000341", "free")])
def test_card_of_a_trial_is_checked(plans: Plans, card: str, outcome: str) -> None:
    session = plans.open_session(subscription_data={"trial_period_days": 7})

    assert plans.control.pay_session(session.id, card=card).outcome == outcome


@pytest.mark.parametrize("succeed", [True, False])
def test_card_of_a_trial_may_ask(plans: Plans, succeed: bool) -> None:
    session = plans.open_session(subscription_data={"trial_period_days": 7})

    attempt = plans.control.pay_session(session.id, card="4000002500003155", authenticate=succeed)

    assert attempt.outcome == ("free" if succeed else "declined")
    assert plans.shop.read_session(session.id).status == ("complete" if succeed else "open")


def test_trial_without_a_card(plans: Plans) -> None:
    session = plans.open_session(subscription_data={"trial_period_days": 7}, payment_method_collection="if_required")

    assert plans.control.pay_session(session.id).outcome == "free"
    plans.control.advance_clock(days=7)

    found = plans.client.v1.subscriptions.list().data[0]
    assert (found.status, found.default_payment_method) == ("past_due", None)
    assert plans.control.list_events("invoice.payment_failed")


def test_code_makes_the_first_period_free_and_only_that(plans: Plans) -> None:
    session = plans.open_session(allow_promotion_codes=True)

    plans.control.pay_session(session.id, code="FREE100")
    plans.control.advance_clock(days=30)

    done = plans.shop.read_session(session.id)
    assert done.payment_status == "no_payment_required"
    second, first = plans.invoices(str(done.subscription))
    assert (first.subtotal, first.total, first.amount_paid, lines_of(first)) == (1900, 0, 0, [1900])
    assert first.total_discount_amounts
    assert first.total_discount_amounts[0].amount == 1900
    assert (second.total, second.amount_paid) == (1900, 1900)


def test_code_for_ever_goes_on(plans: Plans) -> None:
    session = plans.open_session(allow_promotion_codes=True)

    plans.control.pay_session(session.id, code="ALWAYS50")
    plans.control.advance_clock(days=60)

    subscription = str(plans.shop.read_session(session.id).subscription)
    assert [invoice.amount_paid for invoice in plans.invoices(subscription)] == [950, 950, 950]


def test_credit_pays_a_part_of_the_first_invoice(plans: Plans) -> None:
    plans.control.set_customer_balance(plans.customer, -500)
    session = plans.open_session()

    plans.control.pay_session(session.id)

    [invoice] = plans.invoices(str(plans.shop.read_session(session.id).subscription))
    assert (invoice.total, invoice.amount_due, invoice.amount_paid) == (1900, 1400, 1400)
    assert (invoice.starting_balance, invoice.ending_balance, plans.balance()) == (-500, 0, 0)


def test_embedded_session_starts_a_subscription_too(plans: Plans) -> None:
    line = {"price": plans.pro, "quantity": 1}
    session = plans.shop.open_embedded(mode="subscription", line_items=[line], customer=plans.customer)

    page = plans.shop.browse(f"{plans.shop.server.base_url}/c/pay/{session.id}?client_secret={session.client_secret}")
    plans.control.pay_session(session.id)

    assert "$19.00 every 30 days, until you cancel." in page.text
    found = plans.client.v1.checkout.sessions.list({"subscription": plans.client.v1.subscriptions.list().data[0].id})
    assert [one.id for one in found.data] == [session.id]
    assert plans.shop.read_session(session.id, "invoice.payments", "subscription.latest_invoice").status == "complete"


def test_customer_who_was_deleted_meanwhile_starts_nothing(plans: Plans) -> None:
    session = plans.open_session()
    plans.control.delete_customer(plans.customer)

    page = plans.shop.pay_on_page(session)

    assert "it was deleted" in page.text
    assert plans.client.v1.charges.list().data == []


def test_tax_is_on_every_invoice(plans: Plans) -> None:
    session = plans.open_session(
        automatic_tax={"enabled": True}, customer_update={"address": "auto"}, allow_promotion_codes=True
    )

    plans.control.pay_session(session.id, country="DE", code="HALF50")
    plans.control.advance_clock(days=30)

    done = plans.shop.read_session(session.id)
    second, first = plans.invoices(str(done.subscription))
    assert (done.amount_total, first.total, first.amount_paid, first.total_excluding_tax) == (1131, 1131, 1131, 950)
    assert (second.subtotal, second.total, second.total_excluding_tax) == (1900, 2261, 1900)
    assert second.total_taxes
    assert [tax.amount for tax in second.total_taxes] == [361]
    assert second.automatic_tax.status == "complete"


def test_events_verify_while_the_clock_is_ahead(plans: Plans) -> None:
    plans.control.take_events(secret=SECRET)
    plans.control.pay_session(plans.open_session().id)
    plans.control.advance_clock(days=45)

    for event in plans.control.take_events(secret=SECRET):
        assert plans.client.construct_event(event.payload, event.signature, SECRET).id == event.id


@pytest.mark.parametrize(
    "more",
    [
        {"payment_intent_data": {"description": "x"}},
        {"invoice_creation": {"enabled": True}},
        {"subscription_data": {"application_fee_percent": 5}},
        {"subscription_data": {"trial_period_days": 0}},
    ],
)
def test_session_that_stripe_or_the_sandbox_refuses(plans: Plans, more: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        plans.open_session(**more)


def test_price_paid_once_starts_no_subscription(plans: Plans) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="recurring"):
        plans.open_session(price=plans.shop.price.id)
