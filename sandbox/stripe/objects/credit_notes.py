"""Credit notes over the API; what they do is in ``sandbox.stripe.crediting``."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.crediting.issuing import issue_note, void_note
from sandbox.stripe.crediting.note_form import Words
from sandbox.stripe.crediting.settlements import read_settlement
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import save_change
from sandbox.stripe.lists import list_page, slice_page
from sandbox.stripe.records import Resource, merge_metadata


def create_credit_note(call: Call) -> Resource:
    """A new note of an amount of an invoice, issued."""
    params, sandbox = call.params, call.sandbox
    _check_params(params)
    invoice = sandbox.require("invoice", params["invoice"], param="invoice")
    words = Words(
        reason=params.get("reason"),
        memo=params.get("memo") or None,
        metadata=merge_metadata({}, params.get("metadata")),
        effective_at=params.get("effective_at"),
    )
    settlement = read_settlement(sandbox, invoice, params)
    return issue_note(sandbox, invoice, amount=params["amount"], settlement=settlement, words=words)


def retrieve_credit_note(call: Call) -> Resource:
    """A credit note."""
    return call.find("credit_note")


def update_credit_note(call: Call) -> Resource:
    """The note with changed memo or metadata."""
    note = call.find("credit_note")
    before = dict(note)
    if "memo" in call.params:
        note["memo"] = call.params["memo"] or None
    note["metadata"] = merge_metadata(note["metadata"], call.params.get("metadata"))
    save_change(call.sandbox, note, before=before, event_type="credit_note.updated")
    return note


def void_credit_note_call(call: Call) -> Resource:
    """The note, void."""
    note = call.find("credit_note")
    void_note(call.sandbox, note)
    return note


def list_credit_notes(call: Call) -> Resource:
    """A page of credit notes."""
    filters = {name: name for name in ("created", "customer", "invoice")}
    return list_page(call.sandbox, kind="credit_note", url=call.path, params=call.params, filters=filters)


def list_credit_note_lines(call: Call) -> Resource:
    """A page of the lines of a note."""
    return slice_page(call.find("credit_note")["lines"]["data"], url=call.path, params=call.params)


def _check_params(params: dict[str, Any]) -> None:
    for name in ("lines", "shipping_cost"):
        if name in params:
            raise ApiError(f"The sandbox makes credit notes of an `amount`, not of `{name}`.", param=name)
    if "amount" not in params:
        message = "You must provide one of `amount`, `lines`, or `shipping_cost` to create a credit note."
        raise ApiError(message, code="parameter_missing", param="amount")
