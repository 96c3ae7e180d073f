"""How many checkouts may be opened in a minute: card testers open many."""

from datetime import datetime, timedelta
from math import ceil

from django.db import connection
from django.db.models import Q

from billing import conf
from billing.errors import CheckoutRateLimited
from billing.models import Payment

_WINDOW = timedelta(minutes=1)


def lock_network(*, network_hash: str) -> None:
    """Make checkouts from one address wait for each other until this database transaction ends.

    Names are locked before balances, everywhere. A network has no row to lock.
    """
    if network_hash:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"checkout:{network_hash}"])


def check_checkout_rate(*, customer_id: int, network_hash: str, now: datetime) -> None:
    """Refuse one checkout too many of the customer, or from the address, in the last minute.

    Exact under the locks of both, because it counts payments: they are written under the same locks.

    Raises:
        CheckoutRateLimited: with the seconds until the oldest that counts leaves the minute.
    """
    limit = conf.checkout_sessions_per_minute()
    if limit <= 0:
        return
    for who in [Q(customer_id=customer_id), *([Q(network_hash=network_hash)] if network_hash else [])]:
        recent = Payment.objects.filter(who, created_at__gt=now - _WINDOW).order_by("-created_at")
        in_the_way = recent.values_list("created_at", flat=True)[limit - 1 : limit].first()
        if in_the_way is not None:
            seconds = (in_the_way + _WINDOW - now).total_seconds()
            raise CheckoutRateLimited(retry_after_seconds=max(1, ceil(seconds)))
