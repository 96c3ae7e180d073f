"""What Stripe says about payments against what is recorded here (pure comparisons of one object with one row)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from billing.gateway.facts import PaymentIntentFacts, SessionFacts
from billing.gateway.listed import ChargeFacts, InvoiceFacts
from billing.models import Payment, PaymentKind, Severity
from billing.money import format_money
from billing.services.payment_facts import facts_of_session
from billing.services.reconciliation.shapes import Difference


def compare_session(
    *, session: SessionFacts, payment: Payment | None, occurred_at: datetime, paid_at: datetime | None
) -> Iterator[Difference]:
    """A checkout session. `paid_at` is when its money was taken, where the intents told."""
    facts = facts_of_session(session=session, occurred_at=occurred_at)
    theirs = {
        "session": session.id,
        "status": session.status,
        "payment_status": session.payment_status,
        "amount_minor": session.amount_total_minor,
        "currency": session.currency,
    }
    if facts.collected is not None:
        yield from _compare_collected(
            payment=payment,
            amount_minor=facts.collected.amount_minor,
            expected_minor=payment.paid_amount_minor if payment else None,
            currency=facts.collected.currency,
            own_id=session.id,
            known_id=payment.checkout_session_id if payment else None,
            named=session.payment_intent_id or session.id,
            reference=session.payment_reference,
            theirs=theirs,
            occurred_at=occurred_at,
            changed_at=paid_at,
        )
    elif payment is not None and payment.checkout_session_id in (None, session.id):
        yield from _compare_uncollected(session=session, payment=payment, theirs=theirs, occurred_at=occurred_at)


def compare_intent(
    *, intent: PaymentIntentFacts, payment: Payment | None, occurred_at: datetime
) -> Iterator[Difference]:
    """A payment intent: only one that succeeded proves anything."""
    if intent.status != "succeeded" or _is_of_plan(payment):
        return
    yield from _compare_collected(
        payment=payment,
        amount_minor=intent.amount_received_minor or 0,
        expected_minor=_in_money(payment),
        currency=intent.currency,
        own_id=intent.id,
        known_id=payment.payment_intent_id if payment else None,
        named=intent.id,
        reference=intent.payment_reference,
        theirs={
            "payment_intent": intent.id,
            "status": intent.status,
            "amount_minor": intent.amount_received_minor,
            "currency": intent.currency,
        },
        occurred_at=occurred_at,
        changed_at=intent.charged_at,
    )


def compare_charge(*, charge: ChargeFacts, payment: Payment | None) -> Iterator[Difference]:
    """A charge, as far as the money goes that it took. Its intent may have had others, which failed."""
    if not charge.is_paid or _is_of_plan(payment):
        return
    yield from _compare_collected(
        payment=payment,
        amount_minor=charge.amount_minor,
        expected_minor=_in_money(payment),
        currency=charge.currency,
        own_id=charge.id,
        known_id=payment.charge_id if payment else None,
        named=charge.payment_intent_id or charge.id,
        reference=charge.payment_reference,
        theirs={
            "charge": charge.id,
            "payment_intent": charge.payment_intent_id,
            "amount_minor": charge.amount_minor,
            "currency": charge.currency,
        },
        occurred_at=charge.created_at,
        changed_at=charge.created_at,
    )


def compare_invoice(*, invoice: InvoiceFacts, payment: Payment | None) -> Iterator[Difference]:
    """An invoice that names a payment of ours; of a pack's checkout it is the receipt."""
    if payment is None or payment.paid_at is None:
        return
    theirs = {"status": invoice.status, "paid_minor": invoice.paid_minor, "currency": invoice.currency}
    ours = {
        "invoice": payment.invoice_id,
        "paid_minor": payment.paid_amount_minor,
        "currency": payment.paid_currency,
    }
    if payment.invoice_id and payment.invoice_id != invoice.id:
        detail = f"The invoice {invoice.id} names the payment, which has another one."
    elif invoice.status != "paid":
        detail = f"The invoice {invoice.id} is {invoice.status}, its payment is paid."
    elif (invoice.paid_minor, invoice.currency) != (payment.paid_amount_minor, payment.paid_currency):
        detail = f"The invoice {invoice.id} is about another amount than its payment."
    else:
        return
    yield Difference(
        kind="invoice_differs",
        subject=invoice.id,
        detail=detail,
        occurred_at=invoice.created_at,
        payment=payment,
        stripe_id=invoice.id,
        ours=ours,
        theirs=theirs,
    )


def recorded(payment: Payment) -> dict[str, Any]:
    """Our side of a payment, as findings show it."""
    return {
        "payment": payment.public_id,
        "state": payment.state,
        "offered": format_money(amount_minor=payment.amount_minor, currency=payment.currency),
        "paid_minor": payment.paid_amount_minor,
        "currency": payment.paid_currency or payment.currency,
        "entries": payment.posting_count,
    }


def _compare_collected(
    *,
    payment: Payment | None,
    amount_minor: int,
    expected_minor: int | None,
    currency: str,
    own_id: str,
    known_id: str | None,
    named: str,
    reference: str,
    theirs: dict[str, Any],
    occurred_at: datetime,
    changed_at: datetime | None,
) -> Iterator[Difference]:
    """An object that proves a payment; `known_id` is what the payment knows under that object's name.

    `expected_minor` is what such an object should have of what is recorded.
    """
    paid = format_money(amount_minor=amount_minor, currency=currency)
    when: dict[str, Any] = {"occurred_at": occurred_at, "changed_at": changed_at}
    if payment is None:
        whose = f"It names {reference}, which is none of ours." if reference else "It names none of ours."
        yield Difference(
            kind="payment_not_ours",
            subject=named,
            detail=f"{paid} were paid. {whose}",
            severity=Severity.HIGH if reference else Severity.LOW,
            stripe_id=named,
            theirs=theirs,
            **when,
        )
        return
    same: dict[str, Any] = {"payment": payment, "theirs": theirs, "ours": recorded(payment), "stripe_id": own_id}
    if known_id and known_id != own_id:
        detail = f"{paid} were paid under {own_id}; the payment is known under {known_id}."
        yield Difference(kind="payment_contradicted", subject=named, detail=detail, **same, **when)
    elif payment.mismatch:
        yield Difference(kind="payment_mismatched", subject=payment.public_id, detail=payment.mismatch, **same, **when)
    elif payment.paid_at is None or not (payment.posting_count or _is_all_given_back(payment)):
        what = "not recorded here" if payment.paid_at is None else "recorded here, but nothing was granted"
        yield Difference(
            kind="paid_not_granted", subject=payment.public_id, detail=f"{paid} were paid, {what}.", **same, **when
        )
    elif payment.paid_currency != currency:
        detail = f"Paid in {currency.upper()}, recorded in {payment.paid_currency.upper()}."
        yield Difference(kind="currency_differs", subject=payment.public_id, detail=detail, **same, **when)
    elif expected_minor != amount_minor:
        known = format_money(amount_minor=expected_minor or 0, currency=currency)
        detail = f"{paid} were paid, {known} are recorded."
        yield Difference(kind="amount_differs", subject=payment.public_id, detail=detail, **same, **when)


def _in_money(payment: Payment | None) -> int | None:
    """What of a payment no balance at Stripe has paid, as far as its invoice is known: what a charge brought."""
    if payment is None or payment.paid_amount_minor is None:
        return None
    invoice = getattr(payment, "invoice_mirror", None)
    return payment.paid_amount_minor - (int(invoice.from_balance_minor) if invoice else 0)


def _is_of_plan(payment: Payment | None) -> bool:
    """What was collected for a plan, its invoice says: a part may have come from the customer's balance."""
    return payment is not None and payment.kind == PaymentKind.PLAN


def _compare_uncollected(
    *, session: SessionFacts, payment: Payment, theirs: dict[str, Any], occurred_at: datetime
) -> Iterator[Difference]:
    same: dict[str, Any] = {
        "subject": payment.public_id,
        "payment": payment,
        "stripe_id": session.id,
        "ours": recorded(payment),
        "theirs": theirs,
        "occurred_at": occurred_at,
    }
    if payment.paid_at is not None:
        yield Difference(kind="granted_not_paid", detail=f"Its checkout is {session.status} and unpaid.", **same)
    elif session.status == "expired" and payment.expired_at is None:
        yield Difference(kind="checkout_state_differs", detail="Its checkout has expired.", **same)
    elif session.status == "complete" and payment.completed_at is None:
        yield Difference(kind="checkout_state_differs", detail="Its checkout is complete, its money under way.", **same)


def _is_all_given_back(payment: Payment) -> bool:
    """Whether nothing was ever to be granted: a mismatched payment that went back whole, say."""
    return bool(payment.paid_amount_minor) and payment.given_back_minor >= (payment.paid_amount_minor or 0)
