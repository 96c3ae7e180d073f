"""How often may somebody ask in a minute: per address, per API key or user, and for wrong keys far less.

Counts live in the cache, by the minute of the clock: a limit is exact within one minute, and an answer can say when
the next one begins. Without Redis each process counts for itself (`config.cache`), so limits are looser, never lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, cast

from django.core.cache import caches
from django.utils import timezone
from rest_framework.request import Request

from accounts.models import ApiKey
from billing import conf
from billing.errors import RateLimited
from billing.models import BillingCustomer
from billing.selectors.plan_limits import key_requests_per_minute
from billing.views.checkout import hash_address

WINDOW_SECONDS: Final = 60
WRONG_KEYS_SHARE: Final = 10  # an address may send a tenth of its requests with a wrong key
_ATTRIBUTE: Final = "billing_quota"


class CountingCache(Protocol):
    """What the settings' cache can do beyond Django's own."""

    def count_each(self, keys: list[str], *, timeout_seconds: int) -> list[int]:
        """Count one more under each key; gives the counts."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of the limit that is closest to its end."""

    policy: str
    limit: int
    count: int
    resets_in_seconds: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.count)


def count_request(request: Request) -> None:
    """Count one request of who is calling and of the address it comes from.

    Raises:
        RateLimited: one of the two has had as many as it may in this minute.
    """
    limit = conf.api_requests_per_minute()
    limits, names = {"address": limit}, {"address": hash_address(request._request)}
    if isinstance(request.auth, ApiKey):
        limits["key"], names["key"] = _limit_of_key(request.auth), request.auth.key_id
        if limit > 0:  # the plan's may be the larger one, and its programs share an address
            limits["address"] = max(limit, limits["key"])
    elif request.user is not None and request.user.pk is not None:
        limits["user"], names["user"] = limit, str(request.user.pk)
    limits = {policy: each for policy, each in limits.items() if each > 0}
    if limits:
        _count(request, names={policy: names[policy] for policy in limits}, limits=limits)


def _limit_of_key(key: ApiKey) -> int:
    """Requests a minute for a key: what the plan of its owner says, else the usual; 0 is no limit."""
    try:
        return key_requests_per_minute(customer_id=key.user.billing_customer.pk)  # type: ignore[union-attr]
    except BillingCustomer.DoesNotExist:
        return conf.api_requests_per_minute()


def count_wrong_key(request: Request) -> None:
    """Count a request whose key proves nobody.

    Raises:
        RateLimited: the address has sent too many, of these or in all.
    """
    limit = conf.api_requests_per_minute()
    if limit <= 0:
        return
    address = hash_address(request._request)
    limits = {"address": limit, "wrong-keys": max(1, limit // WRONG_KEYS_SHARE)}
    _count(request, names={"address": address, "wrong-keys": address}, limits=limits)


def quota_headers(request: Request) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy` for the answer to a request that was counted.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (version 10)
    """
    quota: Quota | None = getattr(request, _ATTRIBUTE, None)
    if quota is None:
        return {}
    return {
        "RateLimit-Policy": f'"{quota.policy}";q={quota.limit};w={WINDOW_SECONDS}',
        "RateLimit": f'"{quota.policy}";r={quota.remaining};t={quota.resets_in_seconds}',
    }


def _count(request: Request, *, names: dict[str, str], limits: dict[str, int]) -> None:
    minute, second = divmod(int(timezone.now().timestamp()), WINDOW_SECONDS)
    resets_in = WINDOW_SECONDS - second
    cache = cast(CountingCache, caches["default"])
    keys = [f"api-rate:{policy}:{name}:{minute}" for policy, name in names.items()]
    counts = cache.count_each(keys, timeout_seconds=2 * WINDOW_SECONDS)
    quotas = [Quota(policy, limits[policy], count, resets_in) for policy, count in zip(names, counts, strict=True)]
    tightest = min(quotas, key=lambda quota: (quota.limit - quota.count, quota.policy))
    setattr(request, _ATTRIBUTE, tightest)
    if tightest.count > tightest.limit:
        raise RateLimited(retry_after_seconds=resets_in)
