from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def ids_in_log(caplog: pytest.LogCaptureFixture) -> set[Any]:
    return {record.msg.get("request_id") for record in caplog.records if isinstance(record.msg, dict)}


@pytest.mark.parametrize("path", ["/", "/api/v1/balance", "/nowhere/"])
def test_answers_name_their_request(client: Client, path: str) -> None:
    first, second = client.get(path), client.get(path)

    assert len(first["X-Request-Id"]) == 36
    assert first["X-Request-Id"] != second["X-Request-Id"]


def test_name_of_an_answer_is_in_its_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = client.get("/api/v1/balance", headers={"X-Request-Id": "edge-7.abc_D"})

    assert answer["X-Request-Id"] == "edge-7.abc_D"
    assert ids_in_log(caplog) == {"edge-7.abc_D"}


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b', "a\nb", "é", "<x>", "a=b"])
def test_names_that_a_log_cannot_bear_are_replaced(client: Client, given: str) -> None:
    answer = client.get("/api/v1/balance", headers={"X-Request-Id": given})

    assert len(answer["X-Request-Id"]) == 36
