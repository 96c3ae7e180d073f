"""The tax of credit notes: each has its share of the invoice's."""

from typing import Any

import pytest
import stripe

from sandbox.tests.stripe.notes import Notes


def sums_of(note: stripe.CreditNote) -> tuple[int, int, int | None, int | None]:
    return note.total, note.subtotal, note.subtotal_excluding_tax, note.total_excluding_tax


def taxes_of(note: stripe.CreditNote) -> list[tuple[int, int | None]]:
    return [(tax.amount, tax.taxable_amount) for tax in note.total_taxes or []]


@pytest.fixture
def french(notes: Notes) -> Notes:
    """A customer who pays 20 % of tax."""
    notes.client.v1.customers.update(notes.customer, {"address": {"country": "FR"}})
    return notes


def test_note_has_its_share_of_a_tax_that_was_added(french: Notes) -> None:
    invoice = french.paid(automatic_tax={"enabled": True})
    assert invoice.total == 2280

    note = french.issue(invoice, amount=1140, refund_amount=1140)

    assert sums_of(note) == (1140, 950, 950, 950)
    assert taxes_of(note) == [(190, 950)]
    [line] = note.lines.data
    assert (line.amount, line.unit_amount, line.unit_amount_decimal) == (950, 950, 950)
    assert [(tax.amount, tax.tax_behavior) for tax in line.taxes or []] == [(190, "exclusive")]
    taxes: list[Any] = [*(note.total_taxes or []), *(invoice.total_taxes or [])]
    rates = [tax.tax_rate_details for tax in taxes]
    assert [rate.tax_rate for rate in rates if rate] == ["txr_sandboxFR20ex"] * 2


def test_note_has_its_share_of_a_tax_that_was_included(french: Notes) -> None:
    french.client.v1.invoice_items.create(
        {"customer": french.customer, "amount": 1200, "currency": "usd", "tax_behavior": "inclusive"}
    )
    made = french.client.v1.invoices.create(
        {
            "customer": french.customer,
            "automatic_tax": {"enabled": True},
            "pending_invoice_items_behavior": "include",
        }
    )
    invoice = french.pay(french.client.v1.invoices.finalize_invoice(made.id))

    note = french.issue(invoice, amount=600, credit_amount=600)

    assert sums_of(note) == (600, 600, 500, 500)
    assert taxes_of(note) == [(100, 500)]


def test_shares_add_up_to_the_whole_tax(french: Notes) -> None:
    invoice = french.open(amount=1001, automatic_tax={"enabled": True})
    assert (invoice.total, [tax.amount for tax in invoice.total_taxes or []]) == (1201, [200])

    made = [french.issue(invoice, amount=amount) for amount in (3, 3, 3, 597, 595)]

    taxes = [taxes_of(note)[0] for note in made]
    assert [tax for tax, _ in taxes] == [0, 1, 0, 100, 99]
    assert sum(tax for tax, _ in taxes) == 200
    assert [tax + (net or 0) for tax, net in taxes] == [3, 3, 3, 597, 595]


def test_note_without_tax(notes: Notes) -> None:
    note = notes.issue(notes.open(), amount=500)

    assert sums_of(note) == (500, 500, 500, 500)
    assert taxes_of(note) == []
