"""The step that reads customers: two at Stripe for one of ours, and those that are deleted there."""

from collections.abc import Iterator, Sequence

from billing.errors import StripeObjectMissing
from billing.gateway.listed import ListedCustomer
from billing.models import BillingCustomer
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.seen import payments_seen, remember_seen
from billing.services.reconciliation.shapes import Difference

_CHUNK = 100


def read_customers(reading: Reading) -> None:
    """Customers made in the window, on both sides. Deletions of older ones are events."""
    for page in reading.gateway.page_customers(window=reading.scope.window):
        remember_seen((one.id, None, one.created_at) for one in page)
        reading.collect(find_doubles(page))
        reading.counts.add_object("customers", len(page))
        reading.progress(step="customers", at=page[-1].created_at)
    for customers in _made_here(reading):
        names = [str(customer.stripe_customer_id) for customer in customers]
        unseen = set(names) - set(payments_seen(names))
        for customer in customers:
            if customer.stripe_customer_id in unseen:
                check_customer(reading, customer=customer)


def check_customer(reading: Reading, *, customer: BillingCustomer) -> None:
    """Ask Stripe for one customer."""
    if not customer.stripe_customer_id:
        return
    reading.counts.add_object("customers")
    try:
        is_gone = reading.gateway.retrieve_customer(customer_id=customer.stripe_customer_id).is_deleted
    except StripeObjectMissing:
        is_gone = True
    if is_gone:
        reading.collect([deleted_customer(customer)])


def deleted_customer(customer: BillingCustomer) -> Difference:
    """Our side still names a customer that Stripe has deleted."""
    return Difference(
        kind="customer_deleted",
        subject=str(customer.stripe_customer_id),
        detail="The customer was deleted at Stripe and is still named here.",
        occurred_at=customer.created_at,
        customer=customer,
        stripe_id=str(customer.stripe_customer_id),
        ours={"customer": customer.public_id, "stripe_customer": customer.stripe_customer_id},
        theirs={"deleted": True},
    )


def find_doubles(page: Sequence[ListedCustomer]) -> Iterator[Difference]:
    """Customers at Stripe that name one of ours which knows another one."""
    named = [one.reference for one in page if one.reference]
    ours = {customer.public_id: customer for customer in BillingCustomer.objects.filter(public_id__in=named)}
    for one in page:
        customer = ours.get(one.reference)
        if customer is None or not customer.stripe_customer_id:
            continue
        if one.id != customer.stripe_customer_id and one.id not in customer.former_stripe_customer_ids:
            yield Difference(
                kind="customer_doubled",
                subject=one.id,
                detail=f"It names {customer.public_id}, which is {customer.stripe_customer_id} at Stripe.",
                occurred_at=one.created_at,
                customer=customer,
                stripe_id=one.id,
                ours={"customer": customer.public_id, "stripe_customer": customer.stripe_customer_id},
                theirs={"stripe_customer": one.id},
            )


def _made_here(reading: Reading) -> Iterator[list[BillingCustomer]]:
    made = BillingCustomer.objects.filter(created_at__gte=reading.scope.since, stripe_customer_id__isnull=False)
    if reading.scope.until:
        made = made.filter(created_at__lt=reading.scope.until)
    last = 0
    while chunk := list(made.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        yield chunk
        last = chunk[-1].pk
