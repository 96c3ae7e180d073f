"""Payment intents. Those of a checkout are made by its session; ``sandbox.stripe.charging`` takes their money."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata, new_id, random_word


def new_payment_intent(sandbox: Sandbox, *, session: Resource, amount: int) -> Resource:
    """The payment intent of a session, made when the customer first tries to pay."""
    return new_intent(
        sandbox,
        amount=amount,
        currency=session["currency"],
        customer_id=session["customer"],
        types=session["payment_method_types"],
        params=session["_payment_intent_params"],
    )


def new_intent(
    sandbox: Sandbox,
    *,
    amount: int,
    currency: str,
    customer_id: str | None,
    params: dict[str, Any],
    types: list[str] | None = None,
) -> Resource:
    """A new payment intent, saved and told of; ``params`` are those of a request or of a session's intent."""
    intent_id = new_id("pi")
    intent: Resource = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": params.get("automatic_payment_methods"),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{random_word(25)}",
        "confirmation_method": "automatic",
        "created": sandbox.now(),
        "currency": currency,
        "customer": customer_id,
        "description": params.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": types or ["card"],
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    sandbox.store.put(intent)
    emit_event(sandbox, "payment_intent.created", intent)
    return intent


def move_intent(sandbox: Sandbox, intent: Resource, *, event_type: str, **changes: object) -> None:
    """Change a payment intent, save it and tell of it."""
    intent |= changes
    sandbox.store.put(intent)
    emit_event(sandbox, event_type, intent)


def retrieve_payment_intent(call: Call) -> Resource:
    """A payment intent."""
    return call.find("payment_intent")


def update_payment_intent(call: Call) -> Resource:
    """The payment intent with changed metadata or description."""
    intent = call.find("payment_intent")
    if "description" in call.params:
        intent["description"] = call.params["description"] or None
    intent["metadata"] = merge_metadata(intent["metadata"], call.params.get("metadata"))
    call.sandbox.store.put(intent)
    return intent


def list_payment_intents(call: Call) -> Resource:
    """A page of payment intents."""
    filters = {"created": "created", "customer": "customer"}
    return list_page(call.sandbox, kind="payment_intent", url=call.path, params=call.params, filters=filters)
