"""What a credit note looks like."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.lists import as_list
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id, random_word


@dataclass(frozen=True)
class Words:
    """What is said on a note."""

    reason: str | None = None
    memo: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    effective_at: int | None = None


def build_note(
    sandbox: Sandbox, invoice: Resource, *, amount: int, credited_before: int, ordinal: int, words: Words
) -> Resource:
    """A note of an amount of an invoice, which has done nothing yet; it is the ``ordinal``-th of its invoice.

    ``credited_before`` is what earlier notes credit: of the tax each note has its share, and all of them have all.
    """
    now, note_id = sandbox.now(), new_id("cn")
    taxes = [_share(tax, invoice, start=credited_before, end=credited_before + amount) for tax in _taxes_of(invoice)]
    return {
        "id": note_id,
        "object": "credit_note",
        "created": now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "effective_at": words.effective_at or now,
        "invoice": invoice["id"],
        "livemode": False,
        "memo": words.memo,
        "metadata": words.metadata,
        "number": f"{invoice['number']}-CN-{ordinal:02d}",
        "out_of_band_amount": None,
        "pdf": f"{sandbox.base_url}/credit_notes/{note_id}/{random_word(30)}?print=1",
        "post_payment_amount": 0,
        "pre_payment_amount": 0,
        "reason": words.reason,
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "type": "pre_payment",
        "voided_at": None,
        **_sums(note_id, amount=amount, taxes=taxes),
    }


def link_refund(refund: Resource, *, amount: int) -> Resource:
    """A refund as a note shows it."""
    return {"amount_refunded": amount, "payment_record_refund": None, "refund": refund["id"], "type": "refund"}


def type_of(*, before_payment: int, after_payment: int) -> str:
    """What a note is called by what it reduces: what is still to be paid, what was paid, or both."""
    if before_payment and after_payment:
        return "mixed"
    return "post_payment" if after_payment else "pre_payment"


def _sums(note_id: str, *, amount: int, taxes: list[Resource]) -> Resource:
    """The amounts of a note and its only line; the subtotal is without the taxes that were added to prices."""
    added = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    untaxed = amount - sum(tax["amount"] for tax in taxes)
    line = _build_line(amount=amount - added, taxes=taxes)
    return {
        "amount": amount,
        "amount_shipping": 0,
        "discount_amount": 0,
        "discount_amounts": [],
        "lines": as_list([line], url=f"/v1/credit_notes/{note_id}/lines"),
        "pretax_credit_amounts": [],
        "subtotal": amount - added,
        "subtotal_excluding_tax": untaxed,
        "total": amount,
        "total_excluding_tax": untaxed,
        "total_taxes": taxes,
    }


def _build_line(*, amount: int, taxes: list[Resource]) -> Resource:
    return {
        "id": new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": "Credit",
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": taxes,
        "type": "custom_line_item",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }


def _taxes_of(invoice: Resource) -> list[dict[str, Any]]:
    return list(invoice["total_taxes"] or [])


def _share(tax: Resource, invoice: Resource, *, start: int, end: int) -> Resource:
    """The part of an invoice's tax that falls to what is credited between two sums of all notes.

    What is rounded are the sums, half up for the tax and half down for what is taxed: so all notes together have the
    whole tax, and with one rate the two parts of each note make up its amount.
    """
    total = invoice["total"]
    taxed = [(2 * tax["amount"] * credited + total) // (2 * total) for credited in (start, end)]
    net = [(2 * tax["taxable_amount"] * credited + total - 1) // (2 * total) for credited in (start, end)]
    return {**tax, "amount": taxed[1] - taxed[0], "taxable_amount": net[1] - net[0]}
