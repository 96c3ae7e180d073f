"""What reconciliation reads in lists: charges, invoices, balance transactions, customers, events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.gateway.facts import EventEnvelope
from billing.gateway.parsing import PAYMENT_METADATA_KEY, _amount, _id, _mapping, _moment, _required, _text, parse_event
from billing.gateway.plan_parsing import paid_from_balance

# Under this key of `metadata` a customer at Stripe carries the public id of ours.
CUSTOMER_METADATA_KEY = "customer_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFacts:
    """A charge: one attempt that took money, or did not."""

    id: str
    payment_reference: str
    payment_intent_id: str
    is_paid: bool
    amount_minor: int
    refunded_minor: int  # by all refunds that are alive
    currency: str
    is_disputed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFacts:
    """An invoice; of a pack's checkout it is the receipt. One for time of a plan names its subscription."""

    id: str
    payment_reference: str
    subscription_id: str
    customer_id: str
    status: str
    total_minor: int
    paid_minor: int  # in money, and from the customer's balance
    currency: str
    created_at: datetime
    paid_at: datetime | None
    payment_intent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceTransactionFacts:
    """A movement of the balance at Stripe, and what Stripe keeps of it, in the balance's currency."""

    id: str
    type: str
    source_id: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCustomer:
    """A customer at Stripe and the customer of ours that it names."""

    id: str
    reference: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event as Stripe keeps it for 30 days. Its object is as old as the event, so only its ids are used."""

    envelope: EventEnvelope
    object_type: str
    created_at: datetime


def parse_charge(charge: Mapping[str, Any]) -> ChargeFacts:
    """Facts of a charge.

    Raises:
        ValueError: it does not say how much, or when.
    """
    return ChargeFacts(
        id=_id(charge.get("id")),
        payment_reference=_id(_mapping(charge.get("metadata")).get(PAYMENT_METADATA_KEY)),
        payment_intent_id=_id(charge.get("payment_intent")),
        is_paid=charge.get("status") == "succeeded" and charge.get("captured") is True,
        amount_minor=_required(_amount(charge.get("amount")), "amount", charge),
        refunded_minor=_amount(charge.get("amount_refunded")) or 0,
        currency=_text(charge.get("currency")).lower(),
        is_disputed=charge.get("disputed") is True,
        created_at=_required(_moment(charge.get("created")), "created", charge),
    )


def parse_invoice(invoice: Mapping[str, Any]) -> InvoiceFacts:
    """Facts of an invoice.

    Raises:
        ValueError: it does not say when it was made.
    """
    details = _mapping(_mapping(invoice.get("parent")).get("subscription_details"))
    payments = _mapping(invoice.get("payments")).get("data")
    paying = [_mapping(_mapping(one).get("payment")) for one in payments] if isinstance(payments, list) else []
    return InvoiceFacts(
        id=_id(invoice.get("id")),
        payment_reference=_id(_mapping(invoice.get("metadata")).get(PAYMENT_METADATA_KEY)),
        subscription_id=_id(details.get("subscription")),
        customer_id=_id(invoice.get("customer")),
        status=_text(invoice.get("status")),
        total_minor=_amount(invoice.get("total")) or 0,
        paid_minor=(_amount(invoice.get("amount_paid")) or 0) + paid_from_balance(invoice),
        currency=_text(invoice.get("currency")).lower(),
        created_at=_required(_moment(invoice.get("created")), "created", invoice),
        paid_at=_moment(_mapping(invoice.get("status_transitions")).get("paid_at")),
        payment_intent_ids=tuple(name for one in paying if (name := _id(one.get("payment_intent")))),
    )


def parse_balance_transaction(moved: Mapping[str, Any]) -> BalanceTransactionFacts:
    """Facts of a balance transaction.

    Raises:
        ValueError: it does not say how much, or when.
    """
    amount = _required(_amount(moved.get("amount")), "amount", moved)
    fee = _amount(moved.get("fee")) or 0
    net = _amount(moved.get("net"))
    return BalanceTransactionFacts(
        id=_id(moved.get("id")),
        type=_text(moved.get("type")),
        source_id=_id(moved.get("source")),
        amount_minor=amount,
        fee_minor=fee,
        net_minor=amount - fee if net is None else net,
        currency=_text(moved.get("currency")).lower(),
        created_at=_required(_moment(moved.get("created")), "created", moved),
    )


def parse_listed_customer(customer: Mapping[str, Any]) -> ListedCustomer:
    """Facts of a customer in a list.

    Raises:
        ValueError: it does not say when it was made.
    """
    return ListedCustomer(
        id=_id(customer.get("id")),
        reference=_id(_mapping(customer.get("metadata")).get(CUSTOMER_METADATA_KEY)),
        created_at=_required(_moment(customer.get("created")), "created", customer),
    )


def parse_listed_event(event: Mapping[str, Any]) -> ListedEvent:
    """An event in a list.

    Raises:
        ValueError: it does not say when it was made.
    """
    return ListedEvent(
        envelope=parse_event(event),
        object_type=_text(_mapping(_mapping(event.get("data")).get("object")).get("object")),
        created_at=_required(_moment(event.get("created")), "created", event),
    )
