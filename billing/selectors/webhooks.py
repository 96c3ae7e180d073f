"""Endpoints of webhooks and what was sent to them, for pages and programs. Secrets are in none of it."""

from django.db.models import F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery

from billing.models import BillingCustomer, DeliveryState, WebhookDelivery, WebhookEndpoint

# A subquery for each endpoint, so that each reads its partial index and not all that was ever sent.
_OF_ENDPOINT = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"))
_PENDING = _OF_ENDPOINT.filter(state=DeliveryState.PENDING).order_by()
_DELIVERED = _OF_ENDPOINT.filter(state=DeliveryState.DELIVERED).order_by("-ended_at")
_COUNT = Func(F("pk"), function="COUNT", output_field=IntegerField())


def list_endpoints(*, customer: BillingCustomer | None, with_all: bool = False) -> QuerySet[WebhookEndpoint]:
    """The customer's endpoints, the newest first (with None those of the installation; `with_all` both).

    Each knows how many messages wait (`pending_count`) and when one was delivered last (`delivered_at`).
    """
    owned = Q(customer=customer) | Q(customer__isnull=True) if with_all else Q(customer=customer)
    return (
        WebhookEndpoint.objects.filter(owned, deleted_at__isnull=True)
        .annotate(
            pending_count=Subquery(_PENDING.annotate(count=_COUNT).values("count")),
            delivered_at=Subquery(_DELIVERED.values("ended_at")[:1]),
        )
        .order_by("-pk")
    )


def page_of_deliveries(
    *, endpoint: WebhookEndpoint, before_id: int | None, limit: int
) -> tuple[list[WebhookDelivery], int | None]:
    """So many messages with their attempts, the newest first, and the number the next page goes on from."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).order_by("-pk").prefetch_related("attempts")
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    found = list(rows[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None
