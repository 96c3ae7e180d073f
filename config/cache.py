"""A cache that outlives its Redis: while Redis is away, each process counts for itself."""

import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.utils.functional import cached_property
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)
PAUSE_SECONDS: Final = 5.0
_paused_until: dict[str, float] = {}  # by server, for all threads: each of them has a cache object of its own


class ForgivingRedisCache(RedisCache):
    """Redis, and for a few seconds after it failed this process's own memory.

    Only rate limits and short-lived copies live in the cache, so nobody is locked out for want of it. Without Redis a
    limit holds per process: looser by their number, but never lost.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._server = str(server)
        self._own_memory = LocMemCache(f"beside {server}", params)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either(super().get, self._own_memory.get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._either(super().set, self._own_memory.set, *args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either(super().add, self._own_memory.add, *args, **kwargs))

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either(super().touch, self._own_memory.touch, *args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either(super().delete, self._own_memory.delete, *args, **kwargs))

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return int(self._either(super().incr, self._own_memory.incr, *args, **kwargs))

    @cached_property
    def _client(self) -> Redis:
        """One client for all counting: Django makes one for each call, which takes longer than the call."""
        client: Redis = self._cache.get_client(None, write=True)
        return client

    def count_each(self, keys: list[str], *, timeout_seconds: int) -> list[int]:
        """Count one more under each key, in one round trip; gives the counts. They live on for `timeout_seconds`."""
        counts = self._either(self._count_in_redis, self._count_in_own_memory, keys, timeout_seconds)
        return [int(count) for count in counts]

    def _count_in_redis(self, keys: list[str], timeout_seconds: int) -> list[int]:
        steps = self._client.pipeline(transaction=False)
        for key in keys:
            steps.incr(self.make_key(key))
        for key in keys:
            steps.expire(self.make_key(key), timeout_seconds)
        counts: list[int] = steps.execute()[: len(keys)]
        return counts

    def _count_in_own_memory(self, keys: list[str], timeout_seconds: int) -> list[int]:
        for key in keys:
            self._own_memory.add(key, 0, timeout=timeout_seconds)
        return [self._own_memory.incr(key) for key in keys]

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either(super().has_key, self._own_memory.has_key, *args, **kwargs))

    def get_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(self._either(super().get_many, self._own_memory.get_many, *args, **kwargs))

    def set_many(self, *args: Any, **kwargs: Any) -> list[Any]:
        return list(self._either(super().set_many, self._own_memory.set_many, *args, **kwargs) or [])

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        self._either(super().delete_many, self._own_memory.delete_many, *args, **kwargs)

    def clear(self) -> None:
        self._own_memory.clear()
        self._either(self._delete_own_keys, bool)

    def _delete_own_keys(self) -> None:
        """Not the whole database: the broker's queues live in it too, and other test runs."""
        client = self._cache.get_client(None, write=True)
        if keys := list(client.scan_iter(match=self.make_key("*"))):
            client.delete(*keys)

    def _either(self, redis: Callable[..., Any], own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= _paused_until.get(self._server, 0):
            try:
                return redis(*args, **kwargs)
            except RedisError as error:
                _paused_until[self._server] = time.monotonic() + PAUSE_SECONDS
                log.warning("cache_without_redis", reason=type(error).__name__)
        return own(*args, **kwargs)
