"""What a credit note does: to its invoice, to the payment of it and to the customer; and how it is undone."""

from sandbox.stripe.crediting.creditable import charge_of, creditable_amount, credited_amount, notes_of
from sandbox.stripe.crediting.note_form import Words, build_note, link_refund, type_of
from sandbox.stripe.crediting.settlements import Settlement
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.giving_back.refunding import start_refund
from sandbox.stripe.giving_back.starting import read_refund_start
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.balances import move_balance
from sandbox.stripe.subscriptions.collecting import mark_paid
from sandbox.stripe.subscriptions.dunning import follow_payment
from sandbox.stripe.subscriptions.invoicing import cancel_payment, payment_of, save_invoice

_CREDITABLE = ("open", "paid")


def issue_note(
    sandbox: Sandbox, invoice: Resource, *, amount: int, settlement: Settlement, words: Words | None = None
) -> Resource:
    """A new note, saved and told of. It first reduces what is still to be paid of its invoice, and settles the rest.

    Raises:
        ApiError: the invoice is not open or paid, less than the amount is left to credit, or the settlement is not what
            the note credits of a payment.
    """
    before_payment = _check_amount(sandbox, invoice, amount=amount, settlement=settlement)
    note = build_note(
        sandbox,
        invoice,
        amount=amount,
        credited_before=credited_amount(sandbox, invoice),
        ordinal=len(notes_of(sandbox, invoice)) + 1,
        words=words or Words(),
    )
    after_payment = amount - before_payment
    note |= {
        "pre_payment_amount": before_payment,
        "post_payment_amount": after_payment,
        "type": type_of(before_payment=before_payment, after_payment=after_payment),
    }
    _settle(sandbox, invoice, note, settlement)
    sandbox.store.put(note)
    emit_event(sandbox, "credit_note.created", note)
    _change_invoice(sandbox, invoice, before_payment=before_payment, after_payment=after_payment)
    if before_payment and invoice["amount_remaining"] == 0:
        mark_paid(sandbox, invoice)
        follow_payment(sandbox, invoice, is_paid=True)
    return note


def void_note(sandbox: Sandbox, note: Resource) -> None:
    """Take a note back: its invoice asks for the whole again.

    Raises:
        ApiError: it is void already, or its invoice is not open any more.
    """
    invoice = sandbox.require("invoice", note["invoice"])
    if note["status"] == "void":
        raise ApiError("This credit note is already void.", param="id")
    if invoice["status"] != "open":
        raise ApiError(
            f"You can only void a credit note while its invoice is open: this one is {invoice['status']}.", param="id"
        )
    note |= {"status": "void", "voided_at": sandbox.now()}
    sandbox.store.put(note)
    emit_event(sandbox, "credit_note.voided", note)
    before_payment, after_payment = -note["pre_payment_amount"], -note["post_payment_amount"]
    _change_invoice(sandbox, invoice, before_payment=before_payment, after_payment=after_payment)


def _check_amount(sandbox: Sandbox, invoice: Resource, *, amount: int, settlement: Settlement) -> int:
    """How much of the amount is still to be paid, once it is clear that the note may be issued."""
    if invoice["status"] not in _CREDITABLE:
        message = f"You can only create a credit note for an open or paid invoice: this one is {invoice['status']}."
        raise ApiError(message, param="invoice")
    if amount <= 0:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    creditable = creditable_amount(sandbox, invoice, linking=settlement.refunds)
    if amount > creditable:
        asked, rest = (format_amount(one, invoice["currency"]) for one in (amount, creditable))
        message = f"The credit note amount ({asked}) is greater than what is left of the invoice to credit ({rest})."
        raise ApiError(message, param="amount")
    before_payment = min(amount, int(invoice["amount_remaining"]))
    if settlement.total != amount - before_payment:
        given, wanted = (format_amount(one, invoice["currency"]) for one in (settlement.total, amount - before_payment))
        message = (
            "The sum of `refund_amount`, `credit_amount`, `out_of_band_amount` and the linked `refunds` "
            f"({given}) must equal the post payment amount of the credit note ({wanted})."
        )
        raise ApiError(message, param=settlement.param)
    return before_payment


def _settle(sandbox: Sandbox, invoice: Resource, note: Resource, settlement: Settlement) -> None:
    note["refunds"] = [link_refund(linked.refund, amount=linked.amount) for linked in settlement.refunds]
    if settlement.refund_amount:
        refund = _refund(sandbox, invoice, amount=settlement.refund_amount)
        note["refunds"].append(link_refund(refund, amount=refund["amount"]))
    if settlement.credit_amount:
        customer = require_customer(sandbox, invoice["customer"], param="credit_amount")
        movement = move_balance(
            sandbox,
            customer["id"],
            amount=-settlement.credit_amount,
            kind="credit_note",
            currency=invoice["currency"],
            invoice_id=invoice["id"],
            credit_note_id=note["id"],
        )
        note["customer_balance_transaction"] = movement["id"]
    note["out_of_band_amount"] = settlement.out_of_band_amount or None


def _refund(sandbox: Sandbox, invoice: Resource, *, amount: int) -> Resource:
    charge = charge_of(sandbox, invoice)
    if charge is None:
        raise ApiError(f"Nothing was charged for invoice {invoice['id']}.", param="refund_amount")
    try:
        return start_refund(sandbox, charge, amount=amount, status=read_refund_start(sandbox))
    except ApiError as refusal:
        raise ApiError(refusal.message, code=refusal.code, param="refund_amount") from refusal


def _change_invoice(sandbox: Sandbox, invoice: Resource, *, before_payment: int, after_payment: int) -> None:
    """Count a note in its invoice, or with negative amounts one that is void; the open payment follows."""
    before = dict(invoice)
    invoice["amount_due"] -= before_payment
    invoice["amount_remaining"] -= before_payment
    invoice["pre_payment_credit_notes_amount"] += before_payment
    invoice["post_payment_credit_notes_amount"] += after_payment
    save_invoice(sandbox, invoice)
    emit_event(sandbox, "invoice.updated", invoice, before=before)
    if before_payment:
        _change_payment(sandbox, payment_of(sandbox, invoice), amount=invoice["amount_remaining"])


def _change_payment(sandbox: Sandbox, payment: Resource, *, amount: int) -> None:
    """Let an open payment ask for what is left; where nothing is, nobody can pay it any more."""
    if not amount:
        cancel_payment(sandbox, payment, reason="automatic")
        return
    intent = sandbox.require("payment_intent", payment["payment"]["payment_intent"])
    sandbox.store.put({**payment, "amount_requested": amount})
    sandbox.store.put({**intent, "amount": amount})
