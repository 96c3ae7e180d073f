"""Reading, changing and voiding credit notes over the API."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.notes import Notes


def test_notes_are_read_alone_and_expanded(notes: Notes) -> None:
    made = notes.issue(notes.paid(), amount=500, refund_amount=200, credit_amount=300)

    paths = ["invoice", "customer", "customer_balance_transaction", "refunds.refund"]
    read = notes.client.v1.credit_notes.retrieve(made.id, {"expand": paths})

    assert isinstance(read.invoice, stripe.Invoice)
    assert isinstance(read.customer, stripe.Customer)
    assert isinstance(read.customer_balance_transaction, stripe.CustomerBalanceTransaction)
    assert isinstance(read.refunds[0].refund, stripe.Refund)
    assert read.number == made.number
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.client.v1.credit_notes.retrieve("cn_none")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_lines_of_a_note_are_listed(notes: Notes) -> None:
    made = notes.issue(notes.open(), amount=500)

    listed = notes.client.v1.credit_notes.line_items.list(made.id)

    assert [line.id for line in listed.data] == [line.id for line in made.lines.data]


def test_notes_are_listed_newest_first_by_pages(notes: Notes) -> None:
    invoice, other = notes.open(), notes.open()
    made = [notes.issue(invoice, amount=amount).id for amount in (100, 200, 300)]
    apart = notes.issue(other, amount=100)

    def listed(**params: Any) -> list[str]:
        return [note.id for note in notes.client.v1.credit_notes.list(params).data]  # type: ignore[arg-type]

    assert listed(invoice=invoice.id) == made[::-1]
    assert listed(customer=notes.customer) == [apart.id, *made[::-1]]
    assert listed(customer="cus_other") == []
    assert listed(invoice=invoice.id, limit=1, starting_after=made[2]) == [made[1]]
    assert listed(invoice=invoice.id, limit=1, ending_before=made[0]) == [made[1]]
    pages = notes.client.v1.credit_notes.list({"invoice": invoice.id, "limit": 2})
    assert pages.has_more
    assert [note.id for note in pages.auto_paging_iter()] == made[::-1]


def test_notes_are_listed_by_the_time_they_were_made(notes: Notes) -> None:
    invoice = notes.open()
    first = notes.issue(invoice, amount=100)
    notes.control.advance_clock(days=1)
    second = notes.issue(invoice, amount=100)

    def listed(**created: int) -> list[str]:
        found = notes.client.v1.credit_notes.list({"created": created})  # type: ignore[typeddict-item,arg-type,unused-ignore]
        return [note.id for note in found.data]

    assert listed(gte=second.created) == [second.id]
    assert listed(lt=second.created) == [first.id]
    assert listed(gt=second.created) == []
    assert listed(lte=second.created) == [second.id, first.id]


def test_memo_and_metadata_can_be_changed(notes: Notes) -> None:
    made = notes.issue(notes.open(), amount=500, memo="Sorry", metadata={"case": "7"})
    before = len(notes.shop.event_types())

    changed = notes.client.v1.credit_notes.update(made.id, {"memo": "Very sorry", "metadata": {"by": "Bob"}})
    notes.client.v1.credit_notes.update(made.id, {"memo": "Very sorry"})

    assert changed.metadata
    assert (changed.memo, changed.metadata.to_dict()) == ("Very sorry", {"case": "7", "by": "Bob"})
    [event] = notes.control.list_events()[before:]
    assert event["type"] == "credit_note.updated"
    assert event["data"]["previous_attributes"] == {"memo": "Sorry", "metadata": {"case": "7"}}


def test_day_of_effect_may_be_another(notes: Notes) -> None:
    made = notes.issue(notes.open(), amount=500, effective_at=1_700_000_000, email_type="none")

    assert made.effective_at == 1_700_000_000


# -- voiding


def test_void_note_lets_the_invoice_ask_for_all_again(notes: Notes) -> None:
    invoice = notes.open()
    made, kept = notes.issue(invoice, amount=500), notes.issue(invoice, amount=100)
    before = len(notes.shop.event_types())

    void = notes.client.v1.credit_notes.void_credit_note(made.id)

    assert (void.status, bool(void.voided_at), void.amount) == ("void", True, 500)
    read = notes.read(invoice)
    assert (read.amount_due, read.amount_remaining, read.pre_payment_credit_notes_amount) == (1800, 1800, 100)
    assert notes.intent_of(invoice).amount == 1800
    assert notes.shop.event_types(since=before) == ["credit_note.voided", "invoice.updated"]
    assert notes.issue(invoice, amount=100).number == f"{invoice.number}-CN-03"
    assert notes.pay(invoice).amount_paid == 1700
    assert notes.refuse(invoice, amount=1701, credit_amount=1701).param == "amount"
    assert notes.issue(invoice, amount=1700, credit_amount=1700).number == f"{invoice.number}-CN-04"
    assert notes.client.v1.credit_notes.retrieve(kept.id).status == "issued"


def refuse_void(notes: Notes, note: stripe.CreditNote) -> str:
    before = len(notes.shop.event_types())
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        notes.client.v1.credit_notes.void_credit_note(note.id)
    assert len(notes.shop.event_types()) == before
    assert refusal.value.http_status == 400
    return str(refusal.value)


def test_note_is_void_once(notes: Notes) -> None:
    made = notes.issue(notes.open(), amount=500)
    notes.client.v1.credit_notes.void_credit_note(made.id)

    assert "already void" in refuse_void(notes, made)


@pytest.mark.parametrize("end", ["credited", "paid", "void", "uncollectible"])
def test_note_stays_once_its_invoice_is_not_open(notes: Notes, end: str) -> None:
    invoice = notes.open()
    made = notes.issue(invoice, amount=500)

    match end:
        case "credited":
            notes.issue(invoice, amount=1400)
        case "paid":
            notes.pay(invoice)
        case "void":
            notes.client.v1.invoices.void_invoice(invoice.id)
        case "uncollectible":
            notes.client.v1.invoices.mark_uncollectible(invoice.id)

    assert "while its invoice is open" in refuse_void(notes, made)
    assert notes.client.v1.credit_notes.retrieve(made.id).status == "issued"
