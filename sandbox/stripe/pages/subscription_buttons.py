"""The buttons of the control page for subscriptions, for their invoices and for the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.stripe.control import Control
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.pages.plan_terms import say_interval
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition

Action = Callable[[Control, dict[str, str]], object]

_ENDED = ("canceled", "incomplete_expired")


@dataclass(frozen=True)
class Button:
    """One button: the name of its action and what is written on it."""

    action: str
    label: str
    is_quiet: bool = True


def subscription_buttons(subscription: Resource) -> list[Button]:
    """What can happen to a subscription now."""
    if subscription["status"] in _ENDED:
        return []
    held = subscription["cancel_at"] or subscription["pause_collection"] or subscription["status"] == "paused"
    ends = [] if held else [Button("cancel_later", "Cancel at period end"), Button("pause", "Pause collection")]
    return [
        Button("change_plan", "Change now", is_quiet=False),
        Button("change_plan_later", "Change at period end"),
        *([Button("keep_plan", "Take the change back")] if subscription["schedule"] else []),
        *([Button("resume", "Resume", is_quiet=False)] if held else ends),
        Button("cancel_now", "Cancel now"),
        Button("fail_next", "Fail the next payment"),
    ]


def invoice_buttons(invoice: Resource) -> list[Button]:
    """What can happen to an invoice now."""
    match invoice["status"]:
        case "draft" if invoice["parent"]:
            return [Button("finalize", "Finalize", is_quiet=False)]
        case "open":
            return [
                Button("pay_invoice", "Pay", is_quiet=False),
                Button("retry_invoice", "Try the saved card"),
                Button("void_invoice", "Void"),
                Button("write_off_invoice", "Give it up"),
            ]
        case "paid" if invoice["amount_paid"] and invoice["parent"]:
            return [Button("refund", "Refund")]
    return []


def other_prices(sandbox: Sandbox, found: Resource) -> list[dict[str, str]]:
    """The prices that a subscription could change to, as choices of a form."""
    if found["object"] != "subscription" or found["status"] in _ENDED:
        return []
    current = found["items"]["data"][0]["price"]["id"]
    recurring = sandbox.store.find("price", [Condition("type", "=", "recurring")])
    others = [price for price in recurring if price["active"] and price["id"] != current]
    return [{"id": price["id"], "text": say_price(sandbox, price)} for price in others]


def say_subscription(sandbox: Sandbox, subscription: Resource) -> str:
    """What a subscription sells, and until when it runs or when it ends."""
    items = subscription["items"]["data"]
    sold = "; ".join(f"{item['quantity']} × {say_price(sandbox, item['price'])}" for item in items)
    if subscription["status"] in _ENDED:
        return sold
    ends_at = subscription["cancel_at"] or items[0]["current_period_end"]
    word = "ends on" if subscription["cancel_at"] else "period ends on"
    paused = ", collection is paused" if subscription["pause_collection"] else ""
    scheduled = ", changes then" if subscription["schedule"] else ""
    return f"{sold}, {word} {datetime.fromtimestamp(ends_at, UTC):%-d %B %Y}{scheduled}{paused}"


def describe_clock(control: Control) -> dict[str, Any]:
    """The sandbox's time, how far it is ahead, and when the next period ends."""
    clock = control.read_clock()
    days, seconds = divmod(clock["ahead_seconds"], 24 * 3600)
    ahead = [f"{days} days" if days else "", f"{seconds // 3600} hours" if seconds >= 3600 else ""]
    ends_at = clock["next_renewal"]
    return {
        "now": datetime.fromtimestamp(clock["now"], UTC),
        "ahead": ", ".join(part for part in ahead if part),
        "next_renewal": datetime.fromtimestamp(ends_at, UTC) if ends_at else None,
    }


def say_price(sandbox: Sandbox, price: Resource) -> str:
    """A recurring price as people say it."""
    product = sandbox.require("product", price["product"])
    return f"{product['name']}, {format_amount(price['unit_amount'], price['currency'])} {say_interval(price)}"


def _change_plan(control: Control, fields: dict[str, str], *, at_once: bool) -> None:
    if not fields.get("price"):
        raise ValueError("There is no other price to change to.")
    control.change_subscription(fields["target"], price=fields["price"], at_once=at_once)


def _fail_next(control: Control, fields: dict[str, str]) -> None:
    subscription = control.get_object(fields["target"])
    if subscription:
        control.fail_next_payments(subscription["customer"])


SUBSCRIPTION_ACTIONS: dict[str, Action] = {
    "next_day": lambda control, fields: control.advance_clock(days=1),
    "next_week": lambda control, fields: control.advance_clock(days=7),
    "next_renewal": lambda control, fields: control.advance_clock(renewals=1),
    "change_plan": lambda control, fields: _change_plan(control, fields, at_once=True),
    "change_plan_later": lambda control, fields: _change_plan(control, fields, at_once=False),
    "keep_plan": lambda control, fields: control.keep_plan(fields["target"]),
    "cancel_now": lambda control, fields: control.cancel_subscription(fields["target"]),
    "cancel_later": lambda control, fields: control.cancel_subscription(fields["target"], at_period_end=True),
    "resume": lambda control, fields: control.resume_subscription(fields["target"]),
    "pause": lambda control, fields: control.pause_collection(fields["target"]),
    "fail_next": _fail_next,
    "finalize": lambda control, fields: control.finalize_draft(fields["target"]),
    "pay_invoice": lambda control, fields: control.pay_open_invoice(fields["target"]),
    "retry_invoice": lambda control, fields: control.pay_open_invoice(fields["target"], card=None),
    "void_invoice": lambda control, fields: control.void_invoice(fields["target"]),
    "write_off_invoice": lambda control, fields: control.write_off_invoice(fields["target"]),
}
