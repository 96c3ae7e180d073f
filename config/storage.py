"""Entries of CACHES and DATABASES that environments share."""

from typing import Any, Final

from redis.backoff import NoBackoff
from redis.retry import Retry

DATABASE_TIMEOUTS: Final = {
    "lock_timeout": "3s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
}


def redis_cache(redis_url: str) -> dict[str, Any]:
    """A cache that gives up on a silent Redis quickly and goes on without it."""
    return {
        "BACKEND": "config.cache.ForgivingRedisCache",
        "LOCATION": redis_url or "redis://redis-url-is-missing",
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 1, "retry": Retry(NoBackoff(), 0)},
    }


def guarded_by_timeouts(database: dict[str, Any]) -> dict[str, Any]:
    """The same entry, with limits on waiting for a lock, on one statement, and on an idle open transaction."""
    guards = " ".join(f"-c {name}={limit}" for name, limit in DATABASE_TIMEOUTS.items())
    given = database["OPTIONS"].get("options", "")
    options = {**database["OPTIONS"], "options": f"{guards} {given}".strip()}
    return {**database, "OPTIONS": options}
