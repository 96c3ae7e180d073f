"""Reads subscriptions and invoices of the pinned API version; payloads of other versions are read anew first.

A field that is missing or of an unknown shape becomes empty, but for what no mirror can do without.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from billing.gateway.parsing import (
    PAYMENT_METADATA_KEY,
    Json,
    _amount,
    _id,
    _mapping,
    _moment,
    _required,
    _text,
)
from billing.gateway.plan_facts import (
    CreditNoteFacts,
    InvoiceLineFacts,
    PlanInvoiceFacts,
    SubscriptionFacts,
    SubscriptionItemFacts,
)

_OUTSIDE = "payment_record_refund"  # of money that Stripe does not move: no refund.* event tells of it


def parse_subscription(subscription: Json) -> SubscriptionFacts:
    """Facts of a subscription."""
    pause = _mapping(subscription.get("pause_collection"))
    items = tuple(_parse_item(item) for item in _rows(subscription.get("items")))
    ends_with_period = subscription.get("cancel_at_period_end") is True
    last_end = max((item.period_end for item in items if item.period_end), default=None)
    ended_at = _moment(subscription.get("ended_at"))
    schedule = {} if ended_at else _mapping(subscription.get("schedule"))
    changes_at, next_price_ids = _next_change(schedule, items=items)
    return SubscriptionFacts(
        id=_id(subscription.get("id")),
        customer_id=_id(subscription.get("customer")),
        status=_text(subscription.get("status"))[:30],
        livemode=subscription.get("livemode") is True,
        currency=_text(subscription.get("currency")).lower(),
        items=items,
        payment_reference=_id(_mapping(subscription.get("metadata")).get(PAYMENT_METADATA_KEY)),
        payment_method_id=_id(subscription.get("default_payment_method")),
        latest_invoice_id=_id(subscription.get("latest_invoice")),
        trial_end=_moment(subscription.get("trial_end")),
        cancel_at=_moment(subscription.get("cancel_at")) or (last_end if ends_with_period else None),
        canceled_at=_moment(subscription.get("canceled_at")),
        ended_at=ended_at,
        started_at=_moment(subscription.get("start_date")),
        pause_behavior=_text(pause.get("behavior"))[:30],
        schedule_id=_id(subscription.get("schedule")),
        next_price_ids=next_price_ids,
        changes_at=changes_at,
    )


def _next_change(
    schedule: Json, *, items: tuple[SubscriptionItemFacts, ...]
) -> tuple[datetime | None, tuple[str, ...]]:
    """When other prices than those of the items come by an expanded schedule, and which; nothing if none do."""
    since = max((item.period_start for item in items if item.period_start), default=None)
    for phase in _list(schedule.get("phases")):
        begins_at = _moment(phase.get("start_date"))
        prices = tuple(_id(item.get("price")) for item in _list(phase.get("items")))
        is_ahead = since is not None and begins_at is not None and begins_at > since
        if is_ahead and prices and set(prices) != {item.price_id for item in items}:
            return begins_at, prices
    return None, ()


def parse_plan_invoice(invoice: Json, *, lines: Iterable[Json], notes: Iterable[Json] = ()) -> PlanInvoiceFacts:
    """Facts of an invoice, of all its lines and of its credit notes.

    Raises:
        ValueError: it does not say how much, or when it was made.
    """
    details = _mapping(_mapping(invoice.get("parent")).get("subscription_details"))
    payment = _paying(invoice)
    total = _required(_amount(invoice.get("total")), "total", invoice)
    paid = _amount(invoice.get("amount_paid")) or 0
    return PlanInvoiceFacts(
        id=_id(invoice.get("id")),
        subscription_id=_id(details.get("subscription")),
        customer_id=_id(invoice.get("customer")),
        livemode=invoice.get("livemode") is True,
        number=_text(invoice.get("number"))[:100],
        status=_text(invoice.get("status"))[:20],
        billing_reason=_text(invoice.get("billing_reason"))[:60],
        currency=_text(invoice.get("currency")).lower(),
        total_minor=total,
        tax_minor=sum(_amount(tax.get("amount")) or 0 for tax in _list(invoice.get("total_taxes"))),
        amount_due_minor=_amount(invoice.get("amount_due")) or 0,
        amount_paid_minor=paid,
        from_balance_minor=paid_from_balance(invoice),
        credited_before_minor=_amount(invoice.get("pre_payment_credit_notes_amount")) or 0,
        attempt_count=_amount(invoice.get("attempt_count")) or 0,
        next_try_at=_moment(invoice.get("next_payment_attempt")),
        payment_reference=_id(_mapping(invoice.get("metadata")).get(PAYMENT_METADATA_KEY))
        or _id(_mapping(details.get("metadata")).get(PAYMENT_METADATA_KEY)),
        payment_intent_id=_id(payment.get("payment_intent")),
        charge_id=_id(payment.get("charge")),
        hosted_url=_text(invoice.get("hosted_invoice_url"))[:1000],
        pdf_url=_text(invoice.get("invoice_pdf"))[:1000],
        created_at=_required(_moment(invoice.get("created")), "created", invoice),
        paid_at=_moment(_mapping(invoice.get("status_transitions")).get("paid_at")),
        lines=tuple(_parse_line(line) for line in lines),
        credit_notes=tuple(parse_credit_note(note) for note in notes),
    )


def has_credit_notes(invoice: Json) -> bool:
    """Whether an invoice has credit notes that are not void."""
    return any(_amount(invoice.get(f"{when}_payment_credit_notes_amount")) for when in ("pre", "post"))


def parse_credit_note(note: Json) -> CreditNoteFacts:
    """Facts of a credit note.

    Raises:
        ValueError: it does not say how much, or when it was made.
    """
    by_refunds = {True: 0, False: 0}
    for refund in _list(note.get("refunds")):
        by_refunds[refund.get("type") != _OUTSIDE] += _amount(refund.get("amount_refunded")) or 0
    after_payment = _required(_amount(note.get("post_payment_amount")), "post_payment_amount", note)
    # Never more than the note gave back: a refund outside of Stripe may be told in both places.
    unrefunded = max(0, after_payment - by_refunds[True])
    elsewhere = min(unrefunded, by_refunds[False] + (_amount(note.get("out_of_band_amount")) or 0))
    return CreditNoteFacts(
        id=_id(note.get("id")),
        invoice_id=_id(note.get("invoice")),
        customer_id=_id(note.get("customer")),
        number=_text(note.get("number"))[:100],
        currency=_text(note.get("currency")).lower(),
        is_void=note.get("status") == "void",
        total_minor=_required(_amount(note.get("total")), "total", note),
        before_payment_minor=_amount(note.get("pre_payment_amount")) or 0,
        to_balance_minor=unrefunded - elsewhere,
        elsewhere_minor=elsewhere,
        pdf_url=_text(note.get("pdf"))[:1000],
        issued_at=_required(_moment(note.get("created")), "created", note),
        voided_at=_moment(note.get("voided_at")),
    )


def invoice_of(part: Json) -> str:
    """Which invoice an invoice payment or a credit note belongs to."""
    return _id(part.get("invoice"))


def _parse_item(item: Json) -> SubscriptionItemFacts:
    price = _mapping(item.get("price"))
    return SubscriptionItemFacts(
        id=_id(item.get("id")),
        price_id=_id(price),
        unit_amount_minor=_amount(price.get("unit_amount")),
        interval=_text(_mapping(price.get("recurring")).get("interval"))[:5],
        quantity=_quantity(item),
        period_start=_moment(item.get("current_period_start")),
        period_end=_moment(item.get("current_period_end")),
    )


def _parse_line(line: Json) -> InvoiceLineFacts:
    parent, period = _mapping(line.get("parent")), _mapping(line.get("period"))
    of_item = _mapping(parent.get("subscription_item_details"))
    of_invoice_item = _mapping(parent.get("invoice_item_details"))
    amount = _required(_amount(line.get("amount")), "amount", line)
    discount = sum(_amount(one.get("amount")) or 0 for one in _list(line.get("discount_amounts")))
    taxes = list(_list(line.get("taxes")))
    on_top = sum(_amount(tax.get("amount")) or 0 for tax in taxes if tax.get("tax_behavior") != "inclusive")
    price = _mapping(_mapping(line.get("pricing")).get("price_details")).get("price")
    return InvoiceLineFacts(
        id=_id(line.get("id")),
        # Prorations that waited for the next invoice are invoice items that name their subscription.
        subscription_id=_id(of_item.get("subscription"))
        or _id(of_invoice_item.get("subscription"))
        or _id(line.get("subscription")),
        price_id=_id(price),
        quantity=_quantity(line),
        is_proration=of_item.get("proration") is True or of_invoice_item.get("proration") is True,
        description=_text(line.get("description"))[:500],
        amount_minor=amount,
        discount_minor=discount,
        tax_minor=sum(_amount(tax.get("amount")) or 0 for tax in taxes),
        money_minor=amount - discount + on_top,
        starts_at=_required(_moment(period.get("start")), "period", line),
        ends_at=_required(_moment(period.get("end")), "period", line),
    )


def _quantity(of: Json) -> int:
    """How many are meant: one where that is not said. None at all are possible, and free."""
    quantity = _amount(of.get("quantity"))
    return 1 if quantity is None else quantity


def paid_from_balance(invoice: Json) -> int:
    """What the customer's balance at Stripe paid; negative where the invoice filled it.

    Stripe's balance is negative where it holds money of the customer's, so paying from it raises it.
    """
    before, after = _amount(invoice.get("starting_balance")), _amount(invoice.get("ending_balance"))
    return 0 if before is None or after is None else after - before


def _paying(invoice: Json) -> Json:
    """The payment that counts: the paid one, else the one that Stripe tries."""
    payments = list(_rows(invoice.get("payments")))
    best = next((one for one in payments if one.get("status") == "paid"), None)
    best = best or next((one for one in payments if one.get("is_default") is True), {})
    return _mapping(best.get("payment"))


def _rows(listed: object) -> Iterable[Json]:
    return _list(_mapping(listed).get("data"))


def _list(value: Any) -> Iterable[Json]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
