"""Events that came before we knew what they speak of."""

from collections.abc import Collection
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from billing.models import EventState, StripeEvent

_FRESH, _NEXT_LOOK = timedelta(minutes=5), timedelta(hours=1)
_WAKE_KNOWN = """
    UPDATE billing_stripeevent event
    SET state = 'pending', reason = '', tries = 0, next_try_at = %s
    WHERE event.state = 'parked' AND event.parked_at < %s
        AND (event.parked_at > %s OR event.next_try_at IS NULL OR event.next_try_at < %s) AND EXISTS (
        SELECT FROM billing_payment payment
        WHERE payment.public_id = ANY(event.related_ids) OR payment.checkout_session_id = ANY(event.related_ids)
            OR payment.payment_intent_id = ANY(event.related_ids) OR payment.charge_id = ANY(event.related_ids)
    )
"""


def wake_parked_events(*, named: Collection[str]) -> int:
    """Make parked events due that name one of these ids, in the database transaction in which the ids are learned."""
    if not named:
        return 0
    parked = StripeEvent.objects.filter(state=EventState.PARKED, related_ids__overlap=list(named))
    return parked.update(state=EventState.PENDING, reason="", tries=0, next_try_at=timezone.now())


def wake_events_known_by_now() -> int:
    """Make parked events due that a payment names by now.

    An event that is parked at the very moment in which its payment learns the id is seen by neither; the sweeper's
    next look finds it. One that is parked again and again (its own object is missing at Stripe) is tried once an hour.
    """
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_WAKE_KNOWN, [now, now, now - _FRESH, now - _NEXT_LOOK])
        return int(cursor.rowcount)
