"""`/livez` and `/readyz`, answered before hosts and redirects are looked at: a probe calls by address, over http."""

import time
from collections.abc import Callable
from functools import cache

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse

REDIS_TIMEOUT_SECONDS = 1


class HealthMiddleware:
    """Answers the two probes and passes every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._answers = {"/livez": answer_livez, "/readyz": answer_readyz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._answers.get(request.path_info)
        return answer() if answer else self._get_response(request)


def answer_livez() -> HttpResponse:
    """200 as long as this process answers at all; it depends on nothing."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def answer_readyz() -> HttpResponse:
    """200 if the database answers and all migrations are applied, else 503. Redis is named, but not needed."""
    checks = {"database": check_database(), "redis": check_redis()}
    is_ready = checks["database"] == "ok"
    body = {"status": "ok" if is_ready else "failing", "checks": checks}
    return JsonResponse(body, status=200 if is_ready else 503, headers={"Cache-Control": "no-store"})


def check_database() -> str:
    """`ok`, or what is wrong with the database in a few words."""
    try:
        applied = set(MigrationRecorder(connection).applied_migrations())
    except DatabaseError as error:
        connection.close()
        return f"failing: {type(error).__name__}"
    missing = known_migrations() - applied
    return f"failing: {len(missing)} migrations are not applied" if missing else "ok"


def check_redis() -> str:
    """`ok`, or a warning: without Redis work waits for the sweeper, and nothing is lost."""
    started = time.monotonic()
    timeouts = {"socket_timeout": REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": REDIS_TIMEOUT_SECONDS}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **timeouts) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return f"warning: {type(error).__name__} after {time.monotonic() - started:.1f} s"
    return "ok"


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Every migration that this code brings; it cannot change while the process lives."""
    return frozenset(MigrationLoader(None).graph.nodes)
