"""The step that reads events: those that our inbox never got."""

from collections.abc import Sequence

from billing.gateway.listed import ListedEvent
from billing.models import BillingCustomer, Payment, StripeEvent
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.local_rows import Names, PaymentsOfPage
from billing.services.reconciliation.reading_customers import deleted_customer
from billing.services.reconciliation.shapes import Difference

CUSTOMER_DELETED = "customer.deleted"


def read_events(reading: Reading, *, event_types: Sequence[str]) -> None:
    """Events of the types that we read. Stripe keeps them for 30 days."""
    for page in reading.gateway.page_events(window=reading.scope.window, types=event_types):
        known = set(
            StripeEvent.objects.filter(event_id__in=[one.envelope.id for one in page]).values_list(
                "event_id", flat=True
            )
        )
        missed = [one for one in page if one.envelope.id not in known and not one.envelope.account]
        payments = PaymentsOfPage([_names(one) for one in missed])
        reading.collect(_missed(one, payment=payments.find(_names(one))) for one in missed)
        _read_deletions(reading, page)
        reading.counts.add_object("events", len(page))
        reading.progress(step="events", at=page[-1].created_at)


def _missed(event: ListedEvent, *, payment: Payment | None) -> Difference:
    return Difference(
        kind="event_missed",
        subject=event.envelope.id,
        detail=f"{event.envelope.type} never came.",
        occurred_at=event.created_at,
        payment=payment,
        stripe_id=event.envelope.id,
        theirs={
            "event": event.envelope.id,
            "type": event.envelope.type,
            "object": event.envelope.object_id,
            "object_type": event.object_type,
            "livemode": event.envelope.livemode,
            "names": " ".join(event.envelope.related_ids),
        },
    )


def _names(event: ListedEvent) -> Names:
    """What the event's object calls its payment, among all the ids that it names."""
    named = {"reference": "", "session_id": "", "payment_intent_id": "", "charge_id": ""}
    for related in event.envelope.related_ids:
        for prefix, field in (
            ("pay_", "reference"),
            ("cs_", "session_id"),
            ("pi_", "payment_intent_id"),
            ("ch_", "charge_id"),
            ("py_", "charge_id"),
        ):
            if related.startswith(prefix):
                named[field] = related
    return Names(**named)


def _read_deletions(reading: Reading, page: Sequence[ListedEvent]) -> None:
    deleted = [one.envelope.object_id for one in page if one.envelope.type == CUSTOMER_DELETED]
    if deleted:
        still_named = BillingCustomer.objects.filter(stripe_customer_id__in=deleted)
        reading.collect(deleted_customer(customer) for customer in still_named)
