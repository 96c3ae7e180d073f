"""Fills the store with thousands of payments, for measurements.

A few payments are made by the state machine in a store of their own; what it holds then is printed over and over with
other ids, amounts and times. So what is filled in has every field that a payment made by hand has.
"""

import json
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from sandbox.stripe.calls import Call
from sandbox.stripe.checkout.cards import known_card
from sandbox.stripe.checkout.paying import Payer, pay_by_card
from sandbox.stripe.giving_back.charged import find_charge
from sandbox.stripe.giving_back.disputing import DISPUTE_FEE, open_dispute
from sandbox.stripe.giving_back.refunding import start_refund
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.balance_transactions import processing_fee
from sandbox.stripe.objects.checkout_sessions import create_session
from sandbox.stripe.objects.customers import new_customer
from sandbox.stripe.records import Resource, public, random_word

Ending: TypeAlias = Literal["paid", "refunded", "disputed"]

_KINDS = {  # what is written, and the name of its id in what the lever tells
    "payment_method": "payment_method",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "balance_transaction": "",
    "checkout.session": "session",
    "invoice": "invoice",
    "invoice_payment": "",
    "refund": "refund",
    "dispute": "dispute",
}
_FIELDS = ("id", "object", "customer", "payment_intent", "charge", "source", "type", "invoice")
_CHECKED_PAYMENTS = 100

# Values that are in no other place of an object, so that they can be found again in its text.
_REFERENCE, _AMOUNT, _MADE_AT, _LONGEST_SECONDS = "the-reference-of-a-payment", 7_654_321, 1_111_111_111, 30 * 24 * 3600
_NUMBERS = {
    _AMOUNT: "amount",
    processing_fee(_AMOUNT): "fee",
    _AMOUNT - processing_fee(_AMOUNT): "net",
    _AMOUNT + DISPUTE_FEE: "lost",
}
_ID = re.compile(r"\b(cs_test|pi|ch|txn|pm|re|dp|li|il|in|inpay|evt)_([A-Za-z0-9]{14,})")
_NUMBER = re.compile(r"\b\d{5,}\b")


@dataclass(frozen=True)
class Order:
    """One payment to fill in: what the seller calls it, its amount in minor units, and who pays it."""

    reference: str
    amount: int
    customer: str


@dataclass(frozen=True)
class _Form:
    """An object as text with gaps: the fields that lists filter by, and the whole."""

    fields: dict[str, str]
    made_after_seconds: int
    body: str


@dataclass(frozen=True)
class Plan:
    """What the payments have in common, and how many of a hundred are given back."""

    currency: str = "usd"
    refunded_percent: int = 0
    disputed_percent: int = 0
    metadata_key: str = "payment_id"
    with_invoices: bool = True
    with_events: bool = False

    def endings(self) -> list[Ending]:
        """The ways in which payments end."""
        return list(dict.fromkeys(self.ending_of(number) for number in range(100)))

    def ending_of(self, number: int) -> Ending:
        """How the payment with this number ends."""
        place = number % 100
        if place < self.refunded_percent:
            return "refunded"
        return "disputed" if place < self.refunded_percent + self.disputed_percent else "paid"


class _Scratch(Sandbox):
    """A sandbox that stands still at a known time."""

    seconds = 0

    def now(self) -> int:
        """The known time."""
        return _MADE_AT + self.seconds


def fill_payments(
    sandbox: Sandbox, orders: Sequence[Order], *, plan: Plan, starting_at: int, seconds_apart: float
) -> list[dict[str, str]]:
    """Write a paid session and all that belongs to it for each order. Returns the ids, in the same sequence."""
    presses = {ending: _Press(sandbox, ending, plan) for ending in plan.endings()}
    made: list[dict[str, str]] = []

    def rows() -> Iterator[tuple[Resource, str]]:
        for number, order in enumerate(orders):
            ending = plan.ending_of(number)
            at = starting_at + int(number * seconds_apart)
            printed = presses[ending].print_payment(order, number=number, at=at)
            if number < _CHECKED_PAYMENTS:
                _check(sandbox, printed)
            ids = {_KINDS[fields["object"]]: fields["id"] for fields, _ in printed if _KINDS.get(fields["object"])}
            made.append({"reference": order.reference, "ending": ending, **ids})
            yield from printed

    sandbox.store.put_many(rows())
    return made


class _Press:
    """Prints payments that end in one way."""

    def __init__(self, sandbox: Sandbox, ending: Ending, plan: Plan) -> None:
        scratch, customer_id = _pay_once(sandbox, ending, plan)
        self._customer_id = customer_id
        self._run = random_word(8)
        self._letters: dict[str, str] = {}  # by id: which of its kind it is within one payment
        self._offsets: set[int] = set()
        with scratch.work():
            kinds = [*_KINDS, *(["event"] if plan.with_events else [])]
            found = [resource for kind in kinds for resource in scratch.store.find(kind)[::-1]]
            products = scratch.store.find("product")
        scratch.store.close()
        of_payment = [one for one in found if one["object"] != "event" or one["data"]["object"]["object"] in _KINDS]
        self._forms = [self._read_form(resource) for resource in of_payment]
        for product in products:
            sandbox.store.put({**product, "created": sandbox.now(), "updated": sandbox.now()})

    def print_payment(self, order: Order, *, number: int, at: int) -> list[tuple[Resource, str]]:
        """The objects of one payment, each with the fields that lists filter by."""
        fee = processing_fee(order.amount)
        values: dict[str, Any] = {
            "tail": f"{self._run}{number:012d}",
            "reference": json.dumps(order.reference)[1:-1],
            "customer": order.customer,
            "amount": order.amount,
            "fee": fee,
            "net": order.amount - fee,
            "lost": order.amount + DISPUTE_FEE,
            **{f"at{offset}": at + offset for offset in self._offsets},
        }
        return [
            (
                {
                    **{name: text % values for name, text in form.fields.items()},
                    "created": at + form.made_after_seconds,
                },
                form.body % values,
            )
            for form in self._forms
        ]

    def _read_form(self, resource: Resource) -> _Form:
        filtered = {name: resource[name] for name in _FIELDS if isinstance(resource.get(name), str)}
        if resource["object"] == "invoice_payment":
            filtered["payment_intent"] = resource["payment"]["payment_intent"]
        fields = {name: self._leave_gaps(value) for name, value in filtered.items()}
        return _Form(fields, resource["created"] - _MADE_AT, self._leave_gaps(json.dumps(resource)))

    def _leave_gaps(self, text: str) -> str:
        text = text.replace("%", "%%").replace(self._customer_id, "%(customer)s").replace(_REFERENCE, "%(reference)s")
        return _NUMBER.sub(self._leave_number, _ID.sub(self._leave_id, text))

    def _leave_id(self, match: re.Match[str]) -> str:
        if match[0] not in self._letters:
            ordinal = sum(known.startswith(f"{match[1]}_") for known in self._letters)
            self._letters[match[0]] = string.ascii_lowercase[ordinal]
        return f"{match[1]}_{self._letters[match[0]]}%(tail)s"

    def _leave_number(self, match: re.Match[str]) -> str:
        number = int(match[0])
        if number in _NUMBERS:
            return f"%({_NUMBERS[number]})d"
        if not 0 <= number - _MADE_AT <= _LONGEST_SECONDS:
            return match[0]
        self._offsets.add(number - _MADE_AT)
        return f"%(at{number - _MADE_AT})d"


def _check(sandbox: Sandbox, printed: list[tuple[Resource, str]]) -> None:
    for fields, body in printed:
        check = sandbox.contract.check_event if fields["object"] == "event" else sandbox.contract.check_resource
        sandbox.record_breaches("fill", check(public(json.loads(body))))


def _pay_once(sandbox: Sandbox, ending: Ending, plan: Plan) -> tuple[Sandbox, str]:
    """A sandbox in which one payment was made, and the id of its customer."""
    scratch = _Scratch(base_url=sandbox.base_url)
    metadata = {plan.metadata_key: _REFERENCE}
    price = {"currency": plan.currency, "unit_amount": _AMOUNT, "product_data": {"name": "Credits"}}
    with scratch.work():
        customer = new_customer(scratch, fields={"email": "payer@example.com"}, metadata={})
        params: dict[str, Any] = {
            "mode": "payment",
            "customer": customer["id"],
            "client_reference_id": _REFERENCE,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata, "description": "Credits"},
            "success_url": "https://example.com/",
            "invoice_creation": {"enabled": plan.with_invoices, "invoice_data": {"metadata": metadata}},
            "line_items": [{"quantity": 1, "price_data": price}],
        }
        session = create_session(Call(scratch, "/v1/checkout/sessions", params, {}))
        card = known_card("4242424242424242", today=datetime.now(UTC).date())
        pay_by_card(scratch, session["id"], card=card, payer=Payer())
        scratch.seconds = 3600  # what is given back is given back an hour later
        if ending == "refunded":
            start_refund(scratch, find_charge(scratch, session["id"]))
        if ending == "disputed":
            open_dispute(scratch, find_charge(scratch, session["id"]))
    return scratch, customer["id"]
