"""`/api/v1/usage-events`: work that was done elsewhere."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey, User
from billing.models import ApiKeySpending, LedgerEntry, PricingConfig
from billing.services.customers import freeze_customer
from billing.services.key_limits import spent_this_month
from billing.services.verification import find_ledger_faults
from usage.metering import metered
from usage.models import Basis, UsageEvent, UsageStatus
from usage.tests.factories import (
    LONG_AGO,
    MODEL,
    balance_of,
    customer_of,
    make_operation_price,
    make_price,
    make_user,
)

pytestmark = pytest.mark.django_db

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


def test_event_is_priced_posted_and_written_down(api: Client, user: User, price: PricingConfig) -> None:
    moment = (timezone.now() - timedelta(days=2)).replace(microsecond=0)

    answer = send(
        api,
        event_of(
            input_tokens=10,
            cached_tokens=4,
            output_tokens=3,
            occurred_at=moment.isoformat(),
            metadata={"feature": "chat", "tries": 2, "is_test": False, "ratio": 0.5, "none": None},
        ),
    )

    event, entry = UsageEvent.objects.get(), LedgerEntry.objects.get(kind="usage")
    customer = customer_of(user)
    assert answer.json() == {
        "object": "usage_event_batch",
        "customer": customer.public_id,
        "posted": 1,
        "duplicates": 0,
        "refused": 0,
        "credits": "14.000000",
        "events": [
            {
                "id": "job-1",
                "status": "posted",
                "usage_event": event.public_id,
                "credits": "14.000000",
                "entry": f"led_{customer.public_id.removeprefix('cust_')}_{entry.sequence}",
            }
        ],
    }
    assert (entry.amount, entry.occurred_at, entry.description) == (-14, moment, MODEL)
    assert (event.credits, event.cost_usd, event.price, event.entry) == (14, Decimal("0.014"), price, entry)
    assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (10, 4, 3)
    assert (event.basis, event.status, event.occurred_at) == (Basis.RECORDED, UsageStatus.COMPLETED, moment)
    assert event.metadata == {"feature": "chat", "tries": 2, "is_test": False, "ratio": 0.5, "none": None}
    assert event.api_key == ApiKey.objects.get()
    assert (event.hold, event.held_credits, event.estimated_credits) == (None, None, None)
    assert_books_are_right(user)


def test_operations_are_charged_by_the_piece(api: Client, user: User) -> None:
    make_operation_price("image", credits=5)
    make_operation_price("call", credits=None, usd="0.001", markup_percent=50)

    answer = send(api, {"id": "a", "operation": "image", "quantity": 3}, {"id": "b", "operation": "call"})

    assert [event["credits"] for event in answer.json()["events"]] == ["15.000000", "1.500000"]
    assert balance_of(user).posted == Decimal("983.5")
    assert UsageEvent.objects.get(event_id="api:a").quantity == 3


def test_event_told_again_is_a_duplicate_for_ever(api: Client, user: User, price: PricingConfig) -> None:
    first = send(api, event_of()).json()["events"][0]

    again = send(api, event_of(metadata={"only": "a note"})).json()

    assert again["events"] == [first | {"status": "duplicate"}]
    assert (again["posted"], again["duplicates"], again["credits"]) == (0, 1, "0.000000")
    assert balance_of(user).posted == 990


@pytest.mark.parametrize(
    "change", [{"input_tokens": 11}, {"output_tokens": 1}, {"cached_tokens": 1}, {"occurred_at": "now"}], ids=str
)
def test_event_told_otherwise_is_a_conflict(
    api: Client, user: User, price: PricingConfig, change: dict[str, Any]
) -> None:
    send(api, event_of())
    if "occurred_at" in change:
        change = {"occurred_at": timezone.now().isoformat()}

    assert told(send(api, event_of(**change))) == [("refused", "idempotency_conflict", None)]
    assert balance_of(user).posted == 990


def test_repeats_inside_a_batch_follow_the_first(api: Client, user: User, price: PricingConfig) -> None:
    answer = send(api, event_of("a"), event_of("a"), event_of("a", input_tokens=2), event_of("b", input_tokens=5000))
    repeated = send(api, event_of("b", input_tokens=5000), event_of("b", input_tokens=5000))

    assert told(answer) == [
        ("posted",),
        ("duplicate",),
        ("refused", "idempotency_conflict", None),
        ("refused", "insufficient_credits", None),
    ]
    assert told(repeated) == [("refused", "insufficient_credits", None)] * 2
    assert balance_of(user).posted == 990


def test_events_of_one_name_belong_to_their_customer(client_of: ClientOf, price: PricingConfig) -> None:
    one, other = make_user(credits=100), make_user(credits=100)

    assert told(send(client_of(one), event_of())) == told(send(client_of(other), event_of())) == [("posted",)]


def test_refused_events_change_nothing_for_those_around_them(api: Client, user: User, price: PricingConfig) -> None:
    answer = send(
        api,
        event_of("1", input_tokens=600),
        event_of("2", model="no-model"),
        event_of("3", input_tokens=401),
        event_of("4", input_tokens=-1),
        event_of("5", input_tokens=400),
        event_of("6", input_tokens=1),
        {"id": "7", "operation": "no-operation"},
        "no event",
    )

    assert told(answer) == [
        ("posted",),
        ("refused", "unknown_model", "model"),
        ("refused", "insufficient_credits", None),
        ("refused", "invalid_request", "input_tokens"),
        ("posted",),
        ("refused", "insufficient_credits", None),
        ("refused", "unknown_operation", "operation"),
        ("refused", "invalid_request", "event"),
    ]
    assert [event["id"] for event in answer.json()["events"]] == ["1", "2", "3", "4", "5", "6", "7", None]
    refused = answer.json()["events"][2]
    assert (refused["available"], refused["required"]) == ("400.000000", "401.000000")
    assert (balance_of(user).posted, UsageEvent.objects.count()) == (0, 2)
    assert_books_are_right(user)


def test_refused_event_may_be_told_again(api: Client, user: User, price: PricingConfig) -> None:
    make_key_event = event_of(model="new-model")
    assert told(send(api, make_key_event)) == [("refused", "unknown_model", "model")]
    make_price("new-model")

    assert told(send(api, make_key_event)) == [("posted",)]


def test_free_work_is_written_down_without_an_entry(api: Client, user: User, price: PricingConfig) -> None:
    assert told(send(api, event_of(input_tokens=0), event_of(input_tokens=0), event_of("b"))) == [
        ("posted",),
        ("duplicate",),
        ("posted",),
    ]
    assert told(send(api, event_of(input_tokens=0))) == [("duplicate",)]

    event = UsageEvent.objects.get(event_id="api:job-1")
    assert (event.credits, event.entry) == (0, None)
    assert LedgerEntry.objects.filter(kind="usage").count() == 1


def test_each_event_is_priced_at_its_own_time(api: Client, user: User, price: PricingConfig) -> None:
    now = timezone.now()
    dearer = make_price(since=now - timedelta(days=1), input_usd_per_1k=2)

    send(
        api,
        event_of("before", occurred_at=(now - timedelta(days=1, seconds=1)).isoformat()),
        event_of("from then on", occurred_at=(now - timedelta(days=1)).isoformat()),
        event_of("now"),
    )

    charged = {event.event_id: (event.credits, event.price) for event in UsageEvent.objects.all()}
    assert charged == {"api:before": (10, price), "api:from then on": (20, dearer), "api:now": (20, dearer)}


def test_model_that_was_not_offered_then_is_refused(api: Client, price: PricingConfig) -> None:
    make_price(since=timezone.now() - timedelta(hours=1), is_offered=False)
    earlier = (timezone.now() - timedelta(hours=2)).isoformat()

    assert told(send(api, event_of("a"), event_of("b", occurred_at=earlier))) == [
        ("refused", "unknown_model", "model"),
        ("posted",),
    ]


def test_model_without_a_price_gets_the_default_s_and_is_flagged(
    api: Client, price: PricingConfig, settings: Any
) -> None:
    settings.DEFAULT_PRICE_MODEL = MODEL

    assert told(send(api, event_of(model="other-model"), event_of("b"))) == [("posted",)] * 2
    flags = dict(UsageEvent.objects.values_list("model", "is_default_price"))
    assert flags == {"other-model": True, MODEL: False}


@pytest.mark.parametrize(
    ("age", "outcome"),
    [
        (timedelta(days=30) - timedelta(minutes=1), ("posted",)),
        (timedelta(days=30) + timedelta(seconds=1), ("refused", "event_too_old", "occurred_at")),
        (-timedelta(minutes=4), ("posted",)),
        (-timedelta(minutes=6), ("refused", "event_in_future", "occurred_at")),
    ],
    ids=str,
)
def test_events_are_taken_for_thirty_days(
    api: Client, price: PricingConfig, age: timedelta, outcome: tuple[str, ...]
) -> None:
    assert told(send(api, event_of(occurred_at=(timezone.now() - age).isoformat()))) == [outcome]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"id": "\ud800"}, "id"),
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


def test_text_that_cannot_be_written_is_not_given_back(api: Client, price: PricingConfig) -> None:
    answer = send(api, event_of("\ud800", model=7), event_of() | {"\ud800": 1}, event_of("x" * 300, model=7))

    assert [event["id"] for event in answer.json()["events"]] == [None, "job-1", None]
    assert [event["field"] for event in answer.json()["events"]] == ["id", "?", "id"]
    odd = api.post(URL, '{"events": [{}], "\\ud800": 1}', content_type="application/json")
    assert (odd.status_code, odd.json()["field"]) == (400, "?")


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


def test_frozen_customer_s_events_are_refused(api: Client, user: User, price: PricingConfig) -> None:
    freeze_customer(customer_id=customer_of(user).pk, reason="Dispute")

    assert told(send(api, event_of())) == [("refused", "customer_frozen", None)]


def test_work_that_is_done_is_recorded_below_zero_and_through_a_freeze(
    client_of: ClientOf, price: PricingConfig
) -> None:
    platform, payer = make_user(), make_user(credits=15)
    api, customer = client_of(platform, scopes=("spend", "customers")), customer_of(payer)
    named = {"headers": {"Billing-Customer": customer.public_id}}

    assert told(send(api, event_of("a"), event_of("b"), body={"record_only": True}, **named)) == [("posted",)] * 2
    assert balance_of(payer).posted == -5
    assert told(send(api, event_of("c"), **named)) == [("refused", "insufficient_credits", None)]
    freeze_customer(customer_id=customer.pk, reason="Dispute")
    assert told(send(api, event_of("c"), body={"record_only": True}, **named)) == [("posted",)]

    assert (balance_of(payer).posted, balance_of(platform).posted) == (-15, 0)
    assert_books_are_right(payer)


def test_only_a_key_for_customers_may_record_what_is_not_covered(api: Client, user: User, price: PricingConfig) -> None:
    browser = Client()
    browser.force_login(user)

    for caller in (api, browser):
        answer = send(caller, event_of(), body={"record_only": True})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert not UsageEvent.objects.exists()


def test_key_that_may_only_read_cannot_post(client_of: ClientOf, user: User) -> None:
    assert send(client_of(user, scopes=("read",)), event_of()).status_code == 403


def test_key_s_limit_refuses_what_is_beyond_it_one_by_one(
    client_of: ClientOf, user: User, price: PricingConfig
) -> None:
    api = client_of(user, monthly_limit=Decimal(25))

    answer = send(
        api,
        event_of("a"),
        event_of("b", input_tokens=16),
        event_of("c", input_tokens=15),
        event_of("d", input_tokens=1),
        event_of("e", input_tokens=2000),
        event_of("f", input_tokens=0),
    )

    beyond = ("refused", "key_limit_reached", None)
    assert told(answer) == [
        ("posted",),
        beyond,
        ("posted",),
        beyond,
        ("refused", "insufficient_credits", None),
        ("posted",),
    ]
    assert answer.json()["events"][1]["available"] == "15.000000"
    assert spent_this_month(key=ApiKey.objects.get(), now=timezone.now()) == 25
    assert balance_of(user).posted == 975
    assert told(send(api, event_of("d", input_tokens=1))) == [beyond]
    assert_books_are_right(user)


def test_limit_and_balance_are_judged_together_in_the_order_given(client_of: ClientOf, price: PricingConfig) -> None:
    user = make_user(credits=11)
    api = client_of(user, monthly_limit=Decimal(10))

    answer = send(
        api, *(event_of(str(number), input_tokens=cost) for number, cost in enumerate((1, 10, 12, 1, 9, 8, 1)))
    )

    beyond, short = ("refused", "key_limit_reached", None), ("refused", "insufficient_credits", None)
    assert told(answer) == [("posted",), beyond, short, ("posted",), beyond, ("posted",), beyond]
    assert (balance_of(user).posted, ApiKeySpending.objects.get().spent) == (1, 10)
    assert_books_are_right(user)


def test_what_the_key_s_open_holds_keep_is_not_there_for_events(
    client_of: ClientOf, user: User, price: PricingConfig
) -> None:
    api = client_of(user, monthly_limit=Decimal(220))
    metered(user, MODEL, "x" * 24, idempotency_key="job-1", api_key=ApiKey.objects.get()).open()

    assert told(send(api, event_of("a"), event_of("b", input_tokens=1))) == [
        ("posted",),
        ("refused", "key_limit_reached", None),
    ]


def test_recorded_work_counts_for_the_key_but_is_not_stopped_by_its_limit(
    client_of: ClientOf, user: User, price: PricingConfig
) -> None:
    api = client_of(user, scopes=("spend", "customers"), monthly_limit=Decimal(15))

    assert told(send(api, event_of("a"), event_of("b"), body={"record_only": True})) == [("posted",)] * 2
    assert ApiKeySpending.objects.get().spent == 20


def test_batch_with_an_idempotency_key_is_answered_once(api: Client, user: User, price: PricingConfig) -> None:
    headers = {"Idempotency-Key": "batch-1"}
    first = send(api, event_of(), headers=headers)

    again = send(api, event_of(), headers=headers)

    assert again.json() == first.json()
    assert (again["Idempotent-Replayed"], balance_of(user).posted) == ("true", 990)
    assert send(api, event_of("other"), headers=headers).status_code == 422


def test_number_of_queries_does_not_grow_with_the_batch(
    api: Client, price: PricingConfig, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_operation_price("image", credits=1)
    events = [event_of(f"a{number}", input_tokens=1) for number in range(100)]
    events += [{"id": f"b{number}", "operation": "image"} for number in range(100)]

    with django_assert_max_num_queries(20):
        assert send(api, *events).json()["posted"] == 200


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
