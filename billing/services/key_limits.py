"""What an API key may spend in a month, judged in the database transaction that spends.

The key's row is locked after the balance, so two calls by one key wait for each other even where they spend for
different customers. What the key's open holds set aside counts as spent.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from accounts.models import ApiKey
from billing.errors import KeyLimitReached
from billing.kinds import HoldState
from billing.models import ApiKeySpending, CreditHold
from billing.money import ZERO

_KEY_PREFIX = "key:"
_COUNT = """
    INSERT INTO billing_apikeyspending AS s (api_key_id, month, spent)
    SELECT id, %(month)s, %(amount)s FROM accounts_apikey WHERE key_id = %(key)s
    ON CONFLICT (api_key_id) DO UPDATE SET month = EXCLUDED.month,
        spent = CASE WHEN s.month = EXCLUDED.month THEN s.spent ELSE 0 END + EXCLUDED.spent
    RETURNING spent, (SELECT monthly_limit FROM accounts_apikey WHERE key_id = %(key)s)
"""


def placed_by_key(key: ApiKey) -> str:
    """How a hold names the API key that placed it and alone may end it."""
    return f"{_KEY_PREFIX}{key.key_id}"


def count_key_spending(*, placed_by: str, amount: Decimal, now: datetime) -> None:
    """Add a charge to what the key has spent this month; nothing for what the system or a session spends."""
    if placed_by.startswith(_KEY_PREFIX):
        _count(placed_by=placed_by, amount=amount, now=now)


def check_key_limit(*, placed_by: str, charged: Decimal, held: Decimal, now: datetime) -> None:
    """Count `charged` and refuse it, or a hold of `held` that is written already, where it passes the key's limit.

    Raises:
        KeyLimitReached: the database transaction is to be rolled back.
    """
    if not placed_by.startswith(_KEY_PREFIX):
        return
    spent, limit = _count(placed_by=placed_by, amount=charged, now=now)
    if limit is None:
        return
    set_aside = _set_aside(placed_by)
    if spent + set_aside > limit:
        required = charged + held
        raise KeyLimitReached(
            limit=limit, available=max(ZERO, limit - (spent + set_aside - required)), required=required
        )


@dataclass(frozen=True, slots=True)
class KeyRoom:
    """A key's monthly limit, and what is left of it."""

    limit: Decimal
    left: Decimal


def find_key_room(*, placed_by: str, now: datetime) -> KeyRoom | None:
    """What the key may still spend this month; None where nothing limits it.

    The key's row stays locked, so ask when the balance is locked already, and count what was spent then.
    """
    if not placed_by.startswith(_KEY_PREFIX):
        return None
    spent, limit = _count(placed_by=placed_by, amount=ZERO, now=now)
    if limit is None:
        return None
    return KeyRoom(limit=limit, left=max(ZERO, limit - spent - _set_aside(placed_by)))


def spent_this_month(*, key: ApiKey, now: datetime) -> Decimal:
    """What the key was charged this month, open holds not included."""
    row = ApiKeySpending.objects.filter(api_key=key, month=_month(now)).first()
    return row.spent if row else ZERO


def _set_aside(placed_by: str) -> Decimal:
    """What the key's open holds keep."""
    open_holds = CreditHold.objects.filter(placed_by=placed_by, state=HoldState.OPEN)
    return open_holds.aggregate(total=Sum("amount"))["total"] or ZERO


def _count(*, placed_by: str, amount: Decimal, now: datetime) -> tuple[Decimal, Decimal | None]:
    with connection.cursor() as cursor:
        key_id = placed_by.removeprefix(_KEY_PREFIX)
        cursor.execute(_COUNT, {"key": key_id, "amount": amount, "month": _month(now)})
        row = cursor.fetchone()
    if row is None:
        raise RuntimeError(f"There is no API key {key_id}.")
    spent, limit = row
    return spent, limit


def _month(now: datetime) -> date:
    return now.date().replace(day=1)
