"""Invoices of subscriptions: drafted, finalized against the customer's balance, voided or written off."""

from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.payment_intents import move_intent, new_intent
from sandbox.stripe.records import Resource, new_id, random_word
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.balances import move_balance
from sandbox.stripe.subscriptions.invoice_form import build_invoice, put_lines

LEAST_AMOUNT = 50  # less is not charged: it waits in the customer's balance
_DESCRIPTIONS = {
    "manual": "Payment for Invoice",
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription renewal",
}


def draft_invoice(
    sandbox: Sandbox, subscription: Resource, *, lines: list[Resource], invoice_id: str, **fields: Any
) -> Resource:
    """A new draft of these lines, saved and told of; ``fields`` are those of the invoice that are not the usual."""
    customer = sandbox.require("customer", subscription["customer"])
    invoice = build_invoice(sandbox, subscription, customer=customer, invoice_id=invoice_id)
    put_lines(invoice, lines)
    invoice |= fields
    save_invoice(sandbox, invoice)
    emit_event(sandbox, "invoice.created", invoice)
    return invoice


def finalize_invoice(sandbox: Sandbox, invoice: Resource, *, intent: Resource | None = None) -> None:
    """Give a draft its number, settle it with the customer's balance and open it, with the payment that it waits for.

    ``intent`` is the one that has paid it already, as in a checkout.

    Raises:
        ApiError: it is no draft.
    """
    if invoice["status"] != "draft":
        raise ApiError("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    customer = sandbox.require("customer", invoice["customer"])
    secret = random_word(30)
    address = f"{sandbox.base_url}/invoices/{invoice['id']}/{secret}"
    invoice |= {
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
        "hosted_invoice_url": address,
        "invoice_pdf": f"{address}?print=1",
        "effective_at": sandbox.now(),
        "status": "open",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": sandbox.now()},
    }
    sandbox.store.put({**customer, "next_invoice_sequence": customer["next_invoice_sequence"] + 1})
    _use_balance(sandbox, invoice, customer)
    if invoice["amount_due"] > 0:
        intent = intent or new_intent(
            sandbox,
            amount=invoice["amount_due"],
            currency=invoice["currency"],
            customer_id=invoice["customer"],
            params={"description": _DESCRIPTIONS.get(invoice["billing_reason"], "Subscription update")},
        )
        sandbox.store.put(_build_payment(sandbox, invoice, intent))
        invoice["confirmation_secret"] = {"client_secret": intent["client_secret"], "type": "payment_intent"}
    save_invoice(sandbox, invoice)
    emit_event(sandbox, "invoice.finalized", invoice)


def settle_with_balance(invoice: Resource, *, balance: int) -> int:
    """Settle a total with a customer's balance: credit pays first, and what is too little to be charged waits.

    Returns the balance after it.
    """
    wanted = invoice["total"] + balance
    due = wanted if wanted >= LEAST_AMOUNT else 0
    invoice |= {"starting_balance": balance, "ending_balance": wanted - due}
    invoice |= {"amount_due": due, "amount_remaining": due}
    return int(wanted - due)


def void_invoice(sandbox: Sandbox, invoice: Resource) -> None:
    """Void an invoice that nobody has paid; what it took of the customer's balance goes back.

    Raises:
        ApiError: it is a draft, paid or void.
    """
    if invoice["status"] not in ("open", "uncollectible"):
        raise ApiError(f"You can only void open or uncollectible invoices: this one is {invoice['status']}.")
    used = invoice["starting_balance"] - invoice["ending_balance"]
    if used:
        currency = invoice["currency"]
        kind = "unapplied_from_invoice"
        move_balance(sandbox, invoice["customer"], amount=used, kind=kind, currency=currency, invoice_id=invoice["id"])
    if invoice["amount_due"] > 0:
        cancel_payment(sandbox, payment_of(sandbox, invoice), reason="void_invoice")
    _close_invoice(sandbox, invoice, status="void", at="voided_at", event_type="invoice.voided")


def write_off_invoice(sandbox: Sandbox, invoice: Resource) -> None:
    """Give an open invoice up.

    Raises:
        ApiError: it is not open.
    """
    if invoice["status"] != "open":
        raise ApiError(f"You can only mark open invoices as uncollectible: this one is {invoice['status']}.")
    event_type = "invoice.marked_uncollectible"
    _close_invoice(sandbox, invoice, status="uncollectible", at="marked_uncollectible_at", event_type=event_type)


def save_invoice(sandbox: Sandbox, invoice: Resource) -> None:
    """Save an invoice as it is now; it is looked at again when it is tried again."""
    sandbox.store.put(invoice, due_at=invoice["next_payment_attempt"])


def payment_of(sandbox: Sandbox, invoice: Resource) -> Resource:
    """The payment that an invoice waits for or was paid by.

    Raises:
        ApiError: it has none, because nothing is due.
    """
    found = sandbox.store.find("invoice_payment", [Condition("invoice", "=", invoice["id"])], limit=1)
    if not found:
        raise ApiError(f"Nothing is to be paid for {invoice['id']}.", code="resource_missing")
    return found[0]


def cancel_payment(sandbox: Sandbox, payment: Resource, *, reason: str) -> None:
    """Let nobody pay an invoice any more: its payment intent is canceled for that reason."""
    transitions = {**payment["status_transitions"], "canceled_at": sandbox.now()}
    sandbox.store.put({**payment, "status": "canceled", "status_transitions": transitions})
    intent = sandbox.require("payment_intent", payment["payment"]["payment_intent"])
    move_intent(
        sandbox,
        intent,
        event_type="payment_intent.canceled",
        status="canceled",
        canceled_at=sandbox.now(),
        cancellation_reason=reason,
        next_action=None,
    )


def invoices_of(sandbox: Sandbox, subscription: Resource, *statuses: str) -> list[Resource]:
    """The invoices of a subscription, the latest first; with statuses only those in one of them."""
    of_customer = Condition("customer", "=", subscription["customer"])  # has an index
    path = "parent.subscription_details.subscription"
    found = sandbox.store.find("invoice", [of_customer, Condition(path, "=", subscription["id"])])
    return [invoice for invoice in found if not statuses or invoice["status"] in statuses]


def _use_balance(sandbox: Sandbox, invoice: Resource, customer: Resource) -> None:
    starting = customer["balance"]
    ending = settle_with_balance(invoice, balance=starting)
    if ending != starting:
        kind = "applied_to_invoice" if invoice["total"] > 0 and starting < 0 else "invoice_too_small"
        move_balance(
            sandbox,
            customer["id"],
            amount=ending - starting,
            kind=kind,
            currency=invoice["currency"],
            invoice_id=invoice["id"],
        )


def _close_invoice(sandbox: Sandbox, invoice: Resource, *, status: str, at: str, event_type: str) -> None:
    invoice |= {"status": status, "auto_advance": False, "next_payment_attempt": None, "_retries": []}
    invoice["status_transitions"] = {**invoice["status_transitions"], at: sandbox.now()}
    save_invoice(sandbox, invoice)
    emit_event(sandbox, event_type, invoice)


def _build_payment(sandbox: Sandbox, invoice: Resource, intent: Resource) -> Resource:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": sandbox.now(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
