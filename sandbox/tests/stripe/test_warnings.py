"""Fraud warnings, deleted customers, and the test cards that something follows from."""

import pytest
import stripe

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.shop import Shop


def test_bank_warns_of_fraud(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)
    charge = shop.client.v1.charges.list().data[0]

    warned = shop.control.warn_of_fraud(session.id, fraud_type="made_with_stolen_card")

    warning = shop.client.v1.radar.early_fraud_warnings.retrieve(warned["id"])
    listed = shop.client.v1.radar.early_fraud_warnings.list({"charge": charge.id, "expand": ["data.charge"]})
    assert shop.event_types()[-1] == "radar.early_fraud_warning.created"
    assert (warning.charge, warning.payment_intent) == (charge.id, charge.payment_intent)
    assert (warning.fraud_type, warning.actionable) == ("made_with_stolen_card", True)
    assert [one.id for one in listed.data] == [warned["id"]]
    assert shop.client.v1.radar.early_fraud_warnings.list({"payment_intent": "pi_other"}).data == []


@pytest.mark.parametrize("lever", ["refund_payment", "open_dispute"])
def test_nothing_can_be_done_about_a_warning_once_the_money_is_back(shop: Shop, lever: str) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)
    warned = shop.control.warn_of_fraud(session.id)

    getattr(shop.control, lever)(session.id)

    later = shop.control.warn_of_fraud(session.id)
    assert shop.client.v1.radar.early_fraud_warnings.retrieve(warned["id"]).actionable is False
    assert later["actionable"] is False
    assert shop.event_types().count("radar.early_fraud_warning.updated") == 1


def test_partial_refund_leaves_a_warning_actionable(shop: Shop) -> None:
    session = shop.open_session()
    shop.control.pay_session(session.id)
    warned = shop.control.warn_of_fraud(session.id)

    shop.control.refund_payment(session.id, amount=1)

    assert shop.client.v1.radar.early_fraud_warnings.retrieve(warned["id"]).actionable is True


@pytest.mark.parametrize(
    ("card", "events"),
    [
        ("4000000000000259", ["charge.dispute.created", "charge.dispute.funds_withdrawn"]),
        ("4000000000001976", ["charge.dispute.created"]),
        ("4000000000005423", ["radar.early_fraud_warning.created"]),
        ("4000000000007726", []),
    ],
)
def test_card_is_followed_by_what_it_stands_for(shop: Shop, card: str, events: list[str]) -> None:
    shop.control.pay_session(shop.open_session().id, card=card)

    types = shop.event_types()
    assert types[types.index("checkout.session.completed") + 1 :] == events


def test_refund_of_the_card_that_takes_its_time_is_pending(shop: Shop) -> None:
    shop.control.pay_session(shop.open_session().id, card="4000000000007726")
    charge = shop.client.v1.charges.list().data[0]

    assert shop.client.v1.refunds.create({"charge": charge.id}).status == "pending"


def test_deleted_customer_is_told_of_and_leaves_its_id(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"})
    session = shop.open_session(customer=customer.id)
    shop.control.pay_session(session.id)

    shop.control.delete_customer(customer.id)

    told = shop.control.list_events("customer.deleted")
    assert [event["data"]["object"]["email"] for event in told] == ["ada@example.com"]
    assert shop.client.v1.customers.retrieve(customer.id).deleted is True
    assert shop.client.v1.customers.list().data == []
    assert shop.control.refund_payment(session.id)["customer"] == customer.id


def test_deleted_customer_buys_and_changes_nothing(shop: Shop) -> None:
    customer = shop.client.v1.customers.create()
    shop.client.v1.customers.delete(customer.id)

    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as refused:
        shop.open_session(customer=customer.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.client.v1.customers.update(customer.id, {"name": "Ada"})
    with pytest.raises(ApiError, match="No such customer"):
        shop.control.delete_customer(customer.id)

    assert (refused.value.code, refused.value.param) == ("resource_missing", "customer")


def test_session_of_a_customer_who_is_deleted_meanwhile_can_be_paid(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"})
    session = shop.open_session(customer=customer.id, invoice_creation={"enabled": True})
    shop.control.delete_customer(customer.id)

    attempt = shop.control.pay_session(session.id, email="ada@example.com")

    assert attempt.outcome == "paid"
    assert shop.read_session(session.id).customer == customer.id
