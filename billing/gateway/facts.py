"""What crosses the boundary: plain facts about Stripe's objects, never the objects themselves.

Amounts are minor units beside a lower-case currency, times are aware, an id that Stripe left out is the empty string.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

INQUIRY_STATUSES: Final = "warning_"  # how the statuses of a dispute begin that is only asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """A customer at Stripe."""

    id: str
    email: str
    is_deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A checkout session. `client_secret` and `url` are secrets of the buyer: never logged."""

    id: str
    mode: str
    status: str  # open, complete, expired; empty in payloads of old API versions
    payment_status: str  # paid, unpaid, no_payment_required
    livemode: bool
    payment_reference: str  # our payment's public id
    amount_subtotal_minor: int | None  # before discount and tax
    amount_total_minor: int | None
    amount_tax_minor: int | None
    currency: str
    customer_id: str
    payment_intent_id: str
    invoice_id: str
    created_at: datetime | None
    expires_at: datetime | None
    amount_discount_minor: int | None = None
    client_secret: str = field(default="", repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAttemptFailure:
    """Why one attempt to pay failed, in Stripe's words for the buyer."""

    charge_id: str
    code: str
    decline_code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentIntentFacts:
    """A payment intent, with its latest charge where Stripe gave it."""

    id: str
    status: str
    livemode: bool
    payment_reference: str
    amount_minor: int | None
    amount_received_minor: int | None
    currency: str
    customer_id: str
    charge_id: str
    charged_at: datetime | None  # when the latest charge was made, where Stripe gave that charge
    receipt_url: str
    failure: PaymentAttemptFailure | None
    created_at: datetime | None
    payment_method_id: str = ""  # what paid, or is about to; after a failure what was tried


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFacts:
    """A refund. It is dead once it failed or was canceled: the money stayed."""

    id: str
    amount_minor: int
    currency: str
    status: str  # pending, requires_action, succeeded, failed, canceled
    reason: str
    charge_id: str
    payment_intent_id: str
    created_at: datetime
    failed_at: datetime | None = None  # when the money came back, where Stripe gave that balance transaction
    request_reference: str = ""  # our refund request's public id, where we asked for it

    @property
    def is_dead(self) -> bool:
        return self.status in ("failed", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementFacts:
    """A balance transaction of a dispute, in the currency of Stripe's balance and without its fee."""

    id: str
    amount_minor: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFacts:
    """A dispute with the money that it moved so far. An inquiry moves none."""

    id: str
    amount_minor: int
    currency: str
    reason: str
    status: str
    charge_id: str
    payment_intent_id: str
    livemode: bool
    created_at: datetime
    movements: tuple[MovementFacts, ...]

    @property
    def is_inquiry(self) -> bool:
        return self.status.startswith(INQUIRY_STATUSES)

    @property
    def is_closed(self) -> bool:
        return self.status in ("won", "lost", "warning_closed", "prevented")


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudWarningFacts:
    """A card network's early warning of fraud."""

    id: str
    fraud_type: str
    charge_id: str
    payment_intent_id: str
    livemode: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFacts:
    """A product of Stripe's catalog."""

    id: str
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFacts:
    """A price of Stripe's catalog; a tiered or metered one has no amount."""

    id: str
    product_id: str
    amount_minor: int | None
    currency: str
    is_active: bool
    is_recurring: bool
    livemode: bool
    interval: str = ""  # day, week, month or year; empty where it is paid once, or every few of them


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEnvelope:
    """An event as it was delivered. `object` is as old or new as `api_version` says: read it through `parsing`."""

    id: str
    type: str
    api_version: str
    livemode: bool
    account: str  # set for events of connected accounts
    created_at: datetime | None
    object_id: str
    related_ids: tuple[str, ...]
    object: Mapping[str, Any] = field(repr=False)
