"""`POST usage-events`: every field that cannot be used is named."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import PricingConfig
from usage.models import UsageEvent
from usage.tests.factories import (
    MODEL,
    make_operation_price,
    make_price,
)
from usage.tests.sending import URL, event_of, send, told

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"model": ["list"]}, "model"),
        ({"model": "m\0"}, "model"),
        ({"model": "m" * 121}, "model"),
        ({"operation": "image"}, "model"),
        ({"model": None, "operation": "o" * 81, "input_tokens": None}, "operation"),
        ({"model": None, "operation": "image"}, "input_tokens"),
        ({"input_tokens": None}, "input_tokens"),
        ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": True}, "input_tokens"),
        ({"input_tokens": 1.0}, "input_tokens"),
        ({"input_tokens": "1"}, "input_tokens"),
        ({"input_tokens": 10**9 + 1}, "input_tokens"),
        ({"input_tokens": 10**400}, "input_tokens"),
        ({"output_tokens": -1}, "output_tokens"),
        ({"cached_tokens": 11}, "cached_tokens"),
        ({"cached_tokens": False}, "cached_tokens"),
        ({"quantity": 1}, "quantity"),
        ({"model": None, "operation": "image", "input_tokens": None, "quantity": 0}, "quantity"),
        ({"model": None, "operation": "image", "input_tokens": None, "quantity": 1_000_001}, "quantity"),
        ({"occurred_at": 1790000000}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "2026-11-20T12:00:00"}, "occurred_at"),
        ({"occurred_at": "2026-13-20T12:00:00Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"metadata": []}, "metadata"),
        ({"metadata": "text"}, "metadata"),
        ({"metadata": {"a": {"b": 1}}}, "metadata.a"),
        ({"metadata": {"a": "\0"}}, "metadata.a"),
        ({"metadata": {"a": "x" * 501}}, "metadata.a"),
        ({"metadata": {"x" * 41: 1}}, "metadata"),
        ({"tokens": 5}, "tokens"),
        ({"customer": "cust_1"}, "customer"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_field_that_cannot_be_used_is_named(
    api: Client, price: PricingConfig, change: dict[str, Any], field: str
) -> None:
    make_operation_price("image")

    answer = send(api, event_of() | change, event_of("good"))

    assert told(answer) == [("refused", "invalid_request", field), ("posted",)]
    assert field in answer.json()["events"][0]["detail"]
    assert UsageEvent.objects.count() == 1


def test_text_that_cannot_be_stored_is_not_given_back(api: Client, price: PricingConfig) -> None:
    answer = send(api, event_of("a\0", model=7), event_of() | {"\0": 1}, event_of("x" * 300, model=7))

    assert [event["id"] for event in answer.json()["events"]] == [None, "job-1", None]
    assert [event["field"] for event in answer.json()["events"]] == ["id", "?", "id"]


def test_half_of_a_surrogate_pair_is_refused_with_the_body(api: Client, price: PricingConfig) -> None:
    assert send(api, event_of("\ud800")).status_code == 400


@pytest.mark.parametrize("count", ["NaN", "Infinity", "-Infinity"])
def test_number_that_is_no_json_is_refused_with_the_body(api: Client, price: PricingConfig, count: str) -> None:
    body = f'{{"events": [{{"id": "a", "model": "{MODEL}", "input_tokens": {count}}}]}}'

    assert api.post(URL, body, content_type="application/json").status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "events"),
        ({"events": {}}, "events"),
        ({"events": []}, "events"),
        ({"events": [{}] * 1001}, "events"),
        ({"events": [{}], "customer": "cust_1"}, "customer"),
        ({"events": [{}], "record_only": "true"}, "record_only"),
        ({"events": [{}], "record_only": None}, "record_only"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_body_that_is_no_batch_is_refused_as_a_whole(api: Client, body: Any, field: str) -> None:
    answer = api.post(URL, body, content_type="application/json")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "invalid_request", field)


def test_event_that_would_cost_more_than_can_be_moved_is_refused(api: Client, user: User) -> None:
    make_price(input_usd_per_1k=1000, markup_percent=10_000)

    answer = send(api, event_of(input_tokens=10**9), event_of("b", model=MODEL, input_tokens=0))

    assert told(answer) == [("refused", "invalid_request", "input_tokens"), ("posted",)]
