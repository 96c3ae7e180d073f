"""Batches of usage events: many, at once, and the same ones twice."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from billing.models import ApiKeySpending, LedgerEntry, PricingConfig
from billing.services.verification import find_ledger_faults
from usage.metering import metered
from usage.models import UsageEvent
from usage.tests.factories import MODEL, balance_of, customer_of, make_key, make_price, make_user

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/usage-events"
BATCH = 1000
WAIT_SECONDS = 60


@pytest.fixture
def price(db: None) -> PricingConfig:
    return make_price()


def post_batch(api: Client, events: Sequence[dict[str, Any]], **headers: str) -> Any:
    answer = api.post(URL, {"events": list(events)}, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def in_parallel(workers: int, work: Callable[[int], Any]) -> list[Any]:
    """What each worker gives; they start together, each with its own connection."""
    start = threading.Barrier(workers)

    def run(number: int) -> Any:
        start.wait(timeout=WAIT_SECONDS)
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(workers)))


def client_of(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.mark.parametrize("events", [50_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_a_tenth_of_duplicates_is_charged_once(price: PricingConfig, settings: Any, events: int) -> None:
    settings.API_REQUESTS_PER_MINUTE = 0
    user = make_user(credits=10**9)
    api = client_of(make_key(user).text)
    dice = random.Random(events)
    fresh = events * 9 // 10
    names = [*range(fresh), *dice.choices(range(fresh), k=events - fresh)]
    dice.shuffle(names)

    posted = duplicates = 0
    for begin in range(0, events, BATCH):
        answer = post_batch(
            api, [{"id": f"e{name}", "model": MODEL, "input_tokens": name % 7} for name in names[begin : begin + BATCH]]
        )
        posted, duplicates = posted + answer["posted"], duplicates + answer["duplicates"]

    charged = sum(name % 7 for name in range(fresh))
    assert (posted, duplicates) == (fresh, events - fresh)
    assert UsageEvent.objects.count() == fresh
    assert LedgerEntry.objects.filter(kind="usage").count() == sum(bool(name % 7) for name in range(fresh))
    assert balance_of(user).posted == 10**9 - charged
    assert ApiKeySpending.objects.get().spent == charged
    assert list(find_ledger_faults()) == []


def test_one_batch_by_several_senders_at_once_is_charged_once(price: PricingConfig) -> None:
    user = make_user(credits=10_000)
    text, workers = make_key(user).text, 4
    events = [{"id": f"e{number}", "model": MODEL, "input_tokens": number % 2} for number in range(200)]

    def send(worker: int) -> Any:
        return post_batch(client_of(text), random.Random(worker).sample(events, len(events)))

    answers = in_parallel(workers, send)

    assert sorted(answer["posted"] for answer in answers) == [0, 0, 0, 200]
    assert sum(answer["duplicates"] for answer in answers) == 600
    assert (balance_of(user).posted, UsageEvent.objects.count()) == (9_900, 200)
    assert list(find_ledger_faults()) == []


def test_parallel_batches_for_many_customers_are_each_charged(price: PricingConfig) -> None:
    platform, payers = make_user(), [make_user(credits=1000) for _ in range(5)]
    text = make_key(platform, scopes=("spend", "customers")).text
    names = [customer_of(payer).public_id for payer in payers]

    def send(worker: int) -> None:
        for name in names[worker:] + names[:worker]:
            events = [{"id": f"{worker}-{number}", "model": MODEL, "input_tokens": 1} for number in range(30)]
            post_batch(client_of(text), events, **{"Billing-Customer": name})

    in_parallel(4, send)

    assert {balance_of(payer).posted for payer in payers} == {Decimal(1000 - 120)}
    assert ApiKeySpending.objects.get().spent == 600
    assert list(find_ledger_faults()) == []


def test_parallel_batches_never_pass_the_key_s_limit(price: PricingConfig) -> None:
    platform, payers = make_user(), [make_user(credits=1000) for _ in range(4)]
    text = make_key(platform, scopes=("spend", "customers"), monthly_limit=Decimal(100)).text

    def send(worker: int) -> Any:
        events = [{"id": f"{worker}-{number}", "model": MODEL, "input_tokens": 1} for number in range(60)]
        return post_batch(client_of(text), events, **{"Billing-Customer": customer_of(payers[worker]).public_id})

    answers = in_parallel(4, send)

    assert sum(answer["posted"] for answer in answers) == 100
    assert sum(answer["refused"] for answer in answers) == 140
    refused = {event["code"] for answer in answers for event in answer["events"] if event["status"] == "refused"}
    assert refused == {"key_limit_reached"}
    assert ApiKeySpending.objects.get().spent == 100
    assert list(find_ledger_faults()) == []


def test_batches_and_metered_calls_at_once_keep_the_books_right(price: PricingConfig) -> None:

    user = make_user(credits=100_000)
    text = make_key(user).text

    def work(worker: int) -> None:
        payer = User.objects.get(pk=user.pk)
        for number in range(10):
            if worker % 2:
                post_batch(client_of(text), [{"id": f"{worker}-{number}", "model": MODEL, "input_tokens": 5}])
            else:
                with metered(payer, MODEL, "hello", idempotency_key=f"{worker}-{number}") as call:
                    call.report({"prompt_tokens": 5})

    in_parallel(4, work)

    assert (balance_of(user).posted, balance_of(user).held) == (100_000 - 200, 0)
    assert UsageEvent.objects.count() == 40
    assert list(find_ledger_faults()) == []
