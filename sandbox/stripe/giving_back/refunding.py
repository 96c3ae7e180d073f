"""Refunds: how they start, and how they end at once, later or badly."""

from typing import Literal, TypeAlias

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.giving_back.charged import change_refunded, require_succeeded
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.balance_transactions import new_movement
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.store import Condition

RefundStart: TypeAlias = Literal["succeeded", "pending", "requires_action"]
RefundEnd: TypeAlias = Literal["succeeded", "failed", "canceled"]

_ENDS: dict[str, tuple[str, ...]] = {
    "pending": ("succeeded", "failed", "canceled"),
    "requires_action": ("succeeded", "failed", "canceled"),
    "succeeded": ("failed",),  # a bank may send the money back days later
}
_CARD_COURSES: dict[str, tuple[RefundStart, RefundEnd | None]] = {
    "7726": ("pending", "succeeded"),
    "5126": ("succeeded", "failed"),
}
_TRANSFERS = {
    "us_bank_account": "us_bank_transfer",
    "sepa_debit": "eu_bank_transfer",
    "bacs_debit": "gb_bank_transfer",
}


def start_refund(
    sandbox: Sandbox,
    charge: Resource,
    *,
    amount: int | None = None,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
    status: RefundStart | None = None,
) -> Resource:
    """A refund of what is left of a charge, or of a part of it, saved and told of.

    Without a ``status`` it goes as the payment method lets it go: a card is refunded at once, a bank debit later.

    Raises:
        ApiError: the charge took no money, was charged back, or has less left.
    """
    amount = _refundable_amount(sandbox, charge, amount)
    is_card = charge["payment_method_details"]["type"] == "card"
    refund = _build_refund(sandbox, charge, amount=amount, reason=reason)
    own_status, own_end = _own_course(charge)
    refund |= {"metadata": metadata or {}, "status": status or own_status}
    if status is None and own_end and sandbox.settle_after_seconds is not None:
        refund |= {"_ends_as": own_end, "_ends_at": sandbox.time() + sandbox.settle_after_seconds}
    if refund["status"] == "requires_action":
        refund["instructions_email"] = charge["billing_details"]["email"] or "payer@example.com"
        refund["next_action"] = {"type": "display_details", "display_details": {"expires_at": sandbox.now() + 86400}}
    else:
        refund["balance_transaction"] = _take_from_balance(sandbox, refund, is_card=is_card)
    if refund["status"] == "pending":
        refund["pending_reason"] = "processing"
    save_refund(sandbox, refund)
    before = dict(charge)
    if reason == "fraudulent":
        charge["fraud_details"] = {"user_report": "fraudulent"}
    change_refunded(sandbox, charge, by=amount)
    emit_event(sandbox, "charge.refunded", charge, before=before)
    emit_event(sandbox, "refund.created", refund)
    return refund


def end_refund(
    sandbox: Sandbox, refund: Resource, *, status: RefundEnd, failure_reason: str = "expired_or_canceled_card"
) -> None:
    """End a refund: the money arrived, came back, or was never sent. One that succeeded may still fail.

    Raises:
        ApiError: it has ended already.
    """
    if status not in _ENDS.get(refund["status"], ()):
        raise ApiError(f"Refund {refund['id']} has a status of `{refund['status']}` and cannot become `{status}`.")
    before = dict(refund)
    charge = sandbox.require("charge", refund["charge"])
    is_card = charge["payment_method_details"]["type"] == "card"
    refund["status"] = status
    refund.pop("pending_reason", None)
    refund.pop("next_action", None)
    refund.pop("_ends_at", None)
    if status == "succeeded" and refund["balance_transaction"] is None:
        refund["balance_transaction"] = _take_from_balance(sandbox, refund, is_card=is_card)
    if status != "succeeded" and refund["balance_transaction"] is not None:
        refund["failure_balance_transaction"] = _return_to_balance(sandbox, refund)
    if status == "failed":
        refund["failure_reason"] = failure_reason
    sandbox.store.put(refund)
    if status != "succeeded":
        change_refunded(sandbox, charge, by=-refund["amount"])
    tell_of_change(sandbox, refund, before=before)
    if status == "failed":
        emit_event(sandbox, "refund.failed", refund)


def save_refund(sandbox: Sandbox, refund: Resource) -> None:
    """Save a refund; the worker looks at it again when it ends by itself."""
    sandbox.store.put(refund, due_at=refund.get("_ends_at"))


def tell_of_change(sandbox: Sandbox, refund: Resource, *, before: Resource) -> None:
    """Tell of a changed refund under both names that Stripe has for it, the old one and the new one."""
    for event_type in ("refund.updated", "charge.refund.updated"):
        emit_event(sandbox, event_type, refund, before=before)


def _own_course(charge: Resource) -> tuple[RefundStart, RefundEnd | None]:
    """How a refund of this charge starts, and how it ends by itself, if it does (docs.stripe.com/testing)."""
    details = charge["payment_method_details"]
    if details["type"] != "card":
        return "pending", "succeeded"
    return _CARD_COURSES.get(details["card"]["last4"], ("succeeded", None))


def _refundable_amount(sandbox: Sandbox, charge: Resource, amount: int | None) -> int:
    require_succeeded(charge)
    for dispute in sandbox.store.find("dispute", [Condition("charge", "=", charge["id"])]):
        if not dispute["is_charge_refundable"]:
            message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            raise ApiError(message, code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    wanted = left if amount is None else amount
    if wanted <= 0:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if wanted > left:
        asked, rest = format_amount(wanted, charge["currency"]), format_amount(left, charge["currency"])
        raise ApiError(f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})", param="amount")
    return wanted


def _build_refund(sandbox: Sandbox, charge: Resource, *, amount: int, reason: str | None) -> Resource:
    return {
        "id": new_id("re" if charge["payment_method_details"]["type"] == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": _destination(charge["payment_method_details"]["type"]),
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _destination(kind: str) -> Resource | None:
    if kind == "card":
        details = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
        return {"card": details, "type": "card"}
    transfer = _TRANSFERS.get(kind)
    return {transfer: {"reference": None, "reference_status": None}, "type": transfer} if transfer else None


def _take_from_balance(sandbox: Sandbox, refund: Resource, *, is_card: bool) -> str:
    movement = new_movement(
        sandbox,
        kind="refund" if is_card else "payment_refund",
        category="refund",
        amount=-refund["amount"],
        currency=refund["currency"],
        source=refund["id"],
        description="REFUND FOR CHARGE" if is_card else "REFUND FOR PAYMENT",
    )
    return str(movement["id"])


def _return_to_balance(sandbox: Sandbox, refund: Resource) -> str:
    movement = new_movement(
        sandbox,
        kind="refund_failure",
        category="refund_failure",
        amount=refund["amount"],
        currency=refund["currency"],
        source=refund["id"],
        description="REFUND FAILURE",
    )
    return str(movement["id"])
