"""A customer's invoices, of packs and plans together."""

from billing.models import Invoice, InvoiceStatus


def page_of_invoices(*, customer_id: int, before_id: int | None, limit: int) -> tuple[list[Invoice], int | None]:
    """Up to `limit` invoices, those we learned of last first, and the id to go on from (None after the last page).

    Drafts are left out: they have no number, and may still change.
    """
    rows = Invoice.objects.filter(customer_id=customer_id).exclude(status=InvoiceStatus.DRAFT).order_by("-pk")
    rows = rows.select_related("payment").prefetch_related("credit_notes")
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    found = list(rows[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None
