"""Usage events of one customer."""

from django.db.models import Q, QuerySet

from usage.models import UsageEvent


def events_of(*, customer_id: int) -> QuerySet[UsageEvent]:
    """The customer's events with what their shape shows."""
    rows = UsageEvent.objects.filter(customer_id=customer_id)
    return rows.select_related("api_key", "hold", "entry", "price", "operation_price")


def find_usage_event(*, customer_id: int, public_id: str) -> UsageEvent | None:
    """One event of the customer's by its name; None if there is none."""
    return events_of(customer_id=customer_id).filter(public_id=public_id).first()


def newest_events(
    *, events: QuerySet[UsageEvent], after: UsageEvent | None, before: UsageEvent | None, limit: int
) -> tuple[list[UsageEvent], bool]:
    """Up to `limit` events by when they happened, newest first, and whether more follow in the direction of reading.

    With `after` those that happened before that one; with `before` those just after it.
    """
    if before is not None:
        newer = events.filter(
            Q(occurred_at__gt=before.occurred_at) | Q(occurred_at=before.occurred_at, pk__gt=before.pk),
            occurred_at__gte=before.occurred_at,  # so that the index is used
        )
        rows = list(newer.order_by("occurred_at", "pk")[: limit + 1])
        return rows[:limit][::-1], len(rows) > limit
    if after is not None:
        events = events.filter(
            Q(occurred_at__lt=after.occurred_at) | Q(occurred_at=after.occurred_at, pk__lt=after.pk),
            occurred_at__lte=after.occurred_at,
        )
    rows = list(events.order_by("-occurred_at", "-pk")[: limit + 1])
    return rows[:limit], len(rows) > limit
