"""A top-up on which tax may be due: an invoice of our own, made, finalized and paid step by step.

Each step has a key derived from the attempt's stored one, so all of them can be said again from the start. Tax is known
once the invoice is final: what would go beyond the customer's limit is voided before anything is taken.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from billing.errors import (
    PaymentDeclined,
    PaymentNeedsAuthentication,
    StripeObjectMissing,
    StripeRefused,
    StripeUnavailable,
)
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PaymentIntentFacts
from billing.gateway.invoicing import OwnInvoiceFacts
from billing.gateway.listing import Window
from billing.models import Payment, TopUpConsent
from billing.money import share_minor
from billing.pricing import Collected
from billing.services.payment_facts import PaymentFacts
from billing.top_up_rules import Judgement, Verdict

UNDER_WAY = ("processing", "requires_capture")  # of an intent: its events tell the end
_CLOCKS_DIFFER = timedelta(hours=1)


class BeyondLimit(Exception):
    """With tax the payment would be more than may still be charged this month. Nothing was taken."""

    def __init__(self, *, total_minor: int) -> None:
        self.total_minor = total_minor
        super().__init__(f"{total_minor} is more than may be charged.")


class Withdrawn(Exception):
    """What spoke for the charge when it was begun speaks against it now. Nothing was taken."""

    def __init__(self, *, judgement: Judgement) -> None:
        self.judgement = judgement
        super().__init__(str(judgement.obstacle))


class CollectsDebt(Exception):
    """It would take what the customer owes at Stripe along, which nobody has agreed to. Nothing was taken."""


class EndedBefore(Exception):
    """An earlier try ended the invoice and was itself ended before it wrote that down. Nothing was taken."""


def charge_by_invoice(
    *, attempt: Payment, consent: TopUpConsent, judge_again: Callable[[], Judgement], gateway: StripeGateway
) -> tuple[OwnInvoiceFacts, PaymentIntentFacts | None, bool]:
    """The invoice after the attempt to pay it, and its payment intent; one that was not paid is void.

    And whether the bank wants to hear from the customer: the intent of a void invoice is canceled, and does not say so
    any more. The way to an open invoice is long: `judge_again` is asked once it is there, right before it is paid.

    Raises:
        BeyondLimit: tax makes it more than may be charged.
        CollectsDebt: an older debt at Stripe makes it more than was agreed to.
        Withdrawn: nothing may be charged any more.
        EndedBefore: the invoice is void or deleted already.
        StripeRefused: Stripe will not make or collect such an invoice.
        StripeUnavailable: whether it was charged is unknown.
    """
    invoice, needs_customer = _finalized(attempt=attempt, consent=consent, gateway=gateway), False
    if invoice.status == "open":
        objection = _find_objection(invoice, judgement=judge_again())
        if objection is None:
            invoice, needs_customer = _pay(invoice, attempt=attempt, consent=consent, gateway=gateway)
        else:
            invoice = _give_up(invoice, because=objection, attempt=attempt, gateway=gateway)
    return invoice, _intent_of(invoice, attempt=attempt, gateway=gateway), needs_customer


def look_up_invoice(
    *, attempt: Payment, consent: TopUpConsent, ends: bool, gateway: StripeGateway
) -> tuple[OwnInvoiceFacts, PaymentIntentFacts | None] | None:
    """The invoice of an attempt that is paid or waits for its bank, if it has one.

    With `ends` any other is voided, so that it never will be paid.
    """
    invoice_id = attempt.invoice_id or _find(attempt=attempt, consent=consent, gateway=gateway)
    if not invoice_id:
        return None
    invoice, intent = read_invoice(invoice_id=invoice_id, attempt=attempt, gateway=gateway)
    if intent is not None and intent.status in UNDER_WAY:
        return invoice, intent
    if ends and invoice.status in ("open", "draft"):
        invoice = void_unpaid(invoice=invoice, attempt=attempt, gateway=gateway)
    return (invoice, _intent_of(invoice, attempt=attempt, gateway=gateway)) if invoice.is_collected else None


def read_invoice(
    *, invoice_id: str, attempt: Payment, gateway: StripeGateway
) -> tuple[OwnInvoiceFacts, PaymentIntentFacts | None]:
    """An invoice of an attempt as it is now, and its payment intent."""
    invoice = gateway.retrieve_invoice(invoice_id=invoice_id)
    return invoice, _intent_of(invoice, attempt=attempt, gateway=gateway)


def void_unpaid(*, invoice: OwnInvoiceFacts, attempt: Payment, gateway: StripeGateway) -> OwnInvoiceFacts:
    """The invoice as it is once nobody can pay it any more; one that was paid meanwhile stays paid."""
    if invoice.status == "draft":
        gateway.delete_draft(invoice_id=invoice.id)
        return replace(invoice, status="void")
    with suppress(StripeRefused):  # it was paid or voided meanwhile
        gateway.void_invoice(invoice_id=invoice.id, idempotency_key=_key(attempt, "void"))
    return gateway.retrieve_invoice(invoice_id=invoice.id)


def _find_objection(invoice: OwnInvoiceFacts, *, judgement: Judgement) -> Exception | None:
    """Why an open invoice is not to be paid. What its customer owes at Stripe is due with it, besides its total."""
    total_minor = invoice.total_minor or 0
    if judgement.verdict is not Verdict.CHARGE:
        return Withdrawn(judgement=judgement)
    if (invoice.amount_due_minor or 0) > total_minor:
        return CollectsDebt()
    return BeyondLimit(total_minor=total_minor) if total_minor > judgement.most_minor else None


def _give_up(
    invoice: OwnInvoiceFacts, *, because: Exception, attempt: Payment, gateway: StripeGateway
) -> OwnInvoiceFacts:
    """The invoice if it turns out to be paid by an earlier try; otherwise it is void, and `because` is raised."""
    ended = void_unpaid(invoice=invoice, attempt=attempt, gateway=gateway)
    if ended.status == "paid":
        return ended
    if ended.status == "open":
        raise StripeUnavailable(f"The invoice {invoice.id} is neither paid nor void.")
    raise because


def facts_of_own_invoice(*, invoice: OwnInvoiceFacts, charged_at: datetime) -> PaymentFacts:
    """What an invoice of our own says: only a paid one proves anything, and it knows the subtotal and the tax.

    What a credit note took off before it was paid is no part of it, so that less paid is not what was offered.
    """
    is_paid, subtotal, tax = invoice.is_collected, invoice.subtotal_minor, invoice.tax_minor
    if is_paid and invoice.credited_minor:
        tax -= share_minor(amount_minor=tax, part=invoice.credited_minor, whole=invoice.total_minor or 1)
        subtotal = invoice.asked_minor - tax
    collected = Collected(amount_minor=invoice.asked_minor, currency=invoice.currency, subtotal_minor=subtotal)
    return PaymentFacts(
        livemode=invoice.livemode,
        told_at=charged_at,
        payment_reference=invoice.payment_reference,
        stripe_customer_id=invoice.customer_id,
        payment_intent_id=invoice.payment_intent_id,
        invoice_id=invoice.id,
        collected=collected if is_paid else None,
        tax_minor=tax if is_paid else None,
        collected_at=charged_at if is_paid else None,
    )


def _find(*, attempt: Payment, consent: TopUpConsent, gateway: StripeGateway) -> str:
    """The id of the invoice that names the attempt; empty if none does."""
    window = Window(since=attempt.created_at - _CLOCKS_DIFFER)
    pages = gateway.page_invoices(window=window, customer_id=consent.stripe_customer_id)
    return next((one.id for page in pages for one in page if one.payment_reference == attempt.public_id), "")


def _finalized(*, attempt: Payment, consent: TopUpConsent, gateway: StripeGateway) -> OwnInvoiceFacts:
    draft = gateway.create_invoice(
        customer_id=consent.stripe_customer_id,
        currency=attempt.currency,
        payment_reference=attempt.public_id,
        description=attempt.description,
        payment_method_id=consent.payment_method_id,
        is_taxed=True,
        idempotency_key=_key(attempt, "invoice"),
    )
    try:
        gateway.add_invoice_item(
            invoice_id=draft.id,
            customer_id=consent.stripe_customer_id,
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            description=attempt.description,
            payment_reference=attempt.public_id,
            idempotency_key=_key(attempt, "item"),
        )
        return gateway.finalize_invoice(invoice_id=draft.id, idempotency_key=_key(attempt, "finalize"))
    except StripeRefused as refusal:
        try:
            gateway.retrieve_invoice(invoice_id=draft.id)
        except StripeObjectMissing:
            raise EndedBefore from refusal
        raise


def _pay(
    invoice: OwnInvoiceFacts, *, attempt: Payment, consent: TopUpConsent, gateway: StripeGateway
) -> tuple[OwnInvoiceFacts, bool]:
    """The invoice, paid or void, and whether the bank wants to hear from the customer."""
    try:
        paid = gateway.pay_invoice(
            invoice_id=invoice.id,
            payment_method_id=consent.payment_method_id,
            idempotency_key=_key(attempt, "pay"),
        )
    except PaymentDeclined as decline:
        ended = void_unpaid(invoice=invoice, attempt=attempt, gateway=gateway)
        if not decline.payment_intent_id:
            raise
        ended = replace(ended, payment_intent_id=decline.payment_intent_id)
        return ended, isinstance(decline, PaymentNeedsAuthentication)
    except StripeRefused as refusal:
        found = gateway.retrieve_invoice(invoice_id=invoice.id)
        if found.status == "paid":
            return found, False
        if found.status == "void":
            raise EndedBefore from refusal
        void_unpaid(invoice=found, attempt=attempt, gateway=gateway)
        raise
    return paid, False


def _intent_of(invoice: OwnInvoiceFacts, *, attempt: Payment, gateway: StripeGateway) -> PaymentIntentFacts | None:
    """The intent that paid an invoice or failed to, as one of the attempt's: it does not say so itself."""
    if not invoice.payment_intent_id:
        return None
    intent = gateway.retrieve_payment_intent(payment_intent_id=invoice.payment_intent_id)
    return replace(intent, payment_reference=attempt.public_id)


def _key(attempt: Payment, step: str) -> str:
    return f"{attempt.stripe_idempotency_key}-{step}"
