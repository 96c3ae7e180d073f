"""What an API key may spend in a month, judged in the database transaction that spends.

The key's row is locked after the balance wherever there is a limit, so two calls by one key wait for each other even
where they spend for different customers. What the key's open holds set aside counts as spent, and so does what the keys
have spent that it replaces by rotation, or that replace it: a limit is not begun again by rotating.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from accounts.models import ApiKey
from billing.errors import KeyLimitReached
from billing.models import ApiKeySpending
from billing.money import ZERO

KEY_PREFIX = "key:"
# Locks the key's row in any case, but where nothing is counted and nothing limits the key: then it gives no row.
_COUNT = """
    INSERT INTO billing_apikeyspending AS s (api_key_id, month, spent)
    SELECT id, %(month)s, %(amount)s FROM accounts_apikey
    WHERE key_id = %(key)s AND (%(amount)s <> 0 OR monthly_limit IS NOT NULL)
    ON CONFLICT (api_key_id) DO UPDATE SET month = EXCLUDED.month,
        spent = CASE WHEN s.month = EXCLUDED.month THEN s.spent ELSE 0 END + EXCLUDED.spent
    RETURNING spent, (SELECT monthly_limit FROM accounts_apikey WHERE key_id = %(key)s), (
        SELECT own.replaces_id IS NOT NULL OR EXISTS (SELECT FROM accounts_apikey WHERE replaces_id = own.id)
        FROM accounts_apikey own WHERE own.key_id = %(key)s
    )
"""
_SET_ASIDE = """
    SELECT coalesce(sum(amount), 0) FROM billing_credithold
    WHERE placed_by = ANY(%s) AND placed_by <> 'system' AND state = 'open'
"""
# Whoever judges one of these keys waits for whoever judges another of them.
_LOCK_LINE = """
    WITH RECURSIVE line AS (
        SELECT id, replaces_id, key_id FROM accounts_apikey WHERE key_id = %s
        UNION
        SELECT other.id, other.replaces_id, other.key_id FROM accounts_apikey other
        JOIN line ON other.id = line.replaces_id OR other.replaces_id = line.id
    )
    SELECT array_agg(key_id), pg_advisory_xact_lock(hashtextextended('key_line:' || min(id), 0)) FROM line
"""


def placed_by_key(key: ApiKey) -> str:
    """How a hold names the API key that placed it and alone may end it."""
    return f"{KEY_PREFIX}{key.key_id}"


def count_key_spending(*, placed_by: str, amount: Decimal, now: datetime) -> None:
    """Add a charge to what the key has spent this month; nothing for what the system or a session spends."""
    if placed_by.startswith(KEY_PREFIX):
        _count(placed_by=placed_by, amount=amount, now=now)


def check_key_limit(*, placed_by: str, charged: Decimal, held: Decimal, now: datetime) -> None:
    """Count `charged` and refuse it, or a hold of `held` that is written already, where it passes the key's limit.

    Raises:
        KeyLimitReached: the database transaction is to be rolled back.
    """
    if not placed_by.startswith(KEY_PREFIX):
        return
    room = _find_room(placed_by=placed_by, counting=charged, now=now)
    if room is not None and room.left < 0:
        required = charged + held
        raise KeyLimitReached(limit=room.limit, available=max(ZERO, room.left + required), required=required)


@dataclass(frozen=True, slots=True)
class KeyRoom:
    """A key's monthly limit, and what is left of it: below zero where more was spent."""

    limit: Decimal
    left: Decimal


def find_key_room(*, placed_by: str, now: datetime) -> KeyRoom | None:
    """What the key may still spend this month; None where nothing limits it.

    The key's row stays locked, so ask when the balance is locked already, and count what was spent then.
    """
    if not placed_by.startswith(KEY_PREFIX):
        return None
    room = _find_room(placed_by=placed_by, counting=ZERO, now=now)
    return room and KeyRoom(limit=room.limit, left=max(ZERO, room.left))


def _find_room(*, placed_by: str, counting: Decimal, now: datetime) -> KeyRoom | None:
    spent, limit, is_rotated = _count(placed_by=placed_by, amount=counting, now=now)
    if limit is None:
        return None
    owners = [placed_by]
    if is_rotated:
        key_ids = _lock_line(placed_by)
        owners = [f"{KEY_PREFIX}{key_id}" for key_id in key_ids]
        rows = ApiKeySpending.objects.filter(api_key__key_id__in=key_ids, month=_month(now))
        spent = rows.aggregate(total=Sum("spent"))["total"] or ZERO
    return KeyRoom(limit=limit, left=limit - spent - _set_aside(owners))


def _lock_line(placed_by: str) -> list[str]:
    """The keys that are one by rotation; what they have spent is to be read afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_LINE, [placed_by.removeprefix(KEY_PREFIX)])
        return list(cursor.fetchone()[0])


def _set_aside(owners: Sequence[str]) -> Decimal:
    """What the open holds of keys keep."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_ASIDE, [list(owners)])
        (total,) = cursor.fetchone()
    return Decimal(total)


def _count(*, placed_by: str, amount: Decimal, now: datetime) -> tuple[Decimal, Decimal | None, bool]:
    with connection.cursor() as cursor:
        key_id = placed_by.removeprefix(KEY_PREFIX)
        cursor.execute(_COUNT, {"key": key_id, "amount": amount, "month": _month(now)})
        row = cursor.fetchone()
    if row is None and amount:
        raise RuntimeError(f"There is no API key {key_id}.")
    if row is None:
        return ZERO, None, False
    spent, limit, is_rotated = row
    return spent, limit, is_rotated


def _month(now: datetime) -> date:
    return now.date().replace(day=1)
