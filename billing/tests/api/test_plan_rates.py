"""How often the keys of a plan may ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from billing.models import BillingCustomer
from billing.tests.api.conftest import Program, make_program
from billing.tests.api.test_ground import check_problem
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import make_plan

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, 0, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(settings: Settings) -> Iterator[time_machine.Traveller]:
    """Twenty seconds past noon, and nobody has asked yet. Three requests a minute are usual."""
    settings.API_REQUESTS_PER_MINUTE = 3
    cache.clear()
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock
    cache.clear()


def statuses(program: Program, count: int) -> list[int]:
    return [program.get("/balance").status_code for _ in range(count)]


def test_free_allows_as_many_requests_as_it_says_and_not_one_more(program: Program) -> None:
    make_free(requests_per_minute=2)

    assert statuses(program, 2) == [200, 200]
    check_problem(program.get("/balance"), status=429, code="rate_limited")


def test_a_paid_plan_allows_more_than_is_usual_for_key_and_address(program: Program, buyer: BillingCustomer) -> None:
    subscribe(buyer, make_plan("pro", requests_per_minute=5))

    assert statuses(program, 5) == [200] * 5
    refused = program.get("/balance")

    check_problem(refused, status=429, code="rate_limited")
    assert refused["RateLimit-Policy"].endswith(";q=5;w=60")


def test_a_plan_that_says_nothing_leaves_the_usual_limit(program: Program) -> None:
    make_free()

    assert statuses(program, 4) == [200, 200, 200, 429]


def test_each_key_has_the_plans_limit_for_itself(program: Program, buyer: BillingCustomer) -> None:
    make_free(requests_per_minute=1)
    other = make_program(buyer.user)

    assert statuses(program, 2) + statuses(other, 2) == [200, 429, 200, 429]


def test_a_plans_limit_holds_where_nothing_else_is_limited(program: Program, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0
    make_free(requests_per_minute=2)

    assert statuses(program, 3) == [200, 200, 429]


def test_no_limit_at_all_is_none(program: Program, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0
    make_free()

    answer = program.get("/balance")

    assert answer.status_code == 200
    assert "RateLimit" not in answer


def test_sessions_keep_the_usual_limit(buyer: BillingCustomer) -> None:
    make_free(requests_per_minute=1)
    browser = Client()
    assert buyer.user is not None
    browser.force_login(buyer.user)

    assert [browser.get("/api/v1/balance").status_code for _ in range(4)] == [200, 200, 200, 429]
