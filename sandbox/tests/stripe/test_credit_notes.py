"""Credit notes: of what is still to be paid, and of what was paid."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.notes import Notes


def amounts_of(invoice: stripe.Invoice) -> tuple[str | None, int, int, int, int, int]:
    """Its status; what is due, remains and is paid; and what notes took before and after the payment."""
    return (
        invoice.status,
        invoice.amount_due,
        invoice.amount_remaining,
        invoice.amount_paid,
        invoice.pre_payment_credit_notes_amount,
        invoice.post_payment_credit_notes_amount,
    )


# -- what is still to be paid


def test_note_of_an_open_invoice_reduces_what_remains(notes: Notes) -> None:
    invoice = notes.open()
    before = len(notes.shop.event_types())

    note = notes.issue(invoice, amount=500, reason="order_change", memo="Two seats less", metadata={"case": "7"})

    assert (note.object, note.status, note.type, note.voided_at) == ("credit_note", "issued", "pre_payment", None)
    assert (note.amount, note.pre_payment_amount, note.post_payment_amount) == (500, 500, 0)
    assert (note.invoice, note.customer, note.currency) == (invoice.id, notes.customer, "usd")
    assert (note.number, note.reason, note.memo) == (f"{invoice.number}-CN-01", "order_change", "Two seats less")
    assert note.metadata
    assert note.metadata.to_dict() == {"case": "7"}
    assert note.effective_at == note.created
    assert (note.refunds, note.customer_balance_transaction, note.out_of_band_amount) == ([], None, None)
    assert [(line.type, line.amount, line.quantity) for line in note.lines.data] == [("custom_line_item", 500, 1)]
    assert amounts_of(notes.read(invoice)) == ("open", 1400, 1400, 0, 500, 0)
    assert notes.read(invoice).total == 1900
    assert notes.shop.event_types(since=before) == ["credit_note.created", "invoice.updated"]


def test_payment_after_a_note_takes_only_what_remains(notes: Notes) -> None:
    invoice = notes.open()
    notes.issue(invoice, amount=500)
    waiting = notes.intent_of(invoice)

    paid = notes.pay(invoice)

    assert waiting.amount == 1400
    assert amounts_of(paid) == ("paid", 1400, 0, 1400, 500, 0)
    assert notes.intent_of(invoice).amount_received == 1400
    payments = notes.read(invoice).payments
    assert payments
    assert [(one.status, one.amount_requested, one.amount_paid) for one in payments.data] == [("paid", 1400, 1400)]


def test_note_of_all_that_remains_pays_the_invoice(notes: Notes) -> None:
    invoice = notes.open()
    notes.issue(invoice, amount=500)
    before = len(notes.shop.event_types())

    note = notes.issue(invoice, amount=1400)

    assert note.number == f"{invoice.number}-CN-02"
    assert amounts_of(notes.read(invoice)) == ("paid", 0, 0, 0, 1900, 0)
    assert notes.intent_of(invoice).status == "canceled"
    assert notes.read(invoice).payments.data[0].status == "canceled"  # type: ignore[union-attr]
    assert notes.shop.event_types(since=before) == [
        "credit_note.created",
        "invoice.updated",
        "payment_intent.canceled",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


def test_note_of_more_than_remains_is_mixed(notes: Notes) -> None:
    notes.control.set_customer_balance(notes.customer, -500)
    invoice = notes.open()

    refused = notes.refuse(invoice, amount=1900)
    note = notes.issue(invoice, amount=1900, credit_amount=500)

    assert (refused.param, "post payment amount of the credit note ($5.00)" in str(refused)) == ("amount", True)
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("mixed", 1400, 500)
    assert amounts_of(notes.read(invoice)) == ("paid", 0, 0, 0, 1400, 500)
    assert notes.balance() == -500


# -- what was paid


def test_note_to_the_balance_is_credit_of_the_customer(notes: Notes) -> None:
    invoice = notes.paid()
    before = len(notes.shop.event_types())

    note = notes.issue(invoice, amount=700, credit_amount=700)

    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("post_payment", 0, 700)
    assert amounts_of(notes.read(invoice)) == ("paid", 1900, 0, 1900, 0, 700)
    movement = notes.client.v1.customers.balance_transactions.retrieve(
        notes.customer, str(note.customer_balance_transaction)
    )
    assert (movement.type, movement.amount, movement.credit_note, movement.invoice) == (
        "credit_note",
        -700,
        note.id,
        invoice.id,
    )
    assert notes.balance() == -700
    assert notes.shop.event_types(since=before) == ["customer.updated", "credit_note.created", "invoice.updated"]
    assert notes.paid().amount_paid == 1200


def test_note_may_refund_what_was_charged(notes: Notes) -> None:
    invoice = notes.paid()
    before = len(notes.shop.event_types())

    note = notes.issue(invoice, amount=700, refund_amount=700)

    [link] = note.refunds
    refund = notes.client.v1.refunds.retrieve(str(link.refund))
    assert (link.type, link.amount_refunded, link.payment_record_refund) == ("refund", 700, None)
    assert (refund.amount, refund.status, refund.payment_intent) == (700, "succeeded", notes.intent_of(invoice).id)
    assert amounts_of(notes.read(invoice)) == ("paid", 1900, 0, 1900, 0, 700)
    assert notes.shop.event_types(since=before) == [
        "charge.refunded",
        "refund.created",
        "credit_note.created",
        "invoice.updated",
    ]


def test_note_may_count_refunds_that_were_made_before(notes: Notes) -> None:
    invoice = notes.paid()
    first, second = notes.refund(invoice, 400), notes.refund(invoice, 300)
    before = len(notes.shop.event_types())

    links: Any = [{"refund": first.id}, {"refund": second.id, "amount_refunded": 200, "type": "refund"}]
    note = notes.issue(invoice, amount=600, refunds=links)

    assert [(link.refund, link.amount_refunded) for link in note.refunds] == [(first.id, 400), (second.id, 200)]
    assert notes.shop.event_types(since=before) == ["credit_note.created", "invoice.updated"]
    rest = notes.issue(invoice, amount=100, refunds=[{"refund": second.id, "amount_refunded": 100}])
    assert (rest.number, rest.post_payment_amount) == (f"{invoice.number}-CN-02", 100)


def test_note_may_be_settled_outside_of_stripe(notes: Notes) -> None:
    invoice = notes.pay(notes.open(), paid_out_of_band=True)

    note = notes.issue(invoice, amount=1900, out_of_band_amount=1900)

    assert (note.type, note.out_of_band_amount, note.refunds) == ("post_payment", 1900, [])
    assert amounts_of(notes.read(invoice))[4:] == (0, 1900)
    assert notes.balance() == 0


def test_note_may_be_settled_in_several_ways(notes: Notes) -> None:
    invoice = notes.paid()
    refund = notes.refund(invoice, 100)

    note = notes.issue(
        invoice,
        amount=1000,
        refund_amount=200,
        credit_amount=300,
        out_of_band_amount=400,
        refunds=[{"refund": refund.id}],
    )

    assert [link.amount_refunded for link in note.refunds] == [100, 200]
    assert (note.post_payment_amount, note.out_of_band_amount, notes.balance()) == (1000, 400, -300)


def test_refund_of_a_note_starts_as_refunds_start(notes: Notes) -> None:
    notes.control.set_refunds(status="pending")

    note = notes.issue(notes.paid(), amount=700, refund_amount=700)

    assert notes.client.v1.refunds.retrieve(str(note.refunds[0].refund)).status == "pending"


# -- what is refused


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "amount"),
        ({"credit_amount": 699}, "credit_amount"),
        ({"refund_amount": 701}, "refund_amount"),
        ({"out_of_band_amount": 1}, "out_of_band_amount"),
        ({"refund_amount": 350, "credit_amount": 351}, "amount"),
        ({"credit_amount": -1, "refund_amount": 701}, "credit_amount"),
    ],
)
def test_settlement_must_be_what_was_paid_of_the_note(notes: Notes, given: dict[str, int], param: str) -> None:
    invoice = notes.paid()

    assert notes.refuse(invoice, amount=700, **given).param == param


@pytest.mark.parametrize("way", ["refund_amount", "credit_amount", "out_of_band_amount"])
def test_what_is_still_to_be_paid_cannot_be_given_back(notes: Notes, way: str) -> None:
    assert notes.refuse(notes.open(), amount=700, **{way: 700}).param == way


@pytest.mark.parametrize(("amount", "code"), [(0, "parameter_invalid_integer"), (-5, "parameter_invalid_integer")])
def test_amount_must_be_positive(notes: Notes, amount: int, code: str) -> None:
    refused = notes.refuse(notes.open(), amount=amount)

    assert (refused.param, refused.code) == ("amount", code)


def test_note_needs_an_amount_and_takes_no_lines(notes: Notes) -> None:
    invoice = notes.open()
    line: Any = {"type": "custom_line_item", "quantity": 1, "unit_amount": 100, "description": "Less"}

    assert notes.refuse(invoice).param == "amount"
    assert notes.refuse(invoice, lines=[line]).param == "lines"
    assert notes.refuse(invoice, amount=100, shipping_cost={"shipping_rate": "shr_1"}).param == "shipping_cost"


def test_only_open_and_paid_invoices_are_credited(notes: Notes) -> None:
    void, lost = notes.open(), notes.open()
    notes.client.v1.invoices.void_invoice(void.id)
    notes.client.v1.invoices.mark_uncollectible(lost.id)

    for invoice, status in ((notes.draft(), "draft"), (void, "void"), (lost, "uncollectible")):
        refused = notes.refuse(invoice, amount=100)
        assert (refused.param, status in str(refused)) == ("invoice", True)


def test_unknown_invoice_is_refused(notes: Notes) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.client.v1.credit_notes.create({"invoice": "in_none", "amount": 100})

    assert (refusal.value.http_status, refusal.value.param) == (400, "invoice")
