"""Credit notes on the sandbox's own pages, and the levers behind them."""

import pytest

from sandbox.stripe.errors import ApiError
from sandbox.tests.stripe.notes import Notes
from sandbox.tests.stripe.test_buttons import labels, look, press

ISSUE = "Issue a credit note"


def ways(notes: Notes, invoice_id: str) -> list[str]:
    """The choices of the form, in their order."""
    html = notes.shop.browse(f"{notes.shop.server.base_url}/sandbox/objects/{invoice_id}/").html
    known = ("Before payment", "To the balance", "Refund", "Outside of Stripe")
    return sorted((way for way in known if f">{way}</option>" in html), key=lambda way: html.index(f">{way}</option>"))


def test_open_invoice_is_credited_by_a_form_and_the_note_is_voided(notes: Notes) -> None:
    invoice = notes.open()
    assert ways(notes, invoice.id) == ["Before payment"]

    assert press(notes.shop, ISSUE, invoice.id, amount="5.00", way="").status == 303

    [note] = notes.client.v1.credit_notes.list().data
    assert (note.amount, note.type) == (500, "pre_payment")
    assert note.number in look(notes.shop, "credit_note")
    assert labels(notes.shop, note.id) == ["Void"]
    assert press(notes.shop, "Void", note.id).status == 303
    assert labels(notes.shop, note.id) == []
    assert notes.read(invoice).amount_due == 1900


def test_paid_invoice_is_credited_in_each_way(notes: Notes) -> None:
    invoice = notes.paid()
    assert ways(notes, invoice.id) == ["To the balance", "Refund", "Outside of Stripe"]

    press(notes.shop, ISSUE, invoice.id, amount="5", way="balance")
    press(notes.shop, ISSUE, invoice.id, amount="4", way="refund")
    press(notes.shop, ISSUE, invoice.id, amount="", way="out_of_band")

    made = notes.client.v1.credit_notes.list().data
    assert [(note.amount, len(note.refunds), note.out_of_band_amount) for note in made] == [
        (1000, 0, 1000),
        (400, 1, None),
        (500, 0, None),
    ]
    assert notes.balance() == -500
    refused = press(notes.shop, "Void", notes.open().id, action="issue_note", amount="20", way="balance")
    assert (refused.status, "greater than what is left" in refused.text) == (409, True)


def test_nothing_is_refunded_on_the_page_where_nothing_was_charged(notes: Notes) -> None:
    invoice = notes.pay(notes.open(), paid_out_of_band=True)

    assert ways(notes, invoice.id) == ["To the balance", "Outside of Stripe"]
    assert ways(notes, notes.draft().id) == []


def test_form_is_gone_when_nothing_is_left_to_credit(notes: Notes) -> None:
    invoice = notes.open()

    notes.control.issue_credit_note(invoice.id)

    assert ISSUE not in labels(notes.shop, invoice.id)


def test_page_of_an_invoice_shows_what_was_credited(notes: Notes) -> None:
    notes.control.set_customer_balance(notes.customer, -400)
    invoice = notes.open()
    notes.control.issue_credit_note(invoice.id, amount=500)

    text = " ".join(notes.shop.browse(invoice.hosted_invoice_url or "").text.split())

    assert "Total $19.00 Balance −$4.00 Credit notes −$5.00 Amount due $10.00" in text
    assert "Pay $10.00" in text


def test_note_has_a_page(notes: Notes) -> None:
    notes.client.v1.customers.update(notes.customer, {"address": {"country": "FR"}})
    invoice = notes.open(automatic_tax={"enabled": True})
    note = notes.issue(invoice, amount=1140, memo="One seat less")

    page = notes.shop.browse(note.pdf)

    text = " ".join(page.text.split())
    assert f"Number {note.number}" in text
    assert f"Credit of invoice {invoice.number} $9.50 Tax $1.90 Total $11.40 One seat less" in text
    assert "State Issued" in text
    assert notes.shop.browse(note.pdf.replace("?print=1", "x?print=1")).status == 404


def test_levers_say_why_a_note_is_refused(notes: Notes) -> None:
    invoice = notes.paid()

    with pytest.raises(ApiError, match="must equal the post payment amount"):
        notes.control.issue_credit_note(invoice.id, amount=500)
    with pytest.raises(ValueError, match="none of refund, balance, out_of_band"):
        notes.control.issue_credit_note(invoice.id, amount=500, way="cash")  # type: ignore[arg-type]


def test_lever_settles_what_goes_beyond_what_remains(notes: Notes) -> None:
    notes.control.set_customer_balance(notes.customer, -400)
    invoice = notes.open()

    note = notes.control.issue_credit_note(invoice.id, way="balance", reason="duplicate", metadata={"case": "7"})

    assert (note["type"], note["pre_payment_amount"], note["post_payment_amount"]) == ("mixed", 1500, 400)
    assert (note["reason"], note["metadata"], notes.balance()) == ("duplicate", {"case": "7"}, -400)
    assert "_" not in {name[0] for name in note}
