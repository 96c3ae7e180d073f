"""The buttons of the control page for what happens to a payment afterwards."""

import re

import pytest

from sandbox.stripe.pages.money import parse_amount
from sandbox.tests.stripe.shop import Page, Shop


@pytest.fixture
def charge(shop: Shop) -> str:
    """The id of a charge of $10.00 by card."""
    shop.control.pay_session(shop.open_session().id)
    return shop.client.v1.charges.list().data[0].id


def look(shop: Shop, kind: str) -> str:
    return shop.browse(f"{shop.server.base_url}/sandbox/?kind={kind}").html


def press(shop: Shop, label: str, object_id: str, **typed: str) -> Page:
    """Press the button with this label on the page of an object."""
    html = shop.browse(f"{shop.server.base_url}/sandbox/objects/{object_id}/").html
    token, action = re.search(r'name="token" value="([^"]+)"', html), re.search(rf'value="(\w+)"[^>]*>{label}<', html)
    assert token, f"There is no button for {object_id}."
    assert action, f"There is no {label} for {object_id}."
    fields = {"token": token[1], "action": action[1], "target": object_id, "back": "/sandbox/", **typed}
    return shop.browse(f"{shop.server.base_url}/sandbox/act/", fields)


def labels(shop: Shop, object_id: str) -> list[str]:
    html = shop.browse(f"{shop.server.base_url}/sandbox/objects/{object_id}/").html
    return re.findall(r'<button type="submit" name="action"[^>]*>([^<]+)<', html)


def test_refund_of_a_part_then_of_the_rest(shop: Shop, charge: str) -> None:
    assert press(shop, "Refund", charge, amount="3.50").status == 303
    press(shop, "Refund", charge, amount="")

    assert [refund.amount for refund in shop.client.v1.refunds.list().data] == [650, 350]
    assert "Refund" not in labels(shop, charge)
    assert "succeeded" in look(shop, "refund")
    assert "$10.00 refunded" in look(shop, "charge")


def test_refund_that_is_pending_ends_by_a_button(shop: Shop, charge: str) -> None:
    press(shop, "Refund, pending", charge, amount="1")
    press(shop, "Refund, pending", charge, amount="2")
    first, second = (refund.id for refund in shop.client.v1.refunds.list().data)

    press(shop, "Money arrives", first)
    press(shop, "Cancel", second)

    assert [refund.status for refund in shop.client.v1.refunds.list().data] == ["succeeded", "canceled"]
    assert labels(shop, first) == ["Refund fails"]
    assert labels(shop, second) == []


def test_refund_fails_at_once_or_after_it_succeeded(shop: Shop, charge: str) -> None:
    press(shop, "Refund that fails", charge)
    press(shop, "Refund", charge)
    press(shop, "Refund fails", shop.client.v1.refunds.list().data[0].id)

    assert [refund.status for refund in shop.client.v1.refunds.list().data] == ["failed", "failed"]
    assert shop.client.v1.charges.retrieve(charge).amount_refunded == 0


@pytest.mark.parametrize(("ending", "status"), [("Won", "won"), ("Lost", "lost")])
def test_inquiry_is_escalated_and_decided(shop: Shop, charge: str, ending: str, status: str) -> None:
    press(shop, "Bank inquires", charge, amount="4")
    dispute = shop.client.v1.disputes.list().data[0].id

    press(shop, "Escalate", dispute)
    press(shop, ending, dispute)

    decided = shop.client.v1.disputes.retrieve(dispute)
    assert (decided.status, decided.amount) == (status, 400)
    assert labels(shop, dispute) == ["Take the money" if status == "won" else "Give the money back"]


def test_inquiry_is_closed(shop: Shop, charge: str) -> None:
    press(shop, "Bank inquires", charge)
    dispute = shop.client.v1.disputes.list().data[0].id

    press(shop, "Close the inquiry", dispute)

    assert shop.client.v1.disputes.retrieve(dispute).status == "warning_closed"
    assert labels(shop, dispute) == []


def test_money_of_a_dispute_goes_and_comes_by_buttons(shop: Shop, charge: str) -> None:
    press(shop, "Dispute, money stays", charge)
    dispute = shop.client.v1.disputes.list().data[0].id

    for label in ("Take the money", "Give the money back", "Take the money"):
        press(shop, label, dispute)

    moved = shop.client.v1.disputes.retrieve(dispute).balance_transactions
    assert [movement.amount for movement in moved] == [-1000, 1000, -1000]


def test_bank_disputes_and_warns(shop: Shop, charge: str) -> None:
    press(shop, "Warn of fraud", charge)
    press(shop, "Bank disputes", charge)

    assert shop.client.v1.disputes.list().data[0].balance_transactions[0].amount == -1000
    assert "unauthorized_use_of_card" in look(shop, "radar.early_fraud_warning")
    assert "charged back" in press(shop, "Refund", charge).text


def test_customer_is_deleted(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"})

    press(shop, "Delete the customer", customer.id)

    assert shop.client.v1.customers.retrieve(customer.id).deleted is True
    assert labels(shop, customer.id) == []
    assert "ada@example.com" not in look(shop, "customer")


def test_how_refunds_start_is_chosen_on_the_page(shop: Shop, charge: str) -> None:
    token = re.search(r'name="token" value="([^"]+)"', look(shop, "charge"))
    assert token
    fields = {"token": token[1], "action": "set_refunds", "status": "pending"}

    shop.browse(f"{shop.server.base_url}/sandbox/act/", fields)

    assert '<option value="pending" selected>' in look(shop, "charge")
    assert shop.client.v1.refunds.create({"charge": charge}).status == "pending"
    shop.browse(f"{shop.server.base_url}/sandbox/act/", {**fields, "status": ""})
    assert '<option value="pending">' in look(shop, "refund")


@pytest.mark.parametrize(("text", "currency", "amount"), [("3", "usd", 300), ("0.5", "usd", 50), ("7", "jpy", 7)])
def test_amount_is_read_in_the_currency_of_the_charge(text: str, currency: str, amount: int) -> None:
    assert parse_amount(text, currency) == amount


@pytest.mark.parametrize(("text", "currency"), [("1,5", "usd"), ("-1", "usd"), ("1.005", "usd"), ("1.5", "jpy")])
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        parse_amount(text, currency)


def test_wrong_amount_on_the_page_changes_nothing(shop: Shop, charge: str) -> None:
    assert press(shop, "Refund", charge, amount="ten").status == 409
    assert shop.client.v1.refunds.list().data == []
