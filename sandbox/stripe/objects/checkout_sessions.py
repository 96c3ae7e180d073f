"""Checkout sessions: made, read, listed and expired here; paid in ``sandbox.stripe.checkout``."""

import time
from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.checkout.locating import add_up
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import list_page, slice_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.line_items import build_line_items
from sandbox.stripe.objects.payment_methods import delayed_type_of
from sandbox.stripe.objects.session_plans import plan_fields, read_plan
from sandbox.stripe.objects.session_rules import LONGEST_SECONDS, check_amount, check_session_params
from sandbox.stripe.records import Resource, merge_metadata, random_word


def create_session(call: Call) -> Resource:
    """A new open session."""
    params, sandbox = call.params, call.sandbox
    check_session_params(sandbox, params)
    is_recurring = params["mode"] == "subscription"
    items = build_line_items(sandbox, params["line_items"], is_recurring=is_recurring)
    plan = read_plan(sandbox, params) if is_recurring else None
    if plan and plan["trial_end"]:
        items = [{**item, "amount_subtotal": 0, "amount_total": 0} for item in items]
    total, currency = sum(item["amount_total"] for item in items), items[0]["currency"]
    check_amount(amount=total, currency=currency)
    session = _build_session(sandbox, params, total=total, currency=currency)
    session["_line_items"] = items
    session["_payment_intent_params"] = params.get("payment_intent_data", {})
    session["_customer_update"] = params.get("customer_update", {})
    if plan:
        session |= plan_fields(plan, params)
    add_up(sandbox, session)
    if session["ui_mode"] == "hosted_page":
        session["url"] = f"{sandbox.base_url}/c/pay/{session['id']}"
    else:
        session["client_secret"] = f"{session['id']}_secret_{random_word(40)}"
        session["_client_secret"] = session["client_secret"]  # the page outlives the field, which goes with the end
    session["_expires_at"] = session["expires_at"] + sandbox.now() - int(time.time())  # given by the caller's clock
    save_session(sandbox, session)
    return session


def _build_session(sandbox: Sandbox, params: dict[str, Any], *, total: int, currency: str) -> Resource:
    ui_mode = params.get("ui_mode", "hosted_page")
    is_embedded = ui_mode == "embedded_page"
    invoice_creation = params.get("invoice_creation", {"enabled": False})
    return {
        "id": f"cs_test_{random_word(58)}",
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": _automatic_tax(params),
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": sandbox.now(),
        "currency": currency,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": params.get("customer"),
        "customer_creation": None if "customer" in params else params.get("customer_creation", "if_required"),
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": params.get("expires_at", int(time.time()) + LONGEST_SECONDS),
        "invoice": None,
        "invoice_creation": {
            "enabled": invoice_creation["enabled"],
            "invoice_data": _invoice_settings(invoice_creation),
        },
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merge_metadata({}, params.get("metadata")),
        "mode": params["mode"],
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card", delayed_type_of(currency)],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        **({"redirect_on_completion": params.get("redirect_on_completion", "always")} if is_embedded else {}),
        **({"return_url": params["return_url"]} if "return_url" in params else {}),
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params.get("success_url"),
        "tax_id_collection": {"enabled": False, "required": "never", **params.get("tax_id_collection", {})},
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": ui_mode,
        "url": None,
        "wallet_options": None,
    }


def _automatic_tax(params: dict[str, Any]) -> Resource:
    is_enabled = params.get("automatic_tax", {}).get("enabled", False)
    return {
        "enabled": is_enabled,
        "liability": {"type": "self"} if is_enabled else None,
        "provider": "stripe" if is_enabled else None,
        "status": "requires_location_inputs" if is_enabled else None,
    }


def _invoice_settings(invoice_creation: dict[str, Any]) -> Resource:
    given = invoice_creation.get("invoice_data", {})
    return {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": given.get("description"),
        "footer": given.get("footer"),
        "issuer": None,
        "metadata": merge_metadata({}, given.get("metadata")),
        "rendering_options": None,
    }


def retrieve_session(call: Call) -> Resource:
    """A session."""
    return call.find("checkout.session")


def update_session(call: Call) -> Resource:
    """The session with changed metadata."""
    unknown = call.params.keys() - {"metadata"}
    if unknown:
        raise ApiError("The sandbox changes only the metadata of a session.", param=min(unknown))
    session = call.find("checkout.session")
    session["metadata"] = merge_metadata(session["metadata"], call.params.get("metadata"))
    save_session(call.sandbox, session)
    return session


def list_sessions(call: Call) -> Resource:
    """A page of sessions."""
    params = dict(call.params)
    if "customer_details" in params:
        params["email"] = params["customer_details"].get("email")
    names = ("created", "customer", "payment_intent", "payment_link", "status", "subscription")
    filters = {**{name: name for name in names}, "email": "customer_details.email"}
    return list_page(call.sandbox, kind="checkout.session", url=call.path, params=params, filters=filters)


def list_session_line_items(call: Call) -> Resource:
    """A page of the lines of a session."""
    session = call.find("checkout.session")
    return slice_page(session["_line_items"], url=call.path, params=call.params)


def expire_session_call(call: Call) -> Resource:
    """The session, expired."""
    return expire_session(call.sandbox, call.id)


def expire_session(sandbox: Sandbox, session_id: str) -> Resource:
    """End an open session without a payment, and tell of it.

    Raises:
        ApiError: the session is not open any more.
    """
    session = sandbox.require("checkout.session", session_id)
    if session["status"] != "open":
        message = f"Only open Checkout Sessions can be expired. This one has a status of `{session['status']}`."
        raise ApiError(message)
    session |= {"status": "expired", "url": None, "client_secret": None}
    save_session(sandbox, session)
    emit_event(sandbox, "checkout.session.expired", session)
    return session


def intent_id_of(session: Resource) -> str | None:
    """The payment intent of a session; one that starts a subscription does not show it."""
    return session["payment_intent"] or session.get("_payment_intent")


def save_session(sandbox: Sandbox, session: Resource) -> None:
    """Save a changed session; the worker looks at it again when it expires, or when its delayed payment is due."""
    expires_at = session.get("_expires_at", session["expires_at"])
    due_at = expires_at if session["status"] == "open" else session.get("_settle_at")
    sandbox.store.put(session, due_at=due_at)
