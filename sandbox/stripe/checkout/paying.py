"""The attempts to pay a session, and what comes of them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandbox.stripe.charging.attempts import NO_AUTHENTICATION, Taking, end_authentication, take_by_card
from sandbox.stripe.checkout.cards import FAILING_ACCOUNT, Card
from sandbox.stripe.checkout.completing import complete_session, report_delayed_outcome
from sandbox.stripe.checkout.locating import Location, add_up, apply_location
from sandbox.stripe.checkout.subscribing import asks_for_card, due_today, is_plan, refuse_setup
from sandbox.stripe.errors import ApiError
from sandbox.stripe.giving_back.following import follow_charge
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.charges import new_charge, save_charge, settle_charge
from sandbox.stripe.objects.checkout_sessions import intent_id_of, save_session
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.line_items import apply_discount
from sandbox.stripe.objects.payment_intents import move_intent, new_payment_intent
from sandbox.stripe.objects.payment_methods import (
    attach_payment_method,
    billing_details,
    delayed_type_of,
    new_card,
    new_payment_method,
)
from sandbox.stripe.objects.promotion_codes import find_promotion_code
from sandbox.stripe.records import Resource, random_word

Outcome: TypeAlias = Literal["paid", "declined", "asks_authentication", "waiting", "free"]


@dataclass(frozen=True)
class Payer:
    """Who pays, as typed on the page."""

    email: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Attempt:
    """What came of an attempt to pay; ``message`` says why it was declined."""

    outcome: Outcome
    message: str = ""


def require_open_session(sandbox: Sandbox, session_id: str) -> Resource:
    """A session that can still be paid.

    Raises:
        ApiError: it is complete or expired, or starts a subscription of a customer who was deleted.
    """
    session = sandbox.require("checkout.session", session_id)
    if session["status"] != "open":
        raise ApiError(f"This Checkout Session has a status of `{session['status']}` and cannot be paid.")
    if is_plan(session) and session["customer"]:
        require_customer(sandbox, session["customer"])
    return session


def apply_code(sandbox: Sandbox, session_id: str, code: str) -> bool:
    """Take a promotion code's discount off a session. False when there is no such code."""
    session = require_open_session(sandbox, session_id)
    found = find_promotion_code(sandbox, code)
    if found is None or not session["allow_promotion_codes"]:
        return False
    promotion_code, percent_off = found
    session["_line_items"] = apply_discount(session["_line_items"], percent_off=percent_off)
    session["discounts"] = [{"coupon": promotion_code["promotion"]["coupon"], "promotion_code": promotion_code["id"]}]
    add_up(sandbox, session)
    save_session(sandbox, session)
    return True


def locate_customer(sandbox: Sandbox, session_id: str, location: Location) -> bool:
    """Say where the customer of a session lives, so that its tax is known. Returns whether its total changed."""
    session = require_open_session(sandbox, session_id)
    is_changed = apply_location(sandbox, session, location)
    save_session(sandbox, session)
    return is_changed


def pay_free(sandbox: Sandbox, session_id: str, *, payer: Payer) -> Attempt:
    """Complete a session that costs nothing."""
    session = require_open_session(sandbox, session_id)
    if asks_for_card(sandbox, session):
        raise ApiError("This Checkout Session is not free.")
    return _complete_free(sandbox, session, payer)


def pay_by_card(sandbox: Sandbox, session_id: str, *, card: Card, payer: Payer) -> Attempt:
    """Try to pay a session by card. A declined one leaves it open, and so does one that must be authenticated."""
    session = require_open_session(sandbox, session_id)
    billing = _billing(session, payer)
    payment_method = new_card(
        sandbox, number=card.number, exp_month=card.exp_month, exp_year=card.exp_year, billing=billing
    )
    if due_today(sandbox, session) == 0:
        return _save_card(sandbox, session, payer, card, payment_method)
    intent = _intent_of(sandbox, session)
    taking = take_by_card(sandbox, intent, payment_method)
    if taking.outcome == "asks_authentication":
        session["_authentication"] = {"email": payer.email, "name": payer.name}
        save_session(sandbox, session)
    return _conclude(sandbox, session, intent, payer, taking)


def authenticate(sandbox: Sandbox, session_id: str, *, succeed: bool) -> Attempt:
    """End the 3-D Secure step of a session: the payment goes through, or it fails and the session stays open."""
    session = require_open_session(sandbox, session_id)
    waiting = session.pop("_authentication", None)
    if waiting is None:
        raise ApiError("Nothing waits for authentication in this Checkout Session.")
    save_session(sandbox, session)
    payer = Payer(waiting["email"], waiting["name"])
    if due_today(sandbox, session) == 0:
        return _complete_free(sandbox, session, payer) if succeed else Attempt("declined", NO_AUTHENTICATION)
    intent = sandbox.require("payment_intent", intent_id_of(session) or "")
    taking = end_authentication(sandbox, intent, succeed=succeed)
    return _conclude(sandbox, session, intent, payer, taking)


def _save_card(sandbox: Sandbox, session: Resource, payer: Payer, card: Card, payment_method: Resource) -> Attempt:
    """Take a card for what is to be paid later; nothing is due today."""
    if message := refuse_setup(card):
        return Attempt("declined", message)
    session["_saved_card"] = payment_method["id"]
    if card.behaviour.asks_authentication:
        session["_authentication"] = {"email": payer.email, "name": payer.name}
        save_session(sandbox, session)
        return Attempt("asks_authentication")
    return _complete_free(sandbox, session, payer)


def _complete_free(sandbox: Sandbox, session: Resource, payer: Payer) -> Attempt:
    status = "paid" if session["amount_total"] else "no_payment_required"  # a credit may pay all of it
    complete_session(sandbox, session, payer_email=payer.email, payer_name=payer.name, payment_status=status)
    return Attempt("free")


def _conclude(sandbox: Sandbox, session: Resource, intent: Resource, payer: Payer, taking: Taking) -> Attempt:
    if taking.outcome == "paid":
        complete_session(sandbox, session, payer_email=payer.email, payer_name=payer.name, payment_status="paid")
        follow_charge(sandbox, intent)
    return Attempt(taking.outcome, taking.message)


def pay_by_bank_debit(sandbox: Sandbox, session_id: str, *, payer: Payer, account: str = "000123456789") -> Attempt:
    """Complete a session by a debit whose money comes, or does not come, later."""
    session = require_open_session(sandbox, session_id)
    if is_plan(session):
        raise ApiError("The sandbox takes cards only for subscriptions.")
    intent = _intent_of(sandbox, session)
    kind = delayed_type_of(session["currency"])
    details = {"fingerprint": random_word(16), "last4": account[-4:]}
    payment_method = new_payment_method(sandbox, kind=kind, details=details, billing=_billing(session, payer))
    charge = new_charge(sandbox, intent=intent, payment_method=payment_method, status="pending")
    changes = {"payment_method": payment_method["id"], "latest_charge": charge["id"], "last_payment_error": None}
    move_intent(sandbox, intent, event_type="payment_intent.processing", status="processing", **changes)
    save_charge(sandbox, charge)
    if intent["setup_future_usage"] and intent["customer"]:
        attach_payment_method(sandbox, payment_method, customer_id=intent["customer"])
    session["_settles_well"] = account != FAILING_ACCOUNT
    if sandbox.settle_after_seconds is not None:
        session["_settle_at"] = sandbox.time() + sandbox.settle_after_seconds
    complete_session(sandbox, session, payer_email=payer.email, payer_name=payer.name, payment_status="unpaid")
    return Attempt("waiting")


def settle_delayed(sandbox: Sandbox, session_id: str, *, succeed: bool) -> Resource:
    """End the delayed payment of a session: its money came, or it failed.

    Raises:
        ApiError: no payment of it is under way.
    """
    session = sandbox.require("checkout.session", session_id)
    intent_id = session["payment_intent"]
    intent = sandbox.require("payment_intent", intent_id) if intent_id else None
    if intent is None or intent["status"] != "processing":
        raise ApiError("No delayed payment of this Checkout Session is under way.")
    charge = sandbox.require("charge", intent["latest_charge"])
    session.pop("_settle_at", None)
    settle_charge(sandbox, charge, succeed=succeed)
    if succeed:
        changes = {"status": "succeeded", "amount_received": intent["amount"]}
        move_intent(sandbox, intent, event_type="payment_intent.succeeded", **changes)
    else:
        payment_method = sandbox.require("payment_method", intent["payment_method"])
        error = {
            "charge": charge["id"],
            "code": "payment_intent_payment_attempt_failed",
            "message": charge["failure_message"],
            "payment_method": payment_method,
            "type": "invalid_request_error",
        }
        changes = {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
        move_intent(sandbox, intent, event_type="payment_intent.payment_failed", **changes)
    report_delayed_outcome(sandbox, session, intent=intent, succeed=succeed)
    return session


def _intent_of(sandbox: Sandbox, session: Resource) -> Resource:
    amount = due_today(sandbox, session)
    if intent_id := intent_id_of(session):
        intent = sandbox.require("payment_intent", intent_id)
        intent["amount"] = amount  # a code may have been given since the last attempt
        return intent
    intent = new_payment_intent(sandbox, session=session, amount=amount)
    session["_payment_intent" if is_plan(session) else "payment_intent"] = intent["id"]
    save_session(sandbox, session)
    return intent


def _billing(session: Resource, payer: Payer) -> Resource:
    billing = billing_details(email=payer.email or session["customer_email"], name=payer.name)
    return {**billing, "address": session.get("_location") or billing["address"]}
