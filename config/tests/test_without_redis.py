"""Redis is a convenience: nothing waits for it and nothing fails without it."""

import time
from collections.abc import Iterator

import pytest
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

from config import cache
from config.storage import redis_cache

NOWHERE = "redis://127.0.0.1:1/0"
SOCKET_NOWHERE = "redis+socket:///nowhere/valkey.sock?virtual_host=0"


@pytest.fixture
def forgiving() -> Iterator[cache.ForgivingRedisCache]:
    """A cache whose Redis is not there."""
    entry = redis_cache(NOWHERE)
    yield cache.ForgivingRedisCache(NOWHERE, {"OPTIONS": entry["OPTIONS"]})
    cache._paused_until.clear()


@pytest.mark.parametrize("broker", [NOWHERE, SOCKET_NOWHERE])
def test_publishing_fails_at_once_when_the_broker_is_gone(broker: str) -> None:
    app = Celery("alone")
    app.config_from_object({**celery_settings(), "CELERY_BROKER_URL": broker}, namespace="CELERY")
    started = time.monotonic()

    with pytest.raises(OperationalError):
        app.send_task("billing.work_off_inbox")

    assert time.monotonic() - started < 1.5


def celery_settings() -> dict[str, object]:
    return {name: getattr(settings, name) for name in dir(settings) if name.startswith("CELERY_")}


def test_scheduled_tasks_exist() -> None:
    from config.celery import app

    app.loader.import_default_modules()

    scheduled = {str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(app.tasks)


def test_cache_counts_in_this_process_without_redis(forgiving: cache.ForgivingRedisCache) -> None:
    forgiving.set("limit", 1)

    assert forgiving.incr("limit") == 2
    assert forgiving.get("limit") == 2
    assert forgiving.add("limit", 9) is False
    assert forgiving.get_many(["limit", "other"]) == {"limit": 2}
    assert forgiving.set_many({"other": 3}) == []
    assert forgiving.has_key("other")
    assert forgiving.touch("other", 10)
    assert forgiving.delete("other") is True
    assert forgiving.get_or_set("limit", 5) == 2
    forgiving.clear()
    assert forgiving.get("limit") is None


def test_redis_is_not_asked_again_for_a_few_seconds(forgiving: cache.ForgivingRedisCache) -> None:
    forgiving.set("first", 1)
    started = time.monotonic()

    for number in range(1_000):
        forgiving.set("next", number)

    assert time.monotonic() - started < 0.5
    assert cache._paused_until[NOWHERE] > time.monotonic()


def test_second_thread_sees_what_the_first_counted(forgiving: cache.ForgivingRedisCache) -> None:
    forgiving.set("limit", 4)

    assert cache.ForgivingRedisCache(NOWHERE, {"OPTIONS": redis_cache(NOWHERE)["OPTIONS"]}).get("limit") == 4


def test_clearing_the_cache_spares_what_else_lives_in_redis() -> None:
    entry = redis_cache(settings.REDIS_URL)
    mine, other = (
        cache.ForgivingRedisCache(settings.REDIS_URL, {"OPTIONS": entry["OPTIONS"], "KEY_PREFIX": prefix})
        for prefix in ("test-clear-mine", "test-clear-other")
    )
    mine.set("limit", 1)
    other.set("limit", 2, 60)

    mine.clear()

    assert mine.get("limit") is None
    assert other.get("limit") == 2
    other.clear()
