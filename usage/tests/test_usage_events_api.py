"""`POST usage-events`: work that was done elsewhere."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey, User
from billing.models import LedgerEntry, PricingConfig
from usage.models import Basis, UsageEvent, UsageStatus
from usage.tests.factories import (
    MODEL,
    balance_of,
    customer_of,
    make_operation_price,
    make_price,
    make_user,
)
from usage.tests.sending import ClientOf, assert_books_are_right, event_of, send, told

pytestmark = pytest.mark.django_db


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
