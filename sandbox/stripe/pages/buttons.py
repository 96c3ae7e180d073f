"""The buttons of the control page: what can happen to an object now, and what each button does."""

from sandbox.stripe.charging.intent_calls import waits_for_customer
from sandbox.stripe.control import Control
from sandbox.stripe.giving_back.disputing import is_closed, is_inquiry, withdrawn_amount
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.credit_buttons import CREDIT_ACTIONS, note_buttons
from sandbox.stripe.pages.money import parse_amount
from sandbox.stripe.pages.subscription_buttons import (
    SUBSCRIPTION_ACTIONS,
    Action,
    Button,
    invoice_buttons,
    subscription_buttons,
)
from sandbox.stripe.records import Resource


def buttons_for(sandbox: Sandbox, found: Resource) -> list[Button]:
    """What can happen to an object now, the likeliest first."""
    match found["object"]:
        case "checkout.session":
            return _session_buttons(sandbox, found)
        case "payment_intent" if waits_for_customer(found):
            return [
                Button("authenticate", "Authenticate", is_quiet=False),
                Button("fail_authentication", "Fail authentication"),
            ]
        case "payment_method" if found["type"] == "card" and found["customer"]:
            return _card_buttons(found)
        case "charge":
            return _charge_buttons(found)
        case "refund":
            return _refund_buttons(found)
        case "dispute":
            return _dispute_buttons(found)
        case "subscription":
            return subscription_buttons(found)
        case "invoice":
            return invoice_buttons(found)
        case "credit_note":
            return note_buttons(sandbox, found)
        case "customer" if not found.get("deleted"):
            return [Button("delete_customer", "Delete the customer")]
    return []


def takes_amount(found: Resource) -> bool:
    """Whether the buttons of an object use an amount, which may be left empty."""
    return bool(found["object"] == "charge" and found["status"] == "succeeded")


def _session_buttons(sandbox: Sandbox, session: Resource) -> list[Button]:
    if session["status"] == "open":
        return [Button("expire", "Expire")]
    intent = sandbox.store.get(session["payment_intent"] or "")
    if intent and intent["status"] == "processing":
        return [Button("settle", "Complete the bank debit", is_quiet=False), Button("fail", "Fail the bank debit")]
    return []


def _card_buttons(card: Resource) -> list[Button]:
    others = {"pays": "Let it pay", "declines": "Let it be declined", "asks": "Let it ask for 3-D Secure"}
    return [*(Button(f"card_{name}", label) for name, label in others.items()), Button("card_detach", "Detach")]


def _charge_buttons(charge: Resource) -> list[Button]:
    if charge["status"] != "succeeded":
        return []
    refunds = [
        Button("refund", "Refund", is_quiet=False),
        Button("refund_pending", "Refund, pending"),
        Button("refund_failed", "Refund that fails"),
    ]
    disputes = [
        Button("inquire", "Bank inquires"),
        Button("dispute", "Bank disputes"),
        Button("dispute_unpaid", "Dispute, money stays"),
        Button("warn", "Warn of fraud"),
    ]
    return [*([] if charge["refunded"] else refunds), *disputes]


def _refund_buttons(refund: Resource) -> list[Button]:
    is_open = refund["status"] in ("pending", "requires_action")
    opened = [Button("refund_arrives", "Money arrives", is_quiet=False), Button("refund_cancels", "Cancel")]
    fails = [Button("refund_fails", "Refund fails")]
    return [*(opened if is_open else []), *(fails if is_open or refund["status"] == "succeeded" else [])]


def _dispute_buttons(dispute: Resource) -> list[Button]:
    if is_inquiry(dispute):
        open_inquiry = [Button("escalate", "Escalate", is_quiet=False), Button("close_inquiry", "Close the inquiry")]
        return [] if is_closed(dispute) else open_inquiry
    is_withdrawn = withdrawn_amount(dispute) > 0
    money = Button("reinstate", "Give the money back") if is_withdrawn else Button("withdraw", "Take the money")
    return [*([] if is_closed(dispute) else [Button("win", "Won", is_quiet=False), Button("lose", "Lost")]), money]


def _amount(control: Control, fields: dict[str, str]) -> int | None:
    charge = control.get_object(fields["target"])
    typed = fields.get("amount", "").strip()
    return parse_amount(typed, charge["currency"]) if typed and charge else None


def _refund(control: Control, fields: dict[str, str]) -> None:
    control.refund_payment(fields["target"], amount=_amount(control, fields))


def _refund_pending(control: Control, fields: dict[str, str]) -> None:
    control.refund_payment(fields["target"], amount=_amount(control, fields), status="pending")


def _refund_failed(control: Control, fields: dict[str, str]) -> None:
    refund = control.refund_payment(fields["target"], amount=_amount(control, fields), status="pending")
    control.end_refund(refund["id"], "failed")


def _dispute(control: Control, fields: dict[str, str], *, inquiry: bool = False, withdraws: bool = True) -> None:
    control.open_dispute(fields["target"], amount=_amount(control, fields), inquiry=inquiry, withdraws=withdraws)


def _set_refunds(control: Control, fields: dict[str, str]) -> None:
    match fields.get("status"):
        case "pending" | "requires_action" as status:
            control.set_refunds(status=status)
        case _:
            control.set_refunds(status=None)


MONEY_ACTIONS: dict[str, Action] = {
    **SUBSCRIPTION_ACTIONS,
    **CREDIT_ACTIONS,
    "refund": _refund,
    "refund_pending": _refund_pending,
    "refund_failed": _refund_failed,
    "refund_arrives": lambda control, fields: control.end_refund(fields["target"]),
    "refund_fails": lambda control, fields: control.end_refund(fields["target"], "failed"),
    "refund_cancels": lambda control, fields: control.end_refund(fields["target"], "canceled"),
    "set_refunds": _set_refunds,
    "dispute": _dispute,
    "dispute_unpaid": lambda control, fields: _dispute(control, fields, withdraws=False),
    "inquire": lambda control, fields: _dispute(control, fields, inquiry=True),
    "escalate": lambda control, fields: control.escalate_inquiry(fields["target"]),
    "close_inquiry": lambda control, fields: control.close_dispute(fields["target"], "warning_closed"),
    "withdraw": lambda control, fields: control.withdraw_funds(fields["target"]),
    "reinstate": lambda control, fields: control.reinstate_funds(fields["target"]),
    "win": lambda control, fields: control.close_dispute(fields["target"], "won"),
    "lose": lambda control, fields: control.close_dispute(fields["target"], "lost"),
    "warn": lambda control, fields: control.warn_of_fraud(fields["target"]),
    "authenticate": lambda control, fields: control.authenticate_intent(fields["target"]),
    "fail_authentication": lambda control, fields: control.authenticate_intent(fields["target"], succeed=False),
    "card_pays": lambda control, fields: control.change_card(fields["target"], card="4242424242424242"),
    "card_declines": lambda control, fields: control.change_card(fields["target"], card="4000000000000341"),
    "card_asks": lambda control, fields: control.change_card(fields["target"], card="4000002760003184"),
    "card_detach": lambda control, fields: control.detach_card(fields["target"]),
    "delete_customer": lambda control, fields: control.delete_customer(fields["target"]),
}
