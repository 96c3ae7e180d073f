"""How often may somebody ask: per key, per user and per address; wrong keys far less."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from billing.models import BillingCustomer, LedgerEntry
from billing.tests.api.conftest import Program, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, 0, 20, tzinfo=UTC)
WRONG = "ppk_test_" + "0" * 16 + "_" + "x" * 43


@pytest.fixture(autouse=True)
def clock(settings: Settings) -> Iterator[time_machine.Traveller]:
    """Twenty seconds past noon, and nobody has asked yet. Three requests a minute are allowed."""
    settings.API_REQUESTS_PER_MINUTE = 3
    settings.TRUSTED_PROXY_COUNT = 1
    cache.clear()
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock
    cache.clear()


def ask(program: Program, address: str) -> Any:
    return program.get("/balance", **{"X-Forwarded-For": address})


def test_answers_say_how_many_requests_are_left(program: Program) -> None:
    answers = [ask(program, f"203.0.113.{number}") for number in range(3)]

    assert [answer["RateLimit"] for answer in answers] == ['"address";r=2;t=40', '"key";r=1;t=40', '"key";r=0;t=40']
    assert answers[2]["RateLimit-Policy"] == '"key";q=3;w=60'


def test_one_request_too_many_of_a_key_waits_for_the_next_minute(
    program: Program, clock: time_machine.Traveller
) -> None:
    for number in range(3):
        assert ask(program, f"203.0.113.{number}").status_code == 200

    refused = ask(program, "203.0.113.9")
    clock.shift(41)
    allowed = ask(program, "203.0.113.9")

    members = check_problem(refused, status=429, code="rate_limited")
    assert (refused["Retry-After"], members["retry_after_seconds"]) == ("40", 40)
    assert refused["RateLimit"] == '"key";r=0;t=40'
    assert allowed.status_code == 200


def test_keys_of_one_address_share_its_limit(program: Program, buyer: BillingCustomer) -> None:
    programs = [program, make_program(buyer.user), make_program(buyer.user), make_program(make_customer().user)]

    statuses = [ask(each, "203.0.113.1").status_code for each in programs]
    elsewhere = ask(programs[3], "203.0.113.2").status_code

    assert (statuses, elsewhere) == ([200, 200, 200, 429], 200)


def test_household_of_ipv6_is_one_address(program: Program, buyer: BillingCustomer) -> None:
    programs = [program, make_program(buyer.user)]

    statuses = [ask(programs[number % 2], f"2001:db8:0:7::{number}").status_code for number in range(4)]

    assert statuses == [200, 200, 200, 429]


def test_refused_request_moves_nothing_and_leaves_its_key_free(program: Program, clock: time_machine.Traveller) -> None:
    body = {"amount": 1, "description": "Work"}
    for number in range(3):
        ask(program, f"203.0.113.{number}")

    refused = program.post("/debits", body)
    clock.shift(41)
    done = program.post("/debits", body)

    check_problem(refused, status=429, code="rate_limited")
    assert (done.status_code, done.has_header("Idempotent-Replayed")) == (201, False)
    assert LedgerEntry.objects.filter(kind="usage").count() == 1


def test_sessions_and_strangers_are_limited_too(client: Client, buyer: BillingCustomer) -> None:
    strangers = [client.get("/api/v1/balance").status_code for _ in range(4)]
    assert buyer.user is not None
    client.force_login(buyer.user)
    addresses = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(4)]
    session = [client.get("/api/v1/balance", headers=headers).status_code for headers in addresses]

    assert strangers == [401, 401, 401, 429]
    assert session == [200, 200, 200, 429]


def test_wrong_keys_are_limited_harder_and_lock_nobody_out(
    program: Program, client: Client, settings: Settings
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 20
    wrong = {"Authorization": f"Bearer {WRONG}", "X-Forwarded-For": "203.0.113.1"}

    guesses = [client.get("/api/v1/balance", headers=wrong) for _ in range(3)]

    check_problem(guesses[1], status=401, code="invalid_api_key")
    check_problem(guesses[2], status=429, code="rate_limited")
    assert guesses[2]["RateLimit-Policy"] == '"wrong-keys";q=2;w=60'
    assert ask(program, "203.0.113.1").status_code == 200


def test_zero_is_no_limit(program: Program, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0

    answers = [ask(program, "203.0.113.1") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert not answers[0].has_header("RateLimit")


def test_without_redis_the_process_counts_for_itself(program: Program, settings: Settings) -> None:
    gone = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"}
    settings.CACHES = {"default": gone}

    statuses = [ask(program, "203.0.113.1").status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
