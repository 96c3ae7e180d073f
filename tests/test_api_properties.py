"""The REST API does what its schema says, for whatever the schema allows and for what it does not.

Cases are made from `/api/schema/` by schemathesis and answered by the application itself, for a key that may do
everything. Half of them are valid: those that are tamed name what exists, so that they come through. The others are
broken somewhere and must be refused, also where all else in them exists. The normal run takes a thousand, the same each
time; the night takes twenty thousand new ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis import Case, GenerationMode, checks

from billing.tests.api.operation_ids import OPERATION_IDS
from sandbox.stripe.server import SandboxServer
from tests.api_world import World, make_world

CASES, CASES_AT_NIGHT = 24, 480  # of each operation, valid and broken each
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

pytestmark = pytest.mark.django_db


@cache
def read_schema() -> Any:
    """The schema as it is served, asked of the application that the cases are sent to."""
    application = get_wsgi_application()
    schema = schemathesis.openapi.from_wsgi("/api/schema/", application)
    schema.config.generation.update(with_security_parameters=False)
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]  # a list that is too long may be a megabyte
    return schema


def test_every_operation_of_the_schema_is_tried() -> None:
    named = {found.ok().definition.raw["operationId"] for found in read_schema().get_all_operations()}

    assert named == set(OPERATION_IDS)


@pytest.fixture
def world(stripe_sandbox: SandboxServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A caller who may ask as often as they like; nobody works off what is queued."""
    for signal in (request_started, request_finished):  # they would close the connection that the test rolls back
        signal.disconnect(close_old_connections)
    settings.API_REQUESTS_PER_MINUTE = 0
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 0
    settings.VOUCHER_GUESSES_PER_HOUR = 0
    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    settings.SUMMARY_MODEL = "gpt-5-mini"
    monkeypatch.setattr("billing.wake.wake_task", lambda **_: True)
    yield make_world()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def try_cases(world: World, name: str, *, mode: GenerationMode, count: int, is_repeatable: bool) -> Counter[int]:
    """Send so many cases of an operation; gives how many answers had each status."""
    operation = read_schema().find_operation_by_id(name)
    statuses: Counter[int] = Counter()

    @settings(max_examples=count, derandomize=is_repeatable, database=None, deadline=None, suppress_health_check=SLOW)
    @given(case=operation.as_strategy(generation_mode=mode), is_tame=st.booleans())
    def send(case: Case[Any], is_tame: bool) -> None:
        if is_tame:
            (world.tame if mode is GenerationMode.POSITIVE else world.point)(case)
        response = case.call(headers=world.headers)
        statuses[response.status_code] += 1
        told_by_event = name == "create_usage_events" and response.status_code == 200
        case.validate_response(response, checks=CHECKS if told_by_event else [*CHECKS, checks.negative_data_rejection])
        if told_by_event and mode is GenerationMode.NEGATIVE:
            assert response.json()["refused"], "a batch with a broken event was taken as it is"

    send()
    return statuses


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_valid_requests_are_answered_as_the_schema_says(world: World, name: str) -> None:
    statuses = try_cases(world, name, mode=GenerationMode.POSITIVE, count=CASES, is_repeatable=True)

    assert sum(statuses.values()) >= CASES
    assert any(200 <= status < 300 for status in statuses), statuses


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_broken_requests_are_refused_as_the_schema_says(world: World, name: str) -> None:
    statuses = try_cases(world, name, mode=GenerationMode.NEGATIVE, count=CASES, is_repeatable=True)

    assert sum(statuses.values()) >= CASES


@pytest.mark.nightly
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "broken"])
@pytest.mark.parametrize("name", OPERATION_IDS)
def test_twenty_thousand_requests_are_answered_as_the_schema_says(
    world: World, name: str, mode: GenerationMode
) -> None:
    statuses = try_cases(world, name, mode=mode, count=CASES_AT_NIGHT, is_repeatable=False)

    assert sum(statuses.values()) >= CASES_AT_NIGHT
