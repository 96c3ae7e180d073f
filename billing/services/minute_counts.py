"""How often something was asked for in this minute, for what costs nobody money: counted in the cache."""

from collections.abc import Sequence
from typing import Final, Protocol, cast

from django.core.cache import caches
from django.utils import timezone

from billing.errors import RateLimited

_WINDOW_SECONDS: Final = 60


class CountingCache(Protocol):
    """What the settings' cache can do beyond Django's own."""

    def count_each(self, keys: list[str], *, timeout_seconds: int) -> list[int]:
        """Count one more under each key; gives the counts."""


def count_in_minute(*, names: Sequence[str], limit: int) -> None:
    """Count one more under each name, by the minute of the clock.

    Raises:
        RateLimited: more than the limit under one of them; with the seconds until the next minute.
    """
    minute, second = divmod(int(timezone.now().timestamp()), _WINDOW_SECONDS)
    keys = [f"{name}:{minute}" for name in names]
    counts = cast(CountingCache, caches["default"]).count_each(keys, timeout_seconds=2 * _WINDOW_SECONDS)
    if max(counts) > limit:
        raise RateLimited(retry_after_seconds=_WINDOW_SECONDS - second)
