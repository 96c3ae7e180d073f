"""One attempt to take the money of a payment intent by card, and what comes of it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandbox.stripe.checkout.cards import TestCard, behaviour_of
from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.charges import new_charge, save_charge
from sandbox.stripe.objects.payment_intents import move_intent
from sandbox.stripe.objects.payment_methods import attach_payment_method
from sandbox.stripe.records import Resource, public

TakeOutcome: TypeAlias = Literal["paid", "declined", "asks_authentication"]

NO_AUTHENTICATION = (
    "We are unable to authenticate your payment method. Please choose a different payment method and try again."
)


@dataclass(frozen=True)
class Taking:
    """What came of an attempt; ``error`` is Stripe's error object when it was declined."""

    outcome: TakeOutcome
    error: Resource | None = None

    @property
    def message(self) -> str:
        """Why it was declined, for people."""
        return self.error["message"] if self.error else ""


def take_by_card(
    sandbox: Sandbox,
    intent: Resource,
    payment_method: Resource,
    *,
    off_session: bool = False,
    is_authenticated: bool = False,
) -> Taking:
    """Try to take an intent's money by card, and tell of it.

    A card that must be authenticated waits for that while the customer is there, and is declined ``off_session``.
    """
    card = behaviour_of(payment_method.get("_number", ""))
    if not is_authenticated and _must_authenticate(card, payment_method, off_session=off_session):
        if off_session:
            return _decline(sandbox, intent, payment_method, _authentication_error(payment_method))
        _ask_authentication(sandbox, intent, payment_method)
        return Taking("asks_authentication")
    if card.decline_code and not (card.pays_until_saved and payment_method["customer"] is None):
        return _decline(sandbox, intent, payment_method, _card_error(card, payment_method))
    _take(sandbox, intent, payment_method, is_authenticated=is_authenticated)
    return Taking("paid")


def end_authentication(sandbox: Sandbox, intent: Resource, *, succeed: bool) -> Taking:
    """End the 3-D Secure step that an intent waits for: its money is taken, or it needs another payment method.

    Raises:
        ApiError: it waits for none.
    """
    if intent["status"] != "requires_action":
        raise ApiError(f"Nothing waits for authentication: the PaymentIntent's status is {intent['status']}.")
    payment_method = sandbox.require("payment_method", intent["payment_method"])
    if succeed:
        return take_by_card(sandbox, intent, payment_method, is_authenticated=True)
    code = "payment_intent_authentication_failure"
    error = _error(code, NO_AUTHENTICATION, payment_method, kind="invalid_request_error")
    _fail(sandbox, intent, error)
    return Taking("declined", error)


def _must_authenticate(card: TestCard, payment_method: Resource, *, off_session: bool) -> bool:
    is_excused = off_session and payment_method.get("_is_set_up", False) and not card.always_asks
    return card.asks_authentication and not is_excused


def _ask_authentication(sandbox: Sandbox, intent: Resource, payment_method: Resource) -> None:
    move_intent(
        sandbox,
        intent,
        event_type="payment_intent.requires_action",
        status="requires_action",
        payment_method=payment_method["id"],
        next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}},
        last_payment_error=None,
    )


def _take(sandbox: Sandbox, intent: Resource, payment_method: Resource, *, is_authenticated: bool) -> None:
    if intent["setup_future_usage"] == "off_session":
        payment_method["_is_set_up"] = is_authenticated or payment_method.get("_is_set_up", False)
        sandbox.store.put(payment_method)
        if intent["customer"] and payment_method["customer"] is None:
            attach_payment_method(sandbox, payment_method, customer_id=intent["customer"])
    charge = new_charge(sandbox, intent=intent, payment_method=payment_method, status="succeeded")
    save_charge(sandbox, charge)
    move_intent(
        sandbox,
        intent,
        event_type="payment_intent.succeeded",
        status="succeeded",
        amount_received=intent["amount"],
        payment_method=payment_method["id"],
        latest_charge=charge["id"],
        next_action=None,
        last_payment_error=None,
    )


def _decline(sandbox: Sandbox, intent: Resource, payment_method: Resource, error: Resource) -> Taking:
    charge = new_charge(sandbox, intent=intent, payment_method=payment_method, status="failed")
    charge |= {"failure_code": error["code"], "failure_message": error["message"]}
    charge["outcome"]["reason"] = error["decline_code"]
    save_charge(sandbox, charge)
    error = {**error, "charge": charge["id"]}
    _fail(sandbox, intent, error, latest_charge=charge["id"])
    return Taking("declined", error)


def _fail(sandbox: Sandbox, intent: Resource, error: Resource, **changes: object) -> None:
    changes |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    move_intent(sandbox, intent, event_type="payment_intent.payment_failed", last_payment_error=error, **changes)


def _card_error(card: TestCard, payment_method: Resource) -> Resource:
    error = _error(card.code, card.message, payment_method, kind="card_error")
    return {**error, "decline_code": card.decline_code}


def _authentication_error(payment_method: Resource) -> Resource:
    message = "Your card was declined. This transaction requires authentication."
    error = _error("authentication_required", message, payment_method, kind="card_error")
    return {**error, "decline_code": "authentication_required"}


def _error(code: str, message: str, payment_method: Resource, *, kind: str) -> Resource:
    return {
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "payment_method": public(payment_method),
        "type": kind,
    }
