"""What the checkout page says about a subscription: its price, its trial, what is due today."""

from datetime import UTC, datetime

from sandbox.stripe.checkout.subscribing import asks_for_card, due_today, is_plan
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.records import Resource


def describe_plan(sandbox: Sandbox, session: Resource) -> Resource:
    """The terms of a session, whether a card is asked for, and what is due now; ``terms`` is empty without a plan."""
    due = due_today(sandbox, session)
    credit = session["amount_total"] - due
    return {
        "terms": _say_terms(session) if is_plan(session) else "",
        "is_trial": bool(is_plan(session) and session["_plan"]["trial_end"]),
        "asks_for_card": asks_for_card(sandbox, session),
        "due": format_amount(due, session["currency"]),
        "credit": format_amount(credit, session["currency"]) if credit else "",
    }


def say_interval(price: Resource) -> str:
    """How often a price is paid: ``a month``, ``every 30 days``."""
    count, interval = price["recurring"]["interval_count"], price["recurring"]["interval"]
    return f"a {interval}" if count == 1 else f"every {count} {interval}s"


def _say_terms(session: Resource) -> str:
    items = session["_line_items"]
    price = sum(item["price"]["unit_amount"] * item["quantity"] for item in items)
    each = f"{format_amount(price, session['currency'])} {say_interval(items[0]['price'])}"
    if not session["_plan"]["trial_end"]:
        return f"{each}, until you cancel."
    ends_on = datetime.fromtimestamp(session["_plan"]["trial_end"], UTC)
    return f"Free until {ends_on:%-d %B %Y}, then {each}."
