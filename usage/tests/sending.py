"""Sends usage events as programs do."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from billing.services.verification import find_ledger_faults
from usage.tests.factories import MODEL, customer_of

URL = "/api/v1/usage-events"
ClientOf = Callable[..., Client]


def send(api: Client, *events: Any, **more: Any) -> Any:
    return api.post(URL, {"events": list(events), **more.pop("body", {})}, content_type="application/json", **more)


def event_of(name: str = "job-1", **fields: Any) -> dict[str, Any]:
    """10 tokens in, none out: 10 credits."""
    return {"id": name, "model": MODEL, "input_tokens": 10, **fields}


def told(answer: Any) -> list[tuple[str, ...]]:
    """What each event was answered: posted, duplicate, or refused and why."""
    assert answer.status_code == 200, answer.json()
    return [
        (event["status"],) if event["status"] != "refused" else (event["status"], event["code"], event["field"])
        for event in answer.json()["events"]
    ]


def assert_books_are_right(user: User) -> None:
    assert list(find_ledger_faults(customer_ids=[customer_of(user).pk])) == []
