"""Disputes: opened by a bank, escalated, decided; and the money that goes, comes back and may go again."""

from typing import Literal, TypeAlias

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.giving_back.charged import require_succeeded, settle_warnings
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.balance_transactions import new_movement
from sandbox.stripe.records import Resource, new_id

Outcome: TypeAlias = Literal["won", "lost", "warning_closed"]

DISPUTE_FEE = 1500
_DUE_AFTER_SECONDS = 9 * 24 * 3600
_CLOSED = frozenset({"won", "lost", "warning_closed"})
_EVIDENCE = """
    access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal
    customer_communication customer_email_address customer_name customer_purchase_ip customer_signature
    duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt
    refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation
    shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number
    uncategorized_file uncategorized_text
""".split()


def open_dispute(
    sandbox: Sandbox,
    charge: Resource,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
    is_inquiry: bool = False,
    withdraws: bool = True,
) -> Resource:
    """A dispute of a charge, saved and told of. An inquiry takes no money; another takes it at once if it may."""
    require_succeeded(charge)
    disputed = charge["amount"] if amount is None else amount
    if disputed <= 0:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    dispute = _build_dispute(sandbox, charge, amount=disputed, reason=reason, is_inquiry=is_inquiry)
    takes_money = withdraws and not is_inquiry
    if takes_money:
        _move_funds(sandbox, dispute, amount=-disputed)
    sandbox.store.put(dispute)
    sandbox.store.put({**charge, "disputed": True})
    emit_event(sandbox, "charge.dispute.created", dispute)
    if takes_money:
        emit_event(sandbox, "charge.dispute.funds_withdrawn", dispute)
    settle_warnings(sandbox, charge)
    return dispute


def escalate_inquiry(sandbox: Sandbox, dispute: Resource, *, withdraws: bool = True) -> None:
    """Turn an open inquiry into a dispute, which takes the money at once if it may.

    Raises:
        ApiError: it is no open inquiry.
    """
    if not is_inquiry(dispute) or is_closed(dispute):
        raise ApiError(f"Dispute {dispute['id']} has a status of `{dispute['status']}`: it is no open inquiry.")
    before = dict(dispute)
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    details = dispute["payment_method_details"]
    if "card" in details:
        dispute["payment_method_details"] = {**details, "card": {**details["card"], "case_type": "chargeback"}}
    if withdraws:
        _move_funds(sandbox, dispute, amount=-dispute["amount"])
    sandbox.store.put(dispute)
    emit_event(sandbox, "charge.dispute.updated", dispute, before=before)
    if withdraws:
        emit_event(sandbox, "charge.dispute.funds_withdrawn", dispute)


def withdraw_funds(sandbox: Sandbox, dispute: Resource) -> None:
    """Take the disputed amount, for the first time or after it was reinstated.

    Raises:
        ApiError: it is an inquiry, or the money is gone already.
    """
    if is_inquiry(dispute):
        raise ApiError("An inquiry takes no money: escalate it first.")
    if withdrawn_amount(dispute) > 0:
        raise ApiError(f"The funds of dispute {dispute['id']} are withdrawn already.")
    before = dict(dispute)
    dispute["is_charge_refundable"] = False
    if is_closed(dispute):  # the bank took up a case again that had been decided
        dispute["status"] = "under_review"
    _move_funds(sandbox, dispute, amount=-dispute["amount"])
    sandbox.store.put(dispute)
    if dispute["status"] != before["status"]:
        emit_event(sandbox, "charge.dispute.updated", dispute, before=before)
    emit_event(sandbox, "charge.dispute.funds_withdrawn", dispute)


def reinstate_funds(sandbox: Sandbox, dispute: Resource, *, amount: int | None = None) -> None:
    """Give back what was withdrawn, or a part of it.

    Raises:
        ApiError: not so much is withdrawn.
    """
    withdrawn = withdrawn_amount(dispute)
    returned = withdrawn if amount is None else amount
    if not 0 < returned <= withdrawn:
        raise ApiError(f"Of dispute {dispute['id']} {withdrawn} {dispute['currency']} are withdrawn.")
    _move_funds(sandbox, dispute, amount=returned)
    sandbox.store.put(dispute)
    emit_event(sandbox, "charge.dispute.funds_reinstated", dispute)


def close_dispute(sandbox: Sandbox, dispute: Resource, *, outcome: Outcome, reinstates: bool = True) -> None:
    """Decide a dispute. Winning one gives back what it still withholds if it may.

    Raises:
        ApiError: it is closed, or it cannot end so.
    """
    if is_closed(dispute):
        raise ApiError(f"This dispute is already closed with a status of `{dispute['status']}`.")
    if outcome not in _CLOSED or is_inquiry(dispute) != (outcome == "warning_closed"):
        raise ApiError(f"A dispute with a status of `{dispute['status']}` does not end as `{outcome}`.")
    before = dict(dispute)
    dispute |= {"status": outcome, "is_charge_refundable": outcome != "lost"}
    sandbox.store.put(dispute)
    emit_event(sandbox, "charge.dispute.closed", dispute, before=before)
    if outcome == "won" and reinstates and withdrawn_amount(dispute) > 0:
        reinstate_funds(sandbox, dispute)


def is_inquiry(dispute: Resource) -> bool:
    """Whether the bank only asks, which takes no money."""
    return str(dispute["status"]).startswith("warning_")


def is_closed(dispute: Resource) -> bool:
    """Whether it is decided."""
    return dispute["status"] in _CLOSED


def withdrawn_amount(dispute: Resource) -> int:
    """How much of the money is with the bank now."""
    return -sum(int(movement["amount"]) for movement in dispute["balance_transactions"])


def _move_funds(sandbox: Sandbox, dispute: Resource, *, amount: int) -> None:
    is_withdrawal = amount < 0
    movement = new_movement(
        sandbox,
        kind="adjustment",
        category="dispute" if is_withdrawal else "dispute_reversal",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        description=f"Chargeback {'withdrawal' if is_withdrawal else 'reversal'} for {dispute['charge']}",
        fee=DISPUTE_FEE if is_withdrawal and not dispute["balance_transactions"] else 0,
        fee_description="Dispute fee",
    )
    dispute["balance_transactions"] = [*dispute["balance_transactions"], movement]


def _build_dispute(sandbox: Sandbox, charge: Resource, *, amount: int, reason: str, is_inquiry: bool) -> Resource:
    kind = charge["payment_method_details"]["type"]
    method: Resource = {"type": kind}
    if kind == "card":
        case_type = "inquiry" if is_inquiry else "chargeback"
        brand = charge["payment_method_details"]["card"]["brand"]
        method["card"] = {"brand": brand, "case_type": case_type, "network_reason_code": "10"}
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": sandbox.now() + _DUE_AFTER_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": method,
        "reason": reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }
