"""What crosses the boundary of subscriptions and their invoices. Amounts are minor units, times are aware."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionItemFacts:
    """One item of a subscription: a price and how many; since 2025-03-31 (basil) periods live here."""

    id: str
    price_id: str
    unit_amount_minor: int | None
    interval: str
    quantity: int
    period_start: datetime | None
    period_end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFacts:
    """A subscription as it was read."""

    id: str
    customer_id: str
    status: str
    livemode: bool
    currency: str
    items: tuple[SubscriptionItemFacts, ...]
    payment_reference: str  # of the checkout that it began with
    payment_method_id: str
    latest_invoice_id: str
    trial_end: datetime | None
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    started_at: datetime | None
    pause_behavior: str
    schedule_id: str = ""  # of changes that wait for a later time
    next_price_ids: tuple[str, ...] = ()  # of the change that comes next; empty: none waits
    changes_at: datetime | None = None  # when that change comes

    @property
    def period_end(self) -> datetime | None:
        """When the last of its items' periods ends."""
        return max((item.period_end for item in self.items if item.period_end), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLineFacts:
    """A line of an invoice. `subscription_id` is empty where it is not for time of a subscription."""

    id: str
    subscription_id: str
    price_id: str
    quantity: int
    is_proration: bool
    description: str
    amount_minor: int  # before discount and tax
    discount_minor: int
    tax_minor: int
    money_minor: int  # what the line adds to the invoice's total
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteFacts:
    """A credit note: what an invoice asks less for, or what of its money went back.

    What went back by refunds is none of `to_balance_minor` and `elsewhere_minor`: each refund tells of itself.
    """

    id: str
    invoice_id: str
    customer_id: str
    number: str
    currency: str
    is_void: bool
    total_minor: int
    before_payment_minor: int  # what the invoice then asked less for
    to_balance_minor: int  # went into the customer's balance at Stripe
    elsewhere_minor: int  # went back outside of Stripe
    pdf_url: str
    issued_at: datetime
    voided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInvoiceFacts:
    """An invoice as it was read, with all its lines. What is negative goes into the customer's balance."""

    id: str
    subscription_id: str  # empty: not of a subscription
    customer_id: str
    livemode: bool
    number: str
    status: str  # draft, open, paid, uncollectible, void
    billing_reason: str
    currency: str
    total_minor: int
    tax_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    from_balance_minor: int
    credited_before_minor: int  # by credit notes before it was paid
    attempt_count: int
    next_try_at: datetime | None
    payment_reference: str  # of the pack's payment, or of the checkout that the subscription began with
    payment_intent_id: str
    charge_id: str
    hosted_url: str
    pdf_url: str
    created_at: datetime
    paid_at: datetime | None
    lines: tuple[InvoiceLineFacts, ...]
    credit_notes: tuple[CreditNoteFacts, ...] = ()

    @property
    def is_paid(self) -> bool:
        return self.status == "paid"
