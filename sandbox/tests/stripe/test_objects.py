"""Each object of the API, by the official SDK over HTTP."""

import pytest
import stripe

from sandbox.tests.stripe.shop import Shop


def test_customer_lives_from_creation_to_deletion(shop: Shop) -> None:
    customers = shop.client.v1.customers
    customer = customers.create({"email": "ada@example.com", "name": "Ada", "metadata": {"a": "1", "b": "2"}})

    changed = customers.update(customer.id, {"name": "Ada L.", "metadata": {"a": "", "c": "3"}})
    deleted = customers.delete(customer.id)

    assert changed.name == "Ada L."
    assert changed.metadata
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert deleted.deleted is True
    assert customers.retrieve(customer.id).deleted is True
    assert customers.list().data == []
    created, updated, gone = shop.control.list_events()[-3:]
    assert (created["type"], updated["type"], gone["type"]) == (
        "customer.created",
        "customer.updated",
        "customer.deleted",
    )
    assert updated["data"]["previous_attributes"] == {"name": "Ada", "metadata": {"a": "1", "b": "2"}}


def test_unchanged_customer_makes_no_event(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"})
    before = shop.event_types()

    shop.client.v1.customers.update(customer.id, {"email": "ada@example.com"})

    assert shop.event_types() == before


def test_products_and_prices(shop: Shop) -> None:
    product = shop.client.v1.products.create({"id": "pack_small", "name": "Small"})
    price = shop.client.v1.prices.create(
        {"product": product.id, "unit_amount": 100, "currency": "usd", "lookup_key": "small", "nickname": "S"}
    )

    shop.client.v1.prices.update(price.id, {"active": False})
    renamed = shop.client.v1.products.update(product.id, {"name": "Smaller"})

    assert renamed.name == "Smaller"
    assert [found.id for found in shop.client.v1.prices.list({"lookup_keys": ["small"]}).data] == [price.id]
    assert shop.client.v1.prices.list({"product": product.id, "active": True}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="has one or more"):
        shop.client.v1.products.delete(product.id)


def test_product_id_is_taken_once(shop: Shop) -> None:
    shop.client.v1.products.create({"id": "pack_small", "name": "Small"})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.client.v1.products.create({"id": "pack_small", "name": "Small"})

    assert refused.value.code == "resource_already_exists"


def test_recurring_price_is_refused_in_payment_mode(shop: Shop) -> None:
    monthly = shop.client.v1.prices.create(
        {
            "product_data": {"name": "Pro"},
            "unit_amount": 1900,
            "currency": "usd",
            "recurring": {"interval": "month"},
        }
    )

    with pytest.raises(stripe.InvalidRequestError, match="recurring"):
        shop.open_session(line_items=[{"price": monthly.id, "quantity": 1}])


def test_hosted_session(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"})

    session = shop.open_session(
        customer=customer.id, client_reference_id="payment-1", metadata={"payment": "1"}, expand=["line_items"]
    )

    assert session.id.startswith("cs_test_")
    assert session.url == f"{shop.server.base_url}/c/pay/{session.id}"
    assert (session.client_secret, session.payment_intent) == (None, None)
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (1000, 1000, "usd")
    assert session.expires_at - session.created == 24 * 3600
    assert session.line_items
    assert session.line_items.data[0].description == "10,000 credits"


def test_embedded_session(shop: Shop) -> None:
    session = shop.open_embedded()

    assert session.url is None
    assert session.client_secret
    assert session.client_secret.startswith(f"{session.id}_secret_")
    assert session.redirect_on_completion == "always"


def test_custom_amount(shop: Shop) -> None:
    described = {"currency": "jpy", "unit_amount": 700, "product_data": {"name": "Credits"}}

    session = shop.open_session(line_items=[{"price_data": described, "quantity": 3}])

    lines = shop.client.v1.checkout.sessions.line_items.list(session.id)
    assert (session.amount_total, session.currency) == (2100, "jpy")
    assert lines.data[0].price
    assert lines.data[0].price.active is False


def test_receipt_of_a_paid_session(shop: Shop) -> None:
    session = shop.open_session(invoice_creation={"enabled": True}, customer_email="ada@example.com")

    shop.control.pay_session(session.id)

    paid = shop.read_session(session.id, "invoice.payments", "payment_intent.latest_charge.balance_transaction")
    invoice = paid.invoice
    assert isinstance(invoice, stripe.Invoice)
    assert (invoice.status, invoice.total, invoice.customer) == ("paid", 1000, paid.customer)
    assert invoice.number
    assert invoice.payments
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert invoice.payments.data[0].payment.payment_intent == paid.payment_intent.id
    charge = paid.payment_intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert (charge.balance_transaction.fee, charge.balance_transaction.net) == (59, 941)
    found = shop.client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": paid.payment_intent.id}}
    )
    assert [payment.invoice for payment in found.data] == [invoice.id]
    assert "10,000 credits" in shop.browse(invoice.hosted_invoice_url or "").text
    assert "$10.00" in shop.browse(charge.receipt_url or "").text


def test_charges_and_movements_are_listed(shop: Shop) -> None:
    session = shop.open_session(payment_intent_data={"metadata": {"payment": "1"}})

    shop.control.pay_session(session.id)

    charge = shop.client.v1.charges.list({"payment_intent": str(shop.read_session(session.id).payment_intent)}).data[0]
    assert charge.metadata.to_dict() == {"payment": "1"}
    assert charge.payment_method_details
    assert charge.payment_method_details.card
    assert charge.payment_method_details.card.last4 == "4242"
    movements = shop.client.v1.balance_transactions.list({"source": charge.id, "type": "charge"}).data
    assert [movement.id for movement in movements] == [charge.balance_transaction]


def test_session_metadata_can_be_changed(shop: Shop) -> None:
    session = shop.open_session(metadata={"a": "1"})

    changed = shop.client.v1.checkout.sessions.update(session.id, {"metadata": {"b": "2"}})

    assert changed.metadata
    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}


def test_webhook_endpoint_shows_its_secret_once(shop: Shop) -> None:
    endpoints = shop.client.v1.webhook_endpoints
    created = endpoints.create(
        {
            "url": "https://shop.test/hook",
            "enabled_events": ["checkout.session.completed"],
            "api_version": "2026-10-28.endive",
        }
    )

    disabled = endpoints.update(created.id, {"disabled": True, "description": "old"})

    assert (created.secret or "").startswith("whsec_")
    assert getattr(endpoints.retrieve(created.id), "secret", None) is None
    assert (disabled.status, disabled.description) == ("disabled", "old")
    assert endpoints.delete(created.id).deleted is True
    assert endpoints.list().data == []
