"""Refunds over the API; what they do to the money is in ``sandbox.stripe.giving_back``."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.giving_back.refunding import end_refund, save_refund, start_refund, tell_of_change
from sandbox.stripe.giving_back.starting import read_refund_start
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata

_UNKNOWN_PARAMS = frozenset({"currency", "customer", "instructions_email", "origin"})


def create_refund(call: Call) -> Resource:
    """A new refund."""
    params = call.params
    if unknown := params.keys() & _UNKNOWN_PARAMS:
        raise ApiError("The sandbox refunds charges and payment intents only.", param=min(unknown))
    charge = _charge_to_refund(call.sandbox, params)
    return start_refund(
        call.sandbox,
        charge,
        amount=params.get("amount"),
        reason=params.get("reason"),
        metadata=merge_metadata({}, params.get("metadata")),
        status=read_refund_start(call.sandbox),
    )


def _charge_to_refund(sandbox: Sandbox, params: dict[str, Any]) -> Resource:
    if "charge" in params:
        charge = sandbox.require("charge", params["charge"], param="charge")
        if params.get("payment_intent", charge["payment_intent"]) != charge["payment_intent"]:
            raise ApiError("The charge is not one of this payment intent.", param="payment_intent")
        return charge
    if "payment_intent" not in params:
        raise ApiError("One of the following params should be provided for this request: payment_intent or charge.")
    intent = sandbox.require("payment_intent", params["payment_intent"], param="payment_intent")
    charge = sandbox.store.get(intent["latest_charge"] or "", kind="charge") or {}
    if charge.get("status") != "succeeded":
        message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        raise ApiError(message, param="payment_intent")
    return charge


def retrieve_refund(call: Call) -> Resource:
    """A refund."""
    return call.find("refund")


def update_refund(call: Call) -> Resource:
    """The refund with changed metadata."""
    refund = call.find("refund")
    before = dict(refund)
    refund["metadata"] = merge_metadata(refund["metadata"], call.params.get("metadata"))
    save_refund(call.sandbox, refund)
    if refund != before:
        tell_of_change(call.sandbox, refund, before=before)
    return refund


def cancel_refund(call: Call) -> Resource:
    """The refund, canceled while it waited for the customer."""
    refund = call.find("refund")
    if refund["status"] != "requires_action":
        message = f"This refund has a status of `{refund['status']}`; only one in `requires_action` can be canceled."
        raise ApiError(message, param="id")
    end_refund(call.sandbox, refund, status="canceled")
    return refund


def list_refunds(call: Call) -> Resource:
    """A page of refunds."""
    filters = {name: name for name in ("charge", "created", "payment_intent")}
    return list_page(call.sandbox, kind="refund", url=call.path, params=call.params, filters=filters)
