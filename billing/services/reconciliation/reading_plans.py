"""Steps that read subscriptions, and what is recorded of plans and was not seen at Stripe."""

from datetime import timedelta

from django.db.models import F

from billing.errors import StripeObjectMissing
from billing.gateway.plan_facts import SubscriptionFacts
from billing.models import CreditNote, Invoice, InvoiceStatus, Subscription
from billing.services.plan_invoices import customers_at_stripe
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.compare_plans import compare_credit_note, compare_subscription
from billing.services.reconciliation.reading_ours import unseen
from billing.services.reconciliation.reading_payments import pages
from billing.services.reconciliation.seen import remember_seen
from billing.services.reconciliation.shapes import Difference

_OVERDUE = timedelta(hours=1)


def read_subscriptions(reading: Reading) -> None:
    """Subscriptions that began in the window, and running ones that should have been renewed or ended by now."""
    for page in pages(reading, lambda named: reading.gateway.page_subscriptions(window=reading.scope.window, **named)):
        remember_seen((one.id, None, None) for one in page)
        _compare(reading, page)
        reading.counts.add_object("subscriptions", len(page))
    overdue = Subscription.objects.filter(ended_at__isnull=True, period_end__lt=reading.now - _OVERDUE)
    overdue = overdue.filter(read_at__lt=F("period_end"))
    if reading.scope.customer is not None:
        overdue = overdue.filter(customer=reading.scope.customer)
    for row in overdue.order_by("pk").iterator(chunk_size=100):
        try:
            found = reading.gateway.retrieve_subscription(subscription_id=row.subscription_id)
        except StripeObjectMissing:
            continue  # of another account or mode: what was paid for it is compared by its invoices
        if not _compare(reading, [found]):  # a pause, say: it is not asked for again before its next period
            Subscription.objects.filter(pk=row.pk, read_at__lt=reading.now).update(read_at=reading.now)
        reading.counts.add_object("subscriptions")
    reading.progress(step="subscriptions", at=None)


def read_credit_notes(reading: Reading) -> None:
    """Credit notes issued in the window, of invoices of any age."""
    for page in pages(reading, lambda named: reading.gateway.page_credit_notes(window=reading.scope.window, **named)):
        customers = customers_at_stripe(stripe_customer_ids=[one.customer_id for one in page])
        rows = {
            row.credit_note_id: row for row in CreditNote.objects.filter(credit_note_id__in=[one.id for one in page])
        }
        reading.collect(
            difference
            for one in page
            if (customer := customers.get(one.customer_id)) is not None
            for difference in compare_credit_note(note=one, row=rows.get(one.id), customer=customer)
        )
        reading.counts.add_object("credit_notes", len(page))
        reading.progress(step="credit_notes", at=page[-1].issued_at)


def read_our_invoices(reading: Reading) -> None:
    """Paid invoices of plans that are recorded as of the window."""
    paid = Invoice.objects.filter(status=InvoiceStatus.PAID).exclude(subscription_id="").select_related("customer")
    for chunk in unseen(reading.scope, paid, time="created_at", name="invoice_id", owner="customer"):
        reading.collect(difference for invoice in chunk if (difference := _check_invoice(reading, invoice)) is not None)
        reading.counts.add_object("our_invoices", len(chunk))
    reading.progress(step="our_invoices", at=None)


def _compare(reading: Reading, page: list[SubscriptionFacts]) -> int:
    """Collect how subscriptions differ from their mirrors; gives how many differences there are."""
    customers = customers_at_stripe(stripe_customer_ids=[one.customer_id for one in page])
    found = Subscription.objects.filter(subscription_id__in=[one.id for one in page]).select_related("next_plan")
    rows = {row.subscription_id: row for row in found}
    differences = [
        difference
        for one in page
        if (customer := customers.get(one.customer_id)) is not None
        for difference in compare_subscription(subscription=one, row=rows.get(one.id), customer=customer)
    ]
    reading.collect(differences)
    return len(differences)


def _check_invoice(reading: Reading, invoice: Invoice) -> Difference | None:
    try:
        found = reading.gateway.retrieve_plan_invoice(invoice_id=invoice.invoice_id)
        if found.is_paid:
            return None
        detail = f"Stripe says that this invoice is {found.status}."
    except StripeObjectMissing:
        detail = "Stripe does not know this invoice."
    return Difference(
        kind="plan_invoice_unknown",
        subject=invoice.invoice_id,
        detail=detail,
        occurred_at=invoice.created_at,
        customer=invoice.customer,
        stripe_id=invoice.invoice_id,
        ours={"status": invoice.status, "total_minor": invoice.total_minor, "currency": invoice.currency},
    )
