"""How much may be credited, and which refunds a note may count as its own."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.notes import Notes


def test_notes_together_credit_no_more_than_the_invoice(notes: Notes) -> None:
    invoice = notes.paid()
    notes.issue(invoice, amount=1200, credit_amount=1200)

    refused = notes.refuse(invoice, amount=701, credit_amount=701)
    notes.issue(invoice, amount=700, out_of_band_amount=700)

    assert (refused.param, "left of the invoice to credit ($7.00)" in str(refused)) == ("amount", True)
    assert notes.refuse(invoice, amount=1, credit_amount=1).param == "amount"


def test_notes_before_a_payment_count_after_it(notes: Notes) -> None:
    invoice = notes.open()
    notes.issue(invoice, amount=500)
    notes.pay(invoice)

    assert notes.refuse(invoice, amount=1401, credit_amount=1401).param == "amount"
    assert notes.issue(invoice, amount=1400, refund_amount=1400).type == "post_payment"


def test_refund_apart_from_notes_leaves_less_to_credit(notes: Notes) -> None:
    invoice = notes.paid()
    refund = notes.refund(invoice, 400)

    assert notes.refuse(invoice, amount=1501, credit_amount=1501).param == "amount"
    linked = notes.issue(invoice, amount=1900, credit_amount=1500, refunds=[{"refund": refund.id}])
    assert linked.post_payment_amount == 1900


def test_refund_that_failed_leaves_all_to_credit(notes: Notes) -> None:
    invoice = notes.paid()
    refund = notes.refund(invoice, 400)
    notes.control.end_refund(refund.id, "failed")

    refused = notes.refuse(invoice, amount=400, refunds=[{"refund": refund.id}])
    note = notes.issue(invoice, amount=1900, credit_amount=1900)

    assert refused.param == "refunds[0][refund]"
    assert note.amount == 1900


def test_refund_of_a_note_counts_once(notes: Notes) -> None:
    invoice = notes.paid()
    first = notes.issue(invoice, amount=900, refund_amount=900)

    refused = notes.refuse(invoice, amount=900, refunds=[{"refund": str(first.refunds[0].refund)}])
    second = notes.issue(invoice, amount=1000, refund_amount=1000)

    assert refused.param == "refunds[0][refund]"
    assert second.number == f"{invoice.number}-CN-02"


def test_refund_is_linked_as_far_as_no_note_has_it(notes: Notes) -> None:
    invoice = notes.paid()
    refund = notes.refund(invoice, 400)

    def refuse(amount: int, *links: dict[str, Any]) -> stripe.InvalidRequestError:
        return notes.refuse(invoice, amount=amount, refunds=list(links))

    assert refuse(401, {"refund": refund.id, "amount_refunded": 401}).param == "refunds[0][amount_refunded]"
    assert refuse(400, {"refund": refund.id, "amount_refunded": 0}).param == "refunds[0][amount_refunded]"
    assert refuse(800, {"refund": refund.id}, {"refund": refund.id}).param == "refunds[1][refund]"
    assert refuse(399, {"refund": refund.id}).param == "refunds"
    assert refuse(400, {"type": "refund"}).param == "refunds[0][refund]"
    assert refuse(400, {"refund": "re_none"}).code == "resource_missing"
    assert refuse(400, {"type": "payment_record_refund", "refund": refund.id}).param == "refunds[0][type]"


def test_refund_of_another_invoice_is_refused(notes: Notes) -> None:
    other = notes.refund(notes.paid(), 400)

    refused = notes.refuse(notes.paid(), amount=400, refunds=[{"refund": other.id}])

    assert refused.param == "refunds[0][refund]"


def test_more_than_was_charged_cannot_be_refunded(notes: Notes) -> None:
    notes.control.set_customer_balance(notes.customer, -500)
    invoice = notes.paid()
    assert invoice.amount_paid == 1400

    assert notes.refuse(invoice, amount=1900, refund_amount=1900).param == "refund_amount"
    assert notes.issue(invoice, amount=1900, refund_amount=1400, credit_amount=500).post_payment_amount == 1900


@pytest.mark.parametrize("how", ["balance", "out_of_band"])
def test_nothing_is_refunded_where_nothing_was_charged(notes: Notes, how: str) -> None:
    if how == "balance":
        notes.control.set_customer_balance(notes.customer, -1900)
    invoice = notes.open() if how == "balance" else notes.pay(notes.open(), paid_out_of_band=True)
    assert invoice.status == "paid"

    refused = notes.refuse(invoice, amount=100, refund_amount=100)

    assert (refused.param, "Nothing was charged" in str(refused)) == ("refund_amount", True)


def test_charge_that_was_disputed_is_not_refunded(notes: Notes) -> None:
    invoice = notes.paid()
    notes.control.open_dispute(invoice.id)

    refused = notes.refuse(invoice, amount=100, refund_amount=100)

    assert (refused.param, refused.code) == ("refund_amount", "charge_disputed")


def test_customer_who_is_gone_gets_no_credit(notes: Notes) -> None:
    invoice = notes.paid()
    notes.client.v1.customers.delete(notes.customer)

    assert notes.refuse(invoice, amount=100, credit_amount=100).param == "credit_amount"
    assert notes.issue(invoice, amount=100, refund_amount=100).customer == notes.customer


def test_receipt_of_a_checkout_is_credited(notes: Notes) -> None:
    session = notes.shop.open_session(customer=notes.customer, invoice_creation={"enabled": True})
    notes.control.pay_session(session.id)
    [invoice] = notes.client.v1.invoices.list({"customer": notes.customer}).data

    note = notes.issue(invoice, amount=1000, refund_amount=1000)

    assert (note.type, len(note.refunds)) == ("post_payment", 1)
    assert notes.read(invoice).post_payment_credit_notes_amount == 1000
