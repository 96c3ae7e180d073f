"""What Stripe says about plans against what is recorded here: invoices of subscriptions, and subscriptions."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from billing.gateway.listed import InvoiceFacts
from billing.gateway.plan_facts import CreditNoteFacts, SubscriptionFacts
from billing.models import BillingCustomer, CreditNote, Invoice, InvoiceStatus, Subscription
from billing.money import format_money
from billing.services.plan_invoices import customers_at_stripe
from billing.services.reconciliation.shapes import Difference
from billing.services.subscriptions import next_plan_of


def plan_intent(payment_intent_id: str) -> str:
    """How an intent is remembered that pays an invoice of a plan of a customer of ours."""
    return f"plan_intent:{payment_intent_id}"


class InvoicesOfPage:
    """Our rows of a page of invoices, and whose customers they are, by two queries."""

    def __init__(self, page: Sequence[InvoiceFacts]) -> None:
        of_plans = [one for one in page if one.subscription_id]
        self._rows = {
            row.invoice_id: row for row in Invoice.objects.filter(invoice_id__in=[one.id for one in of_plans])
        }
        self._customers = customers_at_stripe(stripe_customer_ids=[one.customer_id for one in of_plans])

    def is_ours(self, invoice: InvoiceFacts) -> bool:
        return bool(invoice.subscription_id) and invoice.customer_id in self._customers

    def row(self, invoice: InvoiceFacts) -> Invoice | None:
        return self._rows.get(invoice.id)

    def customer(self, invoice: InvoiceFacts) -> BillingCustomer | None:
        return self._customers.get(invoice.customer_id)


def compare_plan_invoice(*, invoice: InvoiceFacts, plans: InvoicesOfPage) -> Iterator[Difference]:
    """An invoice of a subscription; one of a stranger is none of ours."""
    customer, row = plans.customer(invoice), plans.row(invoice)
    if customer is None:
        return
    theirs = {"status": invoice.status, "total_minor": invoice.total_minor, "currency": invoice.currency}
    total = format_money(amount_minor=invoice.total_minor, currency=invoice.currency)
    if invoice.status == InvoiceStatus.PAID and (row is None or row.status != InvoiceStatus.PAID):
        what = "not known here" if row is None else f"{row.status} here"
        yield Difference(
            kind="plan_invoice_missing",
            subject=invoice.id,
            detail=f"The invoice of {total} is paid, {what}.",
            occurred_at=invoice.created_at,
            changed_at=invoice.paid_at,
            customer=customer,
            stripe_id=invoice.id,
            ours={"status": row.status if row else None},
            theirs=theirs,
        )
    elif row is not None and (row.status, row.total_minor, row.currency) != (
        invoice.status,
        invoice.total_minor,
        invoice.currency,
    ):
        yield Difference(
            kind="plan_invoice_differs",
            subject=invoice.id,
            detail=f"The invoice is {invoice.status} with {total}, recorded as {row.status}.",
            occurred_at=invoice.created_at,
            customer=customer,
            stripe_id=invoice.id,
            ours={"status": row.status, "total_minor": row.total_minor, "currency": row.currency},
            theirs=theirs,
        )


def compare_credit_note(
    *, note: CreditNoteFacts, row: CreditNote | None, customer: BillingCustomer
) -> Iterator[Difference]:
    """A credit note of a customer of ours with its mirror."""
    if row is not None and row.is_void is note.is_void:
        return
    there = "void" if note.is_void else "issued"
    here = "not recorded" if row is None else "void here" if row.is_void else "issued here"
    total = format_money(amount_minor=note.total_minor, currency=note.currency)
    yield Difference(
        kind="credit_note_differs",
        subject=note.id,
        detail=f"A credit note of {total} is {there} at Stripe, {here}.",
        occurred_at=note.issued_at,
        changed_at=note.voided_at,
        customer=customer,
        stripe_id=note.id,
        ours={"status": None if row is None else "void" if row.is_void else "issued"},
        theirs={"status": there, "total_minor": note.total_minor, "currency": note.currency},
    )


def compare_subscription(
    *, subscription: SubscriptionFacts, row: Subscription | None, customer: BillingCustomer
) -> Iterator[Difference]:
    """A subscription of a customer of ours, read with its schedule, with its mirror."""
    next_plan = next_plan_of(facts=subscription)
    theirs = {
        "status": subscription.status,
        "prices": ", ".join(sorted(item.price_id for item in subscription.items)),
        "period_end": subscription.period_end.isoformat() if subscription.period_end else None,
        "cancel_at": subscription.cancel_at.isoformat() if subscription.cancel_at else None,
        "changes_at": subscription.changes_at.isoformat() if subscription.changes_at else None,
        "next_plan": next_plan.slug if next_plan else None,
    }
    ours = (
        None
        if row is None
        else {
            "status": row.status,
            "prices": ", ".join(sorted(str(item["price"]) for item in row.items)),
            "period_end": row.period_end.isoformat() if row.period_end else None,
            "cancel_at": row.cancel_at.isoformat() if row.cancel_at else None,
            "changes_at": row.changes_at.isoformat() if row.changes_at else None,
            "next_plan": row.next_plan.slug if row.next_plan else None,
        }
    )
    if ours != theirs:
        yield Difference(
            kind="subscription_differs",
            subject=subscription.id,
            detail=f"The subscription is {subscription.status}, {row.status if row else 'not known'} here.",
            occurred_at=subscription.started_at or _began_at(subscription),
            customer=customer,
            stripe_id=subscription.id,
            ours=ours or {},
            theirs=theirs,
        )


def _began_at(subscription: SubscriptionFacts) -> datetime:
    """A time by which a subscription without a start is found."""
    times = [item.period_start for item in subscription.items if item.period_start]
    return min(times) if times else datetime.now(UTC)
