"""What an answer says of its cost: `prepaid` in its body, and headers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils import timezone

from billing.money import ZERO
from billing.selectors.balances import read_balance
from usage.models import UsageEvent
from usage.services.call_events import OpenCall
from usage.services.served_calls import ServedCall

FIELD: Final = "prepaid"


def receipt_of(served: ServedCall, event: UsageEvent) -> dict[str, Any]:
    """Estimate, held, charged and the basis of the charge, and what is available after it; credits as strings."""
    available = _available(event.customer_id) if served.available is None else served.available
    return {
        "held": _text(event.held_credits),
        "charged": _text(event.credits),
        "balance": _text(available),
        "estimate": _text(event.estimated_credits),
        "basis": str(event.basis),
    }


def receipt_headers(receipt: dict[str, Any]) -> dict[str, str]:
    """The same for clients that show no fields they do not know."""
    return {f"Prepaid-{name.capitalize()}": str(receipt[name]) for name in ("held", "charged", "balance")}


def held_headers(call: OpenCall) -> dict[str, str]:
    """What is known before a stream begins."""
    return {"Prepaid-Held": _text(call.hold.amount), "Prepaid-Estimate": _text(call.estimated_credits)}


def _available(customer_id: int) -> Decimal:
    balance = read_balance(customer_id=customer_id, now=timezone.now())
    return balance.available if balance is not None else ZERO


def _text(credits: Decimal | None) -> str:
    return str(ZERO if credits is None else credits)
