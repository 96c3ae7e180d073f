"""Invoices that a request makes: items, draft, finalized, paid, void."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.shop import Shop


@pytest.fixture
def customer(shop: Shop) -> str:
    return shop.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id


def draft(shop: Shop, customer: str, *, amount: int = 1900, **more: Any) -> stripe.Invoice:
    """A draft with one item."""
    shop.client.v1.invoice_items.create(
        {"customer": customer, "amount": amount, "currency": "usd", "description": "20,000 credits"}
    )
    params: dict[str, Any] = {
        "customer": customer,
        "collection_method": "charge_automatically",
        "auto_advance": False,
        "pending_invoice_items_behavior": "include",
        "metadata": {"payment_id": "pay_1"},
        **more,
    }
    return shop.client.v1.invoices.create(params)  # type: ignore[arg-type]


def intent_of(shop: Shop, invoice: stripe.Invoice) -> stripe.PaymentIntent:
    read = shop.client.v1.invoices.retrieve(invoice.id, {"expand": ["payments"]})
    assert read.payments
    intent_id = read.payments.data[0].payment.payment_intent
    assert isinstance(intent_id, str)
    return shop.client.v1.payment_intents.retrieve(intent_id)


def test_invoice_is_made_finalized_and_paid(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer)["id"]
    before = len(shop.event_types())

    made = draft(shop, customer)
    opened = shop.client.v1.invoices.finalize_invoice(made.id, {"auto_advance": False})
    paid = shop.client.v1.invoices.pay(made.id, {"payment_method": card, "off_session": True})

    assert (made.status, made.billing_reason, made.parent, made.number) == ("draft", "manual", None, None)
    assert (opened.status, opened.amount_due, opened.amount_remaining) == ("open", 1900, 1900)
    assert opened.number
    assert (paid.status, paid.amount_paid, paid.total) == ("paid", 1900, 1900)
    assert paid.metadata
    assert paid.metadata.to_dict() == {"payment_id": "pay_1"}
    assert [(line.amount, line.description) for line in paid.lines.data] == [(1900, "20,000 credits")]
    intent = intent_of(shop, paid)
    assert (intent.status, intent.amount_received, intent.metadata.to_dict()) == ("succeeded", 1900, {})
    found = shop.client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent.id}})
    assert [payment.invoice for payment in found.data] == [made.id]
    assert shop.event_types(since=before) == [
        "product.created",
        "invoiceitem.created",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        shop.client.v1.invoices.pay(made.id, {"payment_method": card})
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        shop.client.v1.invoices.finalize_invoice(made.id)
    assert shop.browse(paid.hosted_invoice_url or "").status == 200


@pytest.mark.parametrize(
    ("country", "total", "reason"), [("FR", 2280, "standard_rated"), ("US", 1900, "not_collecting")]
)
def test_invoice_is_taxed_where_the_customer_lives(
    shop: Shop, customer: str, country: str, total: int, reason: str
) -> None:
    shop.client.v1.customers.update(customer, {"address": {"country": country}})
    card = shop.control.save_card(customer)["id"]

    made = draft(shop, customer, automatic_tax={"enabled": True})
    paid = shop.client.v1.invoices.pay(made.id, {"payment_method": card})

    assert (paid.subtotal, paid.total, paid.amount_paid, paid.total_excluding_tax) == (1900, total, total, 1900)
    assert [tax.taxability_reason for tax in paid.total_taxes or []] == [reason]
    assert intent_of(shop, paid).amount_received == total


def test_price_that_includes_its_tax(shop: Shop, customer: str) -> None:
    shop.client.v1.customers.update(customer, {"address": {"country": "FR"}})
    items = shop.client.v1.invoice_items
    items.create({"customer": customer, "amount": 1200, "currency": "usd", "tax_behavior": "inclusive"})

    made = shop.client.v1.invoices.create(
        {"customer": customer, "automatic_tax": {"enabled": True}, "pending_invoice_items_behavior": "include"}
    )

    assert (made.total, made.total_excluding_tax) == (1200, 1000)


def test_tax_needs_to_know_where_the_customer_lives(shop: Shop, customer: str) -> None:
    made = draft(shop, customer, automatic_tax={"enabled": True})

    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.invoices.finalize_invoice(made.id)

    assert made.automatic_tax.status == "requires_location_inputs"
    assert caught.value.code == "customer_tax_location_invalid"
    assert shop.client.v1.invoices.retrieve(made.id).status == "draft"


def test_declined_card_leaves_the_invoice_open(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer, card="4000000000000341", default=True)["id"]
    made = draft(shop, customer)

    with pytest.raises(stripe.CardError) as caught:
        shop.client.v1.invoices.pay(made.id, {}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.CardError):
        shop.client.v1.invoices.pay(made.id, {}, {"idempotency_key": "k1"})
    shop.control.change_card(card, card="4242424242424242")
    paid = shop.client.v1.invoices.pay(made.id, {}, {"idempotency_key": "k2"})

    assert (caught.value.http_status, caught.value.code) == (402, "card_declined")
    assert paid.status == "paid"
    assert shop.event_types().count("invoice.payment_failed") == 1
    assert len(shop.client.v1.charges.list().data) == 2


def test_card_that_must_be_authenticated(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer, card="4000002760003184")["id"]
    made = draft(shop, customer)

    with pytest.raises(stripe.CardError) as caught:
        shop.client.v1.invoices.pay(made.id, {"payment_method": card})
    intent = intent_of(shop, made)
    shop.control.authenticate_intent(intent.id)

    assert caught.value.code == "invoice_payment_intent_requires_action"
    assert intent.status == "requires_action"
    assert "invoice.payment_action_required" in shop.event_types()
    assert shop.client.v1.invoices.retrieve(made.id).status == "paid"
    assert shop.event_types()[-1] == "invoice_payment.paid"


def test_void_invoice_is_owed_by_nobody(shop: Shop, customer: str) -> None:
    made = draft(shop, customer)
    with pytest.raises(stripe.InvalidRequestError, match="void"):
        shop.client.v1.invoices.void_invoice(made.id)
    shop.client.v1.invoices.finalize_invoice(made.id)

    gone = shop.client.v1.invoices.void_invoice(made.id)

    assert (gone.status, shop.event_types()[-1]) == ("void", "invoice.voided")
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.invoices.pay(made.id, {"payment_method": "pm_card_visa"})


def test_item_is_added_to_a_draft_and_deleted(shop: Shop, customer: str) -> None:
    made = shop.client.v1.invoices.create({"customer": customer, "currency": "usd"})
    items = shop.client.v1.invoice_items
    wrong = items.create({"customer": customer, "amount": 1, "currency": "usd", "invoice": made.id})
    items.create({"customer": customer, "pricing": {"price": shop.price.id}, "invoice": made.id, "quantity": 2})

    assert items.delete(wrong.id).deleted
    opened = shop.client.v1.invoices.finalize_invoice(made.id)

    assert (opened.total, [line.quantity for line in opened.lines.data]) == (2000, [2])
    assert [item.amount for item in items.list({"invoice": made.id}).data] == [2000]
    with pytest.raises(stripe.InvalidRequestError, match="draft"):
        items.create({"customer": customer, "amount": 1, "currency": "usd", "invoice": made.id})
    with pytest.raises(stripe.InvalidRequestError, match="no draft"):
        items.delete(items.list({"invoice": made.id}).data[0].id)


def test_pending_items_are_left_alone_unless_asked_for(shop: Shop, customer: str) -> None:
    items = shop.client.v1.invoice_items
    items.create({"customer": customer, "amount": 500, "currency": "usd"})

    without = shop.client.v1.invoices.create({"customer": customer})
    assert without.total == 0
    assert len(items.list({"customer": customer, "pending": True}).data) == 1
    taken = shop.client.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})

    assert taken.total == 500
    assert items.list({"customer": customer, "pending": True}).data == []


def test_draft_is_deleted_with_its_items(shop: Shop, customer: str) -> None:
    made = draft(shop, customer)

    shop.client.v1.invoices.delete(made.id)

    assert shop.client.v1.invoices.list({"customer": customer}).data == []
    assert shop.client.v1.invoice_items.list({"customer": customer}).data == []


def test_invoice_over_nothing_is_paid_when_it_is_finalized(shop: Shop, customer: str) -> None:
    made = shop.client.v1.invoices.create({"customer": customer})

    assert shop.client.v1.invoices.finalize_invoice(made.id).status == "paid"


def test_invoice_can_be_paid_elsewhere(shop: Shop, customer: str) -> None:
    made = draft(shop, customer)

    paid = shop.client.v1.invoices.pay(made.id, {"paid_out_of_band": True})

    assert (paid.status, paid.amount_paid_off_stripe) == ("paid", 1900)
    assert shop.client.v1.charges.list().data == []


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"auto_advance": True}, "auto_advance"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"discounts": [{"coupon": "HALF50"}]}, "discounts"),
    ],
)
def test_what_the_sandbox_does_not_do_is_refused(
    shop: Shop, customer: str, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        draft(shop, customer, **changes)

    assert caught.value.param == param


def test_invoice_without_a_card_cannot_be_paid(shop: Shop, customer: str) -> None:
    made = draft(shop, customer)
    foreign = shop.control.save_card(shop.client.v1.customers.create().id)["id"]

    with pytest.raises(stripe.InvalidRequestError, match="default_payment_method"):
        shop.client.v1.invoices.pay(made.id)
    with pytest.raises(stripe.InvalidRequestError, match="attached"):
        shop.client.v1.invoices.pay(made.id, {"payment_method": foreign})


def test_words_and_card_of_an_invoice_are_changed(shop: Shop, customer: str) -> None:
    card = shop.control.save_card(customer)["id"]
    made = draft(shop, customer)

    changed = shop.client.v1.invoices.update(
        made.id, {"description": "Thanks", "default_payment_method": card, "metadata": {"more": "1"}}
    )

    assert changed.metadata
    assert (changed.description, changed.metadata.to_dict()) == ("Thanks", {"payment_id": "pay_1", "more": "1"})
    assert shop.event_types()[-1] == "invoice.updated"
    assert shop.client.v1.invoices.pay(made.id).status == "paid"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.invoices.update(made.id, {"footer": "no"})
    assert caught.value.param == "footer"
