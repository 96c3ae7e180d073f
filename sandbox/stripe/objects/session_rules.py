"""What Stripe refuses when a checkout session is created."""

import time
from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer

SHORTEST_SECONDS, LONGEST_SECONDS = 30 * 60, 24 * 3600
LEAST_AMOUNT = 50
_REFUSED_IN: dict[str, tuple[str, ...]] = {
    "payment": ("subscription_data", "payment_method_collection"),
    "subscription": ("payment_intent_data", "invoice_creation", "customer_creation", "submit_type"),
}
_SLACK_SECONDS = 60  # Stripe's clock and the caller's differ


def check_session_params(sandbox: Sandbox, params: dict[str, Any]) -> None:
    """Refuse combinations of parameters that Stripe refuses.

    Raises:
        ApiError: with the parameter at fault.
    """
    mode = params.get("mode")
    if mode not in _REFUSED_IN:
        message = f"The sandbox knows no sessions in `{mode}` mode." if mode else "Missing mode."
        raise ApiError(message, param="mode")
    for name in _REFUSED_IN[mode]:
        if name in params:
            raise ApiError(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if not params.get("line_items"):
        raise ApiError(f"The `line_items` parameter is required in {mode} mode.", param="line_items")
    _check_addresses(params)
    if "customer" in params:
        require_customer(sandbox, params["customer"], param="customer")
        if "customer_email" in params:
            message = "You may only specify one of these parameters: customer, customer_email."
            raise ApiError(message, param="customer")
    _check_tax(sandbox, params)
    if "discounts" in params:
        raise ApiError("The sandbox takes codes on its page only: use `allow_promotion_codes`.", param="discounts")
    if len(params.get("client_reference_id", "")) > 200:
        raise ApiError("Invalid string: at most 200 characters.", param="client_reference_id")
    _check_expiry(params)


def check_amount(*, amount: int, currency: str) -> None:
    """Refuse an amount that is too small to be charged."""
    if 0 < amount < LEAST_AMOUNT:
        message = f"The Checkout Session's total amount due must add up to at least {LEAST_AMOUNT} {currency}."
        raise ApiError(message, code="amount_too_small", param="line_items")


def _check_addresses(params: dict[str, Any]) -> None:
    ui_mode = params.get("ui_mode", "hosted_page")
    refused: list[str]
    if ui_mode == "hosted_page":
        if "success_url" not in params:
            raise ApiError("Missing required param: success_url.", code="parameter_missing", param="success_url")
        refused = [name for name in ("return_url", "redirect_on_completion") if name in params]
    elif ui_mode == "embedded_page":
        is_never = params.get("redirect_on_completion") == "never"
        if "return_url" not in params and not is_never:
            raise ApiError("Missing required param: return_url.", code="parameter_missing", param="return_url")
        refused = [name for name in ("success_url", "cancel_url") if name in params]
        refused += ["return_url"] if is_never and "return_url" in params else []
    else:
        raise ApiError(f"The sandbox does not know the ui_mode {ui_mode}.", param="ui_mode")
    for name in refused:
        raise ApiError(f"The `{name}` parameter is not supported with these settings of `{ui_mode}`.", param=name)


def _check_tax(sandbox: Sandbox, params: dict[str, Any]) -> None:
    update = params.get("customer_update", {})
    if update and "customer" not in params:
        raise ApiError("`customer_update` can only be used with `customer`.", param="customer_update")
    if "customer" not in params:
        return
    address = require_customer(sandbox, params["customer"], param="customer")["address"] or {}
    is_taxed = params.get("automatic_tax", {}).get("enabled", False)
    if is_taxed and not address.get("country") and update.get("address") != "auto":
        message = (
            "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to "
            "the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' "
            "to save the address entered in Checkout to the Customer."
        )
        raise ApiError(message, code="customer_tax_location_invalid", param="automatic_tax")
    if params.get("tax_id_collection", {}).get("enabled") and update.get("name") != "auto":
        message = (
            "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an "
            "existing customer, please set `customer_update[name]` to `auto`."
        )
        raise ApiError(message, param="tax_id_collection")


def _check_expiry(params: dict[str, Any]) -> None:
    if "expires_at" not in params:
        return
    lifetime = params["expires_at"] - int(time.time())
    if lifetime < SHORTEST_SECONDS - _SLACK_SECONDS:
        message = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        raise ApiError(message, param="expires_at")
    if lifetime > LONGEST_SECONDS + _SLACK_SECONDS:
        message = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        raise ApiError(message, param="expires_at")
