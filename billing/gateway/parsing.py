"""Reads Stripe's JSON into facts, in whatever API version it was written, without ever raising over its shape.

A field that is missing or of an unknown shape becomes empty; what needs it then asks Stripe for the object itself.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from billing.gateway.facts import (
    CustomerFacts,
    DisputeFacts,
    EventEnvelope,
    FraudWarningFacts,
    MovementFacts,
    PaymentAttemptFailure,
    PaymentIntentFacts,
    PriceFacts,
    ProductFacts,
    RefundFacts,
    SessionFacts,
)

# Under this key of `metadata` Stripe's objects carry the public id of our payment.
PAYMENT_METADATA_KEY = "payment_id"
# And refunds that staff asked for carry that of their request.
REFUND_REQUEST_METADATA_KEY = "refund_request"

_ID = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_ID_FIELDS = (
    "id", "payment_intent", "charge", "latest_charge", "invoice", "subscription", "customer", "client_reference_id",
)  # fmt: skip

Json = Mapping[str, Any]
T = TypeVar("T")


def parse_event(body: Json) -> EventEnvelope:
    """The envelope of an event's decoded body; what is no event has an empty id or type."""
    stripe_object = _mapping(_mapping(body.get("data")).get("object"))
    return EventEnvelope(
        id=_id(body.get("id")),
        type=_id(body.get("type"))[:100],
        api_version=_id(body.get("api_version"))[:40],
        livemode=body.get("livemode") is True,
        account=_id(body.get("account")),
        created_at=_moment(body.get("created")),
        object_id=_id(stripe_object.get("id")),
        related_ids=_related_ids(stripe_object),
        object=stripe_object,
    )


def parse_session(session: Json) -> SessionFacts:
    """Facts of a checkout session."""
    return SessionFacts(
        id=_id(session.get("id")),
        mode=_text(session.get("mode")),
        status=_text(session.get("status")),
        payment_status=_text(session.get("payment_status")),
        livemode=session.get("livemode") is True,
        payment_reference=_payment_reference(session),
        amount_subtotal_minor=_amount(session.get("amount_subtotal")),
        amount_total_minor=_amount(session.get("amount_total")),
        amount_tax_minor=_amount(_mapping(session.get("total_details")).get("amount_tax")),
        amount_discount_minor=_amount(_mapping(session.get("total_details")).get("amount_discount")),
        currency=_text(session.get("currency")).lower(),
        customer_id=_id(session.get("customer")),
        payment_intent_id=_id(session.get("payment_intent")),
        invoice_id=_id(session.get("invoice")),
        created_at=_moment(session.get("created")),
        expires_at=_moment(session.get("expires_at")),
        client_secret=_text(session.get("client_secret")),
        url=_text(session.get("url")),
    )


def parse_payment_intent(intent: Json) -> PaymentIntentFacts:
    """Facts of a payment intent; before 2022-11 its charges were a list inside it."""
    charges = _mapping(intent.get("charges")).get("data")
    charge = intent.get("latest_charge") or (charges[0] if isinstance(charges, list) and charges else None)
    return PaymentIntentFacts(
        id=_id(intent.get("id")),
        status=_text(intent.get("status")),
        livemode=intent.get("livemode") is True,
        payment_reference=_payment_reference(intent),
        amount_minor=_amount(intent.get("amount")),
        amount_received_minor=_amount(intent.get("amount_received")),
        currency=_text(intent.get("currency")).lower(),
        customer_id=_id(intent.get("customer")),
        charge_id=_id(charge),
        charged_at=_moment(_mapping(charge).get("created")),
        receipt_url=_text(_mapping(charge).get("receipt_url")),
        failure=_parse_failure(intent.get("last_payment_error")),
        created_at=_moment(intent.get("created")),
        payment_method_id=_id(intent.get("payment_method"))
        or _id(_mapping(intent.get("last_payment_error")).get("payment_method")),
    )


def parse_refund(refund: Json) -> RefundFacts:
    """Facts of a refund.

    Raises:
        ValueError: it does not say how much, or when it was made.
    """
    back = _mapping(refund.get("failure_balance_transaction"))
    return RefundFacts(
        id=_id(refund.get("id")),
        amount_minor=_required(_amount(refund.get("amount")), "amount", refund),
        currency=_text(refund.get("currency")).lower(),
        status=_text(refund.get("status"))[:30],
        reason=_text(refund.get("reason"))[:100],
        charge_id=_id(refund.get("charge")),
        payment_intent_id=_id(refund.get("payment_intent")),
        created_at=_required(_moment(refund.get("created")), "created", refund),
        failed_at=_moment(back.get("created")),
        request_reference=_id(_mapping(refund.get("metadata")).get(REFUND_REQUEST_METADATA_KEY)),
    )


def parse_dispute(dispute: Json) -> DisputeFacts:
    """Facts of a dispute; an expanded charge names the payment intent in versions where the dispute did not.

    Raises:
        ValueError: it does not say how much, or when it was opened.
    """
    moved = dispute.get("balance_transactions")
    return DisputeFacts(
        id=_id(dispute.get("id")),
        amount_minor=_required(_amount(dispute.get("amount")), "amount", dispute),
        currency=_text(dispute.get("currency")).lower(),
        reason=_text(dispute.get("reason"))[:100],
        status=_text(dispute.get("status"))[:40],
        charge_id=_id(dispute.get("charge")),
        payment_intent_id=_id(dispute.get("payment_intent"))
        or _id(_mapping(dispute.get("charge")).get("payment_intent")),
        livemode=dispute.get("livemode") is True,
        created_at=_required(_moment(dispute.get("created")), "created", dispute),
        movements=tuple(parse_movement(one) for one in moved if isinstance(one, Mapping))
        if isinstance(moved, list)
        else (),
    )


def parse_movement(balance_transaction: Json) -> MovementFacts:
    """Facts of a dispute's balance transaction.

    Raises:
        ValueError: it does not say how much, or when.
    """
    return MovementFacts(
        id=_id(balance_transaction.get("id")),
        amount_minor=_required(_amount(balance_transaction.get("amount")), "amount", balance_transaction),
        created_at=_required(_moment(balance_transaction.get("created")), "created", balance_transaction),
    )


def parse_fraud_warning(warning: Json) -> FraudWarningFacts:
    """Facts of an early fraud warning.

    Raises:
        ValueError: it does not say when it was made.
    """
    return FraudWarningFacts(
        id=_id(warning.get("id")),
        fraud_type=_text(warning.get("fraud_type"))[:100],
        charge_id=_id(warning.get("charge")),
        payment_intent_id=_id(warning.get("payment_intent")),
        livemode=warning.get("livemode") is True,
        created_at=_required(_moment(warning.get("created")), "created", warning),
    )


def parse_customer(customer: Json) -> CustomerFacts:
    """Facts of a customer; a deleted one is only its id."""
    return CustomerFacts(
        id=_id(customer.get("id")), email=_text(customer.get("email")), is_deleted=customer.get("deleted") is True
    )


def parse_product(product: Json) -> ProductFacts:
    """Facts of a product."""
    return ProductFacts(
        id=_id(product.get("id")), name=_text(product.get("name")), is_active=product.get("active") is True
    )


def parse_price(price: Json) -> PriceFacts:
    """Facts of a price."""
    recurring = _mapping(price.get("recurring"))
    return PriceFacts(
        id=_id(price.get("id")),
        product_id=_id(price.get("product")),
        amount_minor=_amount(price.get("unit_amount")),
        currency=_text(price.get("currency")).lower(),
        is_active=price.get("active") is True,
        is_recurring=price.get("type") != "one_time",
        livemode=price.get("livemode") is True,
        interval=_text(recurring.get("interval"))[:10] if recurring.get("interval_count") == 1 else "",
    )


def _parse_failure(error: object) -> PaymentAttemptFailure | None:
    if not isinstance(error, Mapping):
        return None
    return PaymentAttemptFailure(
        charge_id=_id(error.get("charge")),
        code=_text(error.get("code"))[:100],
        decline_code=_text(error.get("decline_code"))[:100],
        message=_text(error.get("message"))[:500],
    )


def _payment_reference(stripe_object: Json) -> str:
    return _id(_mapping(stripe_object.get("metadata")).get(PAYMENT_METADATA_KEY)) or _id(
        stripe_object.get("client_reference_id")
    )


def _related_ids(stripe_object: Json) -> tuple[str, ...]:
    named = [_id(stripe_object.get(name)) for name in _ID_FIELDS] + [_payment_reference(stripe_object)]
    return tuple(dict.fromkeys(name for name in named if name))


def _id(value: object) -> str:
    """An id, of the object itself where it was expanded. Anything that could not be one (NUL, say) is none."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    """Text that a database can store: no NUL, no lone surrogate."""
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def _amount(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _required(value: T | None, name: str, stripe_object: Json) -> T:
    if value is None:
        raise ValueError(f"The object {_id(stripe_object.get('id')) or '(without an id)'} has no {name}.")
    return value


def _moment(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None
