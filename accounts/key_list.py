"""A user's API keys as their page shows them. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import ApiKey, Scope, User

_MOST_ENDED: Final = 50
LIVE, ENDING, EXPIRED, REVOKED = "live", "ending", "expired", "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A key, where it is in its life, and what it has spent this month with those that it is one with by rotation."""

    key: ApiKey
    state: str
    spent: Decimal
    can_be_rotated: bool

    @property
    def is_live(self) -> bool:
        return self.state in (LIVE, ENDING)

    @property
    def scopes(self) -> list[str]:
        return [str(Scope(scope).label) for scope in self.key.scopes if scope in Scope.values]

    @property
    def masked(self) -> str:
        return f"{self.key.prefix}_{self.key.key_id}_…{self.key.last_four}"

    @property
    def spent_percent(self) -> int | None:
        """How much of the monthly limit is used, 100 at most; nothing without a limit."""
        limit = self.key.monthly_limit
        return min(100, int(self.spent * 100 / limit)) if limit else None


def list_keys(*, user: User, now: datetime) -> tuple[list[ListedKey], list[ListedKey]]:
    """The user's live keys and the last of those that have ended, the newest first. One query."""
    listed = _list_all(user=user, now=now)
    ended = [item for item in listed if not item.is_live]
    return [item for item in listed if item.is_live], ended[:_MOST_ENDED]


def find_own_key(*, user: User, key_id: str, now: datetime) -> ListedKey | None:
    """The user's own key of that id."""
    return next((item for item in _list_all(user=user, now=now) if item.key.key_id == key_id), None)


def _list_all(*, user: User, now: datetime) -> list[ListedKey]:
    rows = list(_keys_of(user).order_by("-created_at", "-pk"))
    first_of = _first_of_line(rows)
    spent: dict[int, Decimal] = {}
    for row in rows:
        spent[first_of[row.pk]] = spent.get(first_of[row.pk], Decimal(0)) + _spent_by(row, now=now)
    return [_list_key(row, spent=spent[first_of[row.pk]], now=now) for row in rows]


def _first_of_line(rows: Sequence[ApiKey]) -> dict[int, int]:
    """For each key the first one that it came from by rotation: they have one limit together."""
    first_of: dict[int, int] = {}
    for row in reversed(rows):  # oldest first, so that who was replaced is known before who replaces it
        first_of[row.pk] = first_of.get(row.replaces_id or 0, row.pk)
    return first_of


def _spent_by(key: ApiKey, *, now: datetime) -> Decimal:
    spending = getattr(key, "spending", None)  # of an app above, written by whoever spends by the key
    is_of_this_month = spending is not None and spending.month == now.date().replace(day=1)
    return spending.spent if spending is not None and is_of_this_month else Decimal(0)


def _keys_of(user: User) -> QuerySet[ApiKey]:
    successors = ApiKey.objects.filter(replaces=OuterRef("pk"))
    return ApiKey.objects.filter(user=user).select_related("spending").annotate(is_rotated=Exists(successors))


def _list_key(key: ApiKey, *, spent: Decimal, now: datetime) -> ListedKey:
    state = _state_of(key, is_rotated=getattr(key, "is_rotated", False), now=now)
    return ListedKey(
        key=key,
        state=state,
        spent=spent,
        can_be_rotated=state == LIVE,
    )


def _state_of(key: ApiKey, *, is_rotated: bool, now: datetime) -> str:
    if key.revoked_at is not None:
        return REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return EXPIRED
    return ENDING if is_rotated else LIVE
