"""What a customer has. Reads never lock."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Min, Sum

from billing.kinds import BOUGHT_PRIORITY, FREE_PRIORITY, PLAN_PRIORITY
from billing.models import CreditBalance, CreditGrant
from billing.money import ZERO

_CATEGORIES = {FREE_PRIORITY: "free", PLAN_PRIORITY: "plan", BOUGHT_PRIORITY: "bought"}


@dataclass(frozen=True, slots=True)
class Balance:
    """Credits of one customer as of one moment.

    `posted` is the sum of all entries less what has lapsed, `held` what open holds set aside. `available` is what is
    left, never below zero; `debt` is how far `posted` is below it. `spendable` adds the overdraft that usage may take.
    """

    customer_id: int
    posted: Decimal
    held: Decimal
    overdraft_limit: Decimal
    is_frozen: bool
    low_threshold: Decimal
    next_expiry_at: datetime | None
    as_of: datetime

    @property
    def available(self) -> Decimal:
        return max(ZERO, self.posted - self.held)

    @property
    def spendable(self) -> Decimal:
        return max(ZERO, self.posted - self.held + self.overdraft_limit)

    @property
    def debt(self) -> Decimal:
        return max(ZERO, -self.posted)

    @property
    def is_low(self) -> bool:
        return self.available < self.low_threshold

    @property
    def standing(self) -> str:
        """What a page should warn of: `frozen`, `debt`, `empty`, `overdraft`, `low`; `fine` is nothing.

        With `debt` and `empty` requests are refused; with `overdraft` they go on at the cost of a debt.
        """
        if self.is_frozen:
            return "frozen"
        if not self.spendable:
            return "debt" if self.debt else "empty"
        if not self.available:
            return "overdraft"
        return "low" if self.is_low else "fine"


@dataclass(frozen=True, slots=True)
class NextExpiry:
    """How many credits lapse next, and when."""

    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class CategoryBalance:
    """What remains of free, plan or bought credits, and what of it lapses next."""

    category: str
    remaining: Decimal
    next_expiry_at: datetime | None


def read_balance(*, now: datetime, customer_id: int | None = None, user_id: int | None = None) -> Balance | None:
    """The balance of a customer or of a user's customer; None if there is none yet.

    One query on one row; a second one only where something has lapsed that no write has expired yet.
    """
    if (customer_id is None) == (user_id is None):
        raise TypeError("Give either customer_id or user_id.")
    rows = CreditBalance.objects.all()
    row = rows.filter(pk=customer_id).first() if user_id is None else rows.filter(customer__user_id=user_id).first()
    if row is None:
        return None
    posted, held, next_expiry_at = row.posted, row.held, row.next_expiry_at
    if next_expiry_at is not None and next_expiry_at <= now:
        posted, held, next_expiry_at = _read_without_lapsed(customer_id=row.pk, now=now)
    return Balance(
        customer_id=row.pk,
        posted=posted,
        held=held,
        overdraft_limit=row.overdraft_limit,
        is_frozen=row.frozen_at is not None,
        low_threshold=row.low_threshold,
        next_expiry_at=next_expiry_at,
        as_of=now,
    )


def read_next_expiry(*, customer_id: int, now: datetime) -> NextExpiry | None:
    """What lapses next: the credits that share the soonest expiry still to come."""
    soonest = (
        CreditGrant.objects.filter(customer_id=customer_id, is_open=True, expires_at__gt=now)
        .values("expires_at")
        .annotate(amount=Sum("remaining"))
        .order_by("expires_at")
        .first()
    )
    if soonest is None or soonest["expires_at"] is None:
        return None
    return NextExpiry(amount=soonest["amount"], at=soonest["expires_at"])


def read_category_balances(*, customer_id: int, now: datetime) -> list[CategoryBalance]:
    """What remains by category, in the order in which it is spent; lapsed credits are left out."""
    grants = CreditGrant.objects.filter(customer_id=customer_id, is_open=True).exclude(expires_at__lte=now)
    rows = grants.values("priority").annotate(total=Sum("remaining"), soonest=Min("expires_at")).order_by("priority")
    return [CategoryBalance(_CATEGORIES.get(row["priority"], "other"), row["total"], row["soonest"]) for row in rows]


# Of lapsed grants, as much stays as open holds placed before the lapse add up to. Served by soonest lapse, they keep
# the least over j of (backing of j + what remains of the grants that lapsed after j), which needs no loop.
_LAPSED = """
    WITH expiring AS (
        SELECT remaining, expires_at FROM billing_creditgrant
        WHERE customer_id = %(customer)s AND is_open AND expires_at IS NOT NULL
    ), lapsed AS (
        SELECT remaining,
            (SELECT coalesce(sum(amount), 0) FROM billing_credithold
             WHERE customer_id = %(customer)s AND state = 'open' AND placed_at < expiring.expires_at) AS backing,
            coalesce(sum(remaining) OVER (
                ORDER BY expires_at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS later
        FROM expiring WHERE expires_at <= %(now)s
    )
    SELECT posted - (SELECT coalesce(sum(remaining) - least(sum(remaining), min(backing + later)), 0) FROM lapsed),
        held, (SELECT min(expires_at) FROM expiring WHERE expires_at > %(now)s)
    FROM billing_creditbalance WHERE customer_id = %(customer)s
"""


def _read_without_lapsed(*, customer_id: int, now: datetime) -> tuple[Decimal, Decimal, datetime | None]:
    """Posted without what has lapsed and no open hold keeps, held, and the soonest expiry still to come.

    All by one statement, so that a write meanwhile cannot be seen by halves.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAPSED, {"customer": customer_id, "now": now})
        posted, held, next_expiry_at = cursor.fetchone()
    return posted, held, next_expiry_at
