"""`GET usage-events`."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, User
from billing.models import PricingConfig
from usage.metering import metered
from usage.tests.factories import (
    LONG_AGO,
    MODEL,
    make_price,
    make_user,
)
from usage.tests.sending import URL, ClientOf, event_of, send

pytestmark = pytest.mark.django_db


def test_list_gives_the_newest_first_in_pages(api: Client, user: User, price: PricingConfig) -> None:
    now = timezone.now()
    hours = [5, 1, 3, 2, 4]
    send(api, *(event_of(str(hour), occurred_at=(now - timedelta(hours=hour)).isoformat()) for hour in hours))

    first = api.get(URL, {"limit": 2}).json()
    second = api.get(URL, {"limit": 2, "starting_after": first["data"][-1]["id"]}).json()
    last = api.get(URL, {"limit": 2, "starting_after": second["data"][-1]["id"]}).json()
    back = api.get(URL, {"limit": 2, "ending_before": last["data"][0]["id"]}).json()

    pages = [[event["event_id"] for event in page["data"]] for page in (first, second, last, back)]
    assert pages == [["1", "2"], ["3", "4"], ["5"], ["3", "4"]]
    assert [page["has_more"] for page in (first, second, last, back)] == [True, True, False, True]


def test_event_is_shown_with_estimate_held_and_price(api: Client, user: User, price: PricingConfig) -> None:

    with metered(user, MODEL, "x" * 24, idempotency_key="job-1", metadata={"a": 1}) as call:
        call.report({"prompt_tokens": 10, "completion_tokens": 20})

    (shown,) = api.get(URL).json()["data"]

    assert shown == api.get(f"{URL}/{call.event.public_id}").json()
    assert (shown["estimate"], shown["held"], shown["credits"]) == ("210.000000", "210.000000", "50.000000")
    assert (shown["basis"], shown["status"], shown["event_id"]) == ("reported", "completed", "job-1")
    assert shown["price"] == {"name": MODEL, "effective_from": LONG_AGO.isoformat().replace("+00:00", "Z")}
    assert shown["hold"].startswith("hold_")
    assert shown["entry"].startswith("led_")
    assert shown["metadata"] == {"a": 1}


def test_list_is_filtered(api: Client, client_of: ClientOf, user: User, price: PricingConfig) -> None:
    make_price("big-model")
    now = timezone.now()
    send(api, event_of("old", occurred_at=(now - timedelta(days=3)).isoformat()), event_of("new"))
    send(client_of(user), event_of("other", model="big-model"))
    key_ids = list(ApiKey.objects.order_by("pk").values_list("key_id", flat=True))

    def names(**query: str) -> list[str]:
        return sorted(event["event_id"] for event in api.get(URL, query).json()["data"])

    yesterday = (now - timedelta(days=1)).isoformat()
    assert names(model=MODEL) == ["new", "old"]
    assert names(api_key=key_ids[1]) == ["other"]
    assert names(since=yesterday, model=MODEL) == ["new"]
    assert names(until=yesterday) == ["old"]
    assert names(status="completed") == ["new", "old", "other"]
    assert names(status="failed") == names(basis="reported") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "done"}, "status"),
        ({"since": "yesterday"}, "since"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"starting_after": "use_1"}, "starting_after"),
        ({"customer": "1"}, "customer"),
        ({"model": "a\0b"}, "model"),
    ],
    ids=str,
)
def test_parameter_that_cannot_be_used_is_named(api: Client, query: dict[str, str], field: str) -> None:
    answer = api.get(URL, query)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_events_of_others_do_not_exist(api: Client, client_of: ClientOf, price: PricingConfig) -> None:
    other = make_user(credits=100)
    named = send(client_of(other), event_of()).json()["events"][0]["usage_event"]

    assert api.get(f"{URL}/{named}").status_code == 404
    assert api.get(URL).json()["data"] == []
    assert api.get(URL, {"starting_after": named}).status_code == 400


def test_failed_attempts_share_the_name_of_their_work(api: Client, user: User, price: PricingConfig) -> None:
    for _ in range(2):
        with metered(user, MODEL, "hello", idempotency_key="job-1"):
            pass

    assert [(event["event_id"], event["status"]) for event in api.get(URL).json()["data"]] == [("job-1", "failed")] * 2
