"""Payment intents that a request makes, mostly without the customer being there."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.charging.attempts import Taking, end_authentication, take_by_card
from sandbox.stripe.errors import ApiError, PaymentFailed
from sandbox.stripe.giving_back.following import follow_charge
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.payment_intents import move_intent, new_intent
from sandbox.stripe.objects.payment_methods import find_payment_method
from sandbox.stripe.objects.session_rules import LEAST_AMOUNT
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.collecting import authenticate_invoice
from sandbox.stripe.subscriptions.dunning import follow_payment

_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = (*_CONFIRMABLE, "processing", "requires_capture")


def create_payment_intent(call: Call) -> Resource:
    """A new payment intent; with ``confirm`` its money is taken at once."""
    params, sandbox = call.params, call.sandbox
    _check_params(params)
    if "customer" in params:
        require_customer(sandbox, params["customer"], param="customer")
    given = {"automatic_payment_methods": {"allow_redirects": "always", "enabled": True}, **params}
    given["automatic_payment_methods"].setdefault("allow_redirects", "always")
    intent = new_intent(
        sandbox,
        amount=params["amount"],
        currency=params["currency"].lower(),
        customer_id=params.get("customer"),
        params=given,
    )
    if "payment_method" in params:
        _set_payment_method(sandbox, intent, params["payment_method"])
    return _confirm(call, intent) if params.get("confirm") else intent


def confirm_payment_intent(call: Call) -> Resource:
    """The payment intent after an attempt to take its money."""
    intent = call.find("payment_intent")
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected_state(intent, "confirm")
    if "payment_method" in call.params:
        _set_payment_method(call.sandbox, intent, call.params["payment_method"])
    if "setup_future_usage" in call.params:
        intent["setup_future_usage"] = call.params["setup_future_usage"]
    return _confirm(call, intent)


def cancel_payment_intent(call: Call) -> Resource:
    """The payment intent, canceled; nothing can be taken by it any more."""
    intent = call.find("payment_intent")
    if intent["status"] not in _CANCELABLE:
        raise _unexpected_state(intent, "cancel")
    changes = {"status": "canceled", "canceled_at": call.sandbox.now(), "next_action": None}
    changes["cancellation_reason"] = call.params.get("cancellation_reason")
    move_intent(call.sandbox, intent, event_type="payment_intent.canceled", **changes)
    return intent


def waits_for_customer(intent: Resource) -> bool:
    """Whether a payment was left for the customer to authenticate."""
    error = intent["last_payment_error"] or {}
    is_refused = intent["status"] == "requires_payment_method" and error.get("code") == "authentication_required"
    return is_refused or intent["status"] == "requires_action"


def authenticate_intent(sandbox: Sandbox, intent_id: str, *, succeed: bool) -> Taking:
    """Do what a customer does who comes back for a payment that must be authenticated.

    Raises:
        ApiError: the intent needs no authentication.
    """
    intent = sandbox.require("payment_intent", intent_id)
    if waits_for_customer(intent) and intent["payment_method"] is None:
        tried = intent["last_payment_error"]["payment_method"]["id"]
        payment_method = sandbox.require("payment_method", tried)
        take_by_card(sandbox, intent, payment_method)
    paid_by_it = sandbox.store.find("invoice_payment", [Condition("payment.payment_intent", "=", intent_id)], limit=1)
    if paid_by_it:
        invoice = sandbox.require("invoice", paid_by_it[0]["invoice"])
        taking = authenticate_invoice(sandbox, invoice, succeed=succeed)
        follow_payment(sandbox, invoice, is_paid=taking.outcome == "paid")
        return taking
    taking = end_authentication(sandbox, intent, succeed=succeed)
    if taking.outcome == "paid":
        follow_charge(sandbox, intent)
    return taking


def _confirm(call: Call, intent: Resource) -> Resource:
    sandbox, params = call.sandbox, call.params
    if intent["payment_method"] is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise ApiError(message, code="payment_intent_unexpected_state")
    off_session = params.get("off_session") not in (None, False)
    if not off_session and _needs_return_url(intent, params):
        message = (
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
            "these payment methods might redirect your customer off of your page, you must provide a `return_url`."
        )
        raise ApiError(message, param="return_url")
    payment_method = sandbox.require("payment_method", intent["payment_method"])
    if payment_method["type"] != "card":
        raise ApiError("The sandbox takes the money of such an intent from cards only.", param="payment_method")
    taking = take_by_card(sandbox, intent, payment_method, off_session=off_session)
    if taking.error:
        raise PaymentFailed(taking.error, intent=intent)
    if taking.outcome == "paid":
        follow_charge(sandbox, intent)
    return intent


def _check_params(params: dict[str, Any]) -> None:
    if params["amount"] < LEAST_AMOUNT:
        message = f"Amount must be at least {LEAST_AMOUNT} {params['currency']}"
        raise ApiError(message, code="amount_too_small", param="amount")
    if params.get("capture_method") == "manual":
        raise ApiError("The sandbox does not capture later.", param="capture_method")
    if "off_session" in params and not params.get("confirm"):
        message = "The parameter `off_session` cannot be passed when creating a PaymentIntent without `confirm`."
        raise ApiError(message, param="off_session")


def _set_payment_method(sandbox: Sandbox, intent: Resource, payment_method_id: str) -> None:
    payment_method = find_payment_method(sandbox, payment_method_id, param="payment_method")
    owner = payment_method["customer"]
    if payment_method.get("_is_detached"):
        message = (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or was "
            "detached from a Customer, and may not be used again."
        )
        raise ApiError(message, param="payment_method")
    if owner is not None and owner != intent["customer"]:
        message = f"The PaymentMethod {payment_method_id} does not belong to the Customer of this PaymentIntent."
        raise ApiError(message, param="payment_method")
    intent |= {"payment_method": payment_method["id"], "status": "requires_confirmation"}
    sandbox.store.put(intent)


def _needs_return_url(intent: Resource, params: dict[str, Any]) -> bool:
    automatic = intent["automatic_payment_methods"] or {}
    return automatic.get("allow_redirects") == "always" and "return_url" not in params


def _unexpected_state(intent: Resource, verb: str) -> ApiError:
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    return ApiError(message, code="payment_intent_unexpected_state")
