"""How much of an invoice may still be credited."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition

_LOST = ("failed", "canceled")  # the money of such a refund did not reach the customer


@dataclass(frozen=True)
class LinkedRefund:
    """A refund that was made before, and how much of it a note counts as its own."""

    refund: Resource
    amount: int


def notes_of(sandbox: Sandbox, invoice: Resource) -> list[Resource]:
    """All credit notes of an invoice, void ones too, the latest first."""
    return sandbox.store.find("credit_note", [Condition("invoice", "=", invoice["id"])])


def credited_amount(sandbox: Sandbox, invoice: Resource) -> int:
    """What the notes of an invoice credit that are not void."""
    return sum(note["amount"] for note in _issued(sandbox, invoice))


def creditable_amount(sandbox: Sandbox, invoice: Resource, *, linking: Sequence[LinkedRefund] = ()) -> int:
    """What is left of an invoice to credit: its total without earlier notes and without refunds made apart from notes.

    ``linking`` are refunds that the next note will count as its own.
    """
    refunded = sum(unlinked_amount(sandbox, invoice, refund) for refund in refunds_of(sandbox, invoice))
    apart = refunded - sum(linked.amount for linked in linking)
    return max(0, int(invoice["total"]) - credited_amount(sandbox, invoice) - apart)


def unlinked_amount(sandbox: Sandbox, invoice: Resource, refund: Resource) -> int:
    """How much of a refund no note counts as its own."""
    links = [link for note in _issued(sandbox, invoice) for link in note["refunds"] if link["refund"] == refund["id"]]
    return int(refund["amount"]) - sum(int(link["amount_refunded"]) for link in links)


def refunds_of(sandbox: Sandbox, invoice: Resource) -> list[Resource]:
    """The refunds of what paid an invoice, without those that did not reach the customer."""
    charge = charge_of(sandbox, invoice)
    found = sandbox.store.find("refund", [Condition("charge", "=", charge["id"])]) if charge else []
    return [refund for refund in found if refund["status"] not in _LOST]


def charge_of(sandbox: Sandbox, invoice: Resource) -> Resource | None:
    """The charge that paid an invoice, or None where it was paid otherwise or not at all."""
    for payment in sandbox.store.find("invoice_payment", [Condition("invoice", "=", invoice["id"])]):
        intent = sandbox.store.get(payment["payment"]["payment_intent"] or "", kind="payment_intent") or {}
        charge = sandbox.store.get(intent.get("latest_charge") or "", kind="charge")
        if payment["status"] == "paid" and charge:
            return charge
    return None


def _issued(sandbox: Sandbox, invoice: Resource) -> list[Resource]:
    return [note for note in notes_of(sandbox, invoice) if note["status"] == "issued"]
