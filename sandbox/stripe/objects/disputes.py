"""Disputes over the API; what they do to the money is in ``sandbox.stripe.giving_back``."""

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.giving_back.disputing import close_dispute, is_closed
from sandbox.stripe.lists import list_page
from sandbox.stripe.records import Resource, merge_metadata


def retrieve_dispute(call: Call) -> Resource:
    """A dispute."""
    return call.find("dispute")


def update_dispute(call: Call) -> Resource:
    """The dispute with evidence or changed metadata; evidence that is submitted puts it under review."""
    dispute = call.find("dispute")
    before = dict(dispute)
    dispute["metadata"] = merge_metadata(dispute["metadata"], call.params.get("metadata"))
    if evidence := call.params.get("evidence"):
        if is_closed(dispute):
            raise ApiError("This dispute is closed: it takes no evidence any more.", param="evidence")
        dispute["evidence"] = {**dispute["evidence"], **evidence}
        details = dispute["evidence_details"]
        dispute["evidence_details"] = {**details, "has_evidence": True}
    if call.params.get("submit") and not is_closed(dispute):
        prefix = "warning_" if dispute["status"].startswith("warning_") else ""
        dispute["status"] = f"{prefix}under_review"
        details = dispute["evidence_details"]
        dispute["evidence_details"] = {
            **details,
            "submission_count": details["submission_count"] + 1,
            "submission_method": "manual",
        }
    call.sandbox.store.put(dispute)
    if dispute != before:
        emit_event(call.sandbox, "charge.dispute.updated", dispute, before=before)
    return dispute


def close_dispute_call(call: Call) -> Resource:
    """The dispute, given up and lost."""
    dispute = call.find("dispute")
    if dispute["status"].startswith("warning_"):
        raise ApiError("This is an inquiry: it cannot be closed as lost.")
    close_dispute(call.sandbox, dispute, outcome="lost")
    return dispute


def list_disputes(call: Call) -> Resource:
    """A page of disputes."""
    filters = {name: name for name in ("charge", "created", "payment_intent")}
    return list_page(call.sandbox, kind="dispute", url=call.path, params=call.params, filters=filters)
