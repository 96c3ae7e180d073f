"""A cache that outlives its server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5.0
_PATIENCE_SECONDS = 1.0
_down_until: dict[str, float] = {}  # by server, for all threads: each has a cache object of its own


class ForgivingRedisCache(RedisCache):
    """Redis; while it cannot be reached, a small cache of this process, so that people can still log in.

    Rate limits are counted in the cache. With the server gone each process counts for itself: looser than before, by
    the number of processes, and no limit is lost altogether. The server is asked again every five seconds.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        patience = {"socket_connect_timeout": _PATIENCE_SECONDS, "socket_timeout": _PATIENCE_SECONDS}
        super().__init__(server, {**params, "OPTIONS": {**patience, **params.get("OPTIONS", {})}})
        self._server = str(server)
        self._local = LocMemCache(f"beside {server}", params)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self._either(super().add, self._local.add, *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either(super().get, self._local.get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._either(super().set, self._local.set, *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return self._either(super().touch, self._local.touch, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return self._either(super().delete, self._local.delete, *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return self._either(super().get_many, self._local.get_many, *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return self._either(super().has_key, self._local.has_key, *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return self._either(super().incr, self._local.incr, *args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> list[Any]:
        return self._either(super().set_many, self._local.set_many, *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        self._either(super().delete_many, self._local.delete_many, *args, **kwargs)

    def clear(self) -> bool:
        self._local.clear()
        return self._either(super().clear, lambda: True)

    def _either(self, remote: Callable[P, R], local: Callable[..., Any], *args: P.args, **kwargs: P.kwargs) -> R:
        if time.monotonic() >= _down_until.get(self._server, 0):
            try:
                return remote(*args, **kwargs)
            except RedisError as error:
                _down_until[self._server] = time.monotonic() + RETRY_AFTER_SECONDS
                logger.warning("The cache cannot be reached (%s); this process counts for itself.", type(error).__name__)
        return local(*args, **kwargs)  # type: ignore[no-any-return]
