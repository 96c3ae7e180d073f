"""Checkout in ``subscription`` mode: what is due today, a card that is saved without a payment, and the start."""

from sandbox.stripe.checkout.cards import Card
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.payment_methods import attach_payment_method
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.calendar import DAY_SECONDS
from sandbox.stripe.subscriptions.invoicing import LEAST_AMOUNT
from sandbox.stripe.subscriptions.starting import Start, automatic_tax, start_subscription


def is_plan(session: Resource) -> bool:
    """Whether a session starts a subscription."""
    return bool(session["mode"] == "subscription")


def due_today(sandbox: Sandbox, session: Resource) -> int:
    """What is to be charged now: the total, less the credit that a subscriber has from before."""
    customer = sandbox.store.get(session["customer"] or "", kind="customer") or {}
    if not is_plan(session):
        return int(session["amount_total"])
    due = int(session["amount_total"]) + int(customer.get("balance", 0))
    return due if due >= LEAST_AMOUNT else 0


def asks_for_card(sandbox: Sandbox, session: Resource) -> bool:
    """Whether the customer must give a card: to pay now, or to pay later."""
    always = is_plan(session) and session["payment_method_collection"] == "always"
    return always or due_today(sandbox, session) > 0


def refuse_setup(card: Card) -> str:
    """Why a card cannot be saved without a payment, or an empty text."""
    behaviour = card.behaviour
    return "" if behaviour.pays_until_saved or not behaviour.decline_code else behaviour.message


def start_from_session(sandbox: Sandbox, session: Resource, *, intent: Resource | None) -> None:
    """Start the subscription of a session that was paid by this intent, or that costs nothing today."""
    payment_method_id = intent["payment_method"] if intent else session.get("_saved_card")
    payment_method = sandbox.store.get(payment_method_id or "", kind="payment_method")
    if payment_method and payment_method["customer"] is None:
        payment_method["_is_set_up"] = payment_method.get("_is_set_up", False) or intent is None
        attach_payment_method(sandbox, payment_method, customer_id=session["customer"])
    plan = session["_plan"]
    trial_end = sandbox.now() + plan["trial_days"] * DAY_SECONDS if plan["trial_days"] else plan["trial_end"]
    start = Start(
        customer_id=session["customer"],
        items=[{"price": item["price"]["id"], "quantity": item["quantity"]} for item in session["_line_items"]],
        trial_end=trial_end,
        discounts=session["discounts"],
        metadata=plan["metadata"],
        payment_method_id=payment_method_id,
        session_id=session["id"],
        fields={**plan["fields"], "automatic_tax": automatic_tax(is_enabled=session["automatic_tax"]["enabled"])},
    )
    subscription = start_subscription(sandbox, start, paid_by=intent)
    session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}
