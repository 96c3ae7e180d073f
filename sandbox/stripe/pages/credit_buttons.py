"""The form of the control page that issues a credit note, and the button that voids one."""

from sandbox.stripe.control import Control
from sandbox.stripe.credit_note_levers import Way
from sandbox.stripe.crediting.creditable import charge_of, creditable_amount
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.money import parse_amount
from sandbox.stripe.pages.subscription_buttons import Action, Button
from sandbox.stripe.records import Resource

_BEFORE_PAYMENT = ("", "Before payment")
_WAYS: dict[str, tuple[Way, str]] = {
    "balance": ("balance", "To the balance"),
    "refund": ("refund", "Refund"),
    "out_of_band": ("out_of_band", "Outside of Stripe"),
}


def credit_ways(sandbox: Sandbox, found: Resource) -> list[tuple[str, str]]:
    """How an invoice can be credited, as choices of a form; empty where nothing is left to credit."""
    if found["object"] != "invoice" or found["status"] not in ("open", "paid"):
        return []
    creditable, remaining = creditable_amount(sandbox, found), found["amount_remaining"]
    was_charged = charge_of(sandbox, found) is not None
    after = [way for way in _WAYS.values() if way[0] != "refund" or was_charged]
    return [*([_BEFORE_PAYMENT] if remaining else []), *(after if creditable > remaining else [])]


def note_buttons(sandbox: Sandbox, note: Resource) -> list[Button]:
    """What can happen to a credit note now."""
    invoice = sandbox.require("invoice", note["invoice"])
    return [Button("void_note", "Void")] if note["status"] == "issued" and invoice["status"] == "open" else []


def _issue(control: Control, fields: dict[str, str]) -> None:
    invoice, typed = control.get_object(fields["target"]), fields.get("amount", "").strip()
    amount = parse_amount(typed, invoice["currency"]) if typed and invoice else None
    way = _WAYS.get(fields.get("way", ""))
    control.issue_credit_note(fields["target"], amount=amount, way=way[0] if way else None)


CREDIT_ACTIONS: dict[str, Action] = {
    "issue_note": _issue,
    "void_note": lambda control, fields: control.void_credit_note(fields["target"]),
}
