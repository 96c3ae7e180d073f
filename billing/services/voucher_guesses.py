"""Who sends codes that bring nothing has to wait: per customer and per address.

The counts are rows, written under the locks of both names: they are exact however many tries come at once, and hold
without Redis. Every refusal that could tell something about a code counts alike, so that none of them is free to ask.
"""

from datetime import datetime, timedelta
from math import ceil

from django.db import connection
from django.db.models import Q

from billing import conf
from billing.errors import VoucherGuessesExceeded
from billing.models import VoucherGuess

WINDOW = timedelta(hours=1)
_OF_AN_ADDRESS = 10  # times as many: an office, or a whole mobile network, may share one


def lock_guessers(*, customer_id: int, network_hash: str) -> None:
    """Make tries of this customer and from this address wait for each other until this database transaction ends.

    Names are locked before vouchers and balances, everywhere.
    """
    names = [f"voucher:customer:{customer_id}", *([f"voucher:network:{network_hash}"] if network_hash else [])]
    with connection.cursor() as cursor:
        cursor.execute("SELECT hashtextextended(name, 0) FROM unnest(%s::text[]) AS name ORDER BY 1", [names])
        for (number,) in cursor.fetchall():  # one order for all, so that two never wait for each other
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def check_guesses(*, customer_id: int, network_hash: str, now: datetime) -> None:
    """Refuse one try too many. Exact under the locks of `lock_guessers`.

    Raises:
        VoucherGuessesExceeded: with the seconds until the oldest try that counts leaves the hour.
    """
    limit = conf.voucher_guesses_per_hour()
    if limit <= 0:
        return
    counted = [(Q(customer_id=customer_id), limit)]
    if network_hash:
        counted.append((Q(network_hash=network_hash), limit * _OF_AN_ADDRESS))
    for who, most in counted:
        recent = VoucherGuess.objects.filter(who, guessed_at__gt=now - WINDOW).order_by("-guessed_at")
        in_the_way = recent.values_list("guessed_at", flat=True)[most - 1 : most].first()
        if in_the_way is not None:
            raise VoucherGuessesExceeded(retry_after_seconds=max(1, ceil((in_the_way + WINDOW - now).total_seconds())))


def record_guess(*, customer_id: int, network_hash: str, now: datetime) -> None:
    """Remember a code that brought nothing; the code itself is not kept."""
    VoucherGuess.objects.create(customer_id=customer_id, network_hash=network_hash, guessed_at=now)


def purge_guesses(*, now: datetime) -> int:
    """Delete tries that count no more; gives how many."""
    return VoucherGuess.objects.filter(guessed_at__lte=now - WINDOW).delete()[0]
