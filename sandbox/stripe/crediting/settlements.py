"""How what a note credits of a payment reaches the customer: as money back, as credit, or outside of Stripe."""

from dataclasses import dataclass
from typing import Any

from sandbox.stripe.crediting.creditable import LinkedRefund, refunds_of, unlinked_amount
from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.records import Resource

WAYS = ("refund_amount", "credit_amount", "out_of_band_amount")


@dataclass(frozen=True)
class Settlement:
    """Amounts in minor units: to refund, to credit to the customer's balance, given elsewhere, and refunded before."""

    refund_amount: int = 0
    credit_amount: int = 0
    out_of_band_amount: int = 0
    refunds: tuple[LinkedRefund, ...] = ()

    @property
    def total(self) -> int:
        """All of it."""
        given = self.refund_amount + self.credit_amount + self.out_of_band_amount
        return given + sum(linked.amount for linked in self.refunds)

    @property
    def param(self) -> str:
        """The parameter to blame where the total is wrong: the only one that was given, or the note's amount."""
        named = [name for name in WAYS if getattr(self, name)] + ["refunds"] * bool(self.refunds)
        return named[0] if len(named) == 1 else "amount"


def read_settlement(sandbox: Sandbox, invoice: Resource, params: dict[str, Any]) -> Settlement:
    """What a request says about it.

    Raises:
        ApiError: an amount is negative, or a refund is not one of this invoice's or has less to link.
    """
    amounts = {name: params.get(name, 0) for name in WAYS}
    for name, amount in amounts.items():
        if amount < 0:
            raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=name)
    linked: list[LinkedRefund] = []
    for index, given in enumerate(params.get("refunds", [])):
        at = f"refunds[{index}]"
        if any(one.refund["id"] == given.get("refund") for one in linked):
            raise ApiError("A refund may be linked once only.", param=f"{at}[refund]")
        linked.append(_read_linked(sandbox, invoice, given, at=at))
    return Settlement(**amounts, refunds=tuple(linked))


def _read_linked(sandbox: Sandbox, invoice: Resource, given: dict[str, Any], *, at: str) -> LinkedRefund:
    if given.get("type", "refund") != "refund" or "payment_record_refund" in given:
        raise ApiError("The sandbox links refunds of charges only.", param=f"{at}[type]")
    if "refund" not in given:
        raise ApiError(f"Missing required param: {at}[refund].", code="parameter_missing", param=f"{at}[refund]")
    refund = sandbox.require("refund", given["refund"], param=f"{at}[refund]")
    if refund["id"] not in [one["id"] for one in refunds_of(sandbox, invoice)]:
        message = (
            f"The refund {refund['id']} is not one of the payment of invoice {invoice['id']}, or it did not succeed."
        )
        raise ApiError(message, param=f"{at}[refund]")
    amount: int = given["amount_refunded"] if "amount_refunded" in given else refund["amount"]
    left = unlinked_amount(sandbox, invoice, refund)
    if amount <= 0:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param=f"{at}[amount_refunded]")
    if amount > left:
        wanted, rest = (format_amount(one, refund["currency"]) for one in (amount, left))
        message = (
            f"The amount refunded ({wanted}) is more than what no other credit note counts of the refund ({rest})."
        )
        raise ApiError(message, param=f"{at}[amount_refunded]" if "amount_refunded" in given else f"{at}[refund]")
    return LinkedRefund(refund, amount)
