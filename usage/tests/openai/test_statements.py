"""How many statements a call costs: each is a round trip that everybody who is served waits for."""

from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from billing.models import ApiKeySpending
from billing.services.holds import place_hold
from sandbox.llm.testing import RunningLlm
from usage.tests.factories import balance_of, make_key, make_price, make_user
from usage.tests.openai.asking import MODEL, cost, say, tokens_of

PROMPT = "[write 20 tokens] Hello"
# Who calls, price, experience; begin, lock and count the key's calls, lock and load the balance, hold, limit, commit;
# begin, lock and load, charge, count, write down, commit.
STATEMENTS = 18


@pytest.fixture
def user(db: None, llm: RunningLlm) -> User:
    """Somebody with 10,000 credits; the provider is the stand-in."""
    make_price()
    return make_user(credits=10_000)


@pytest.mark.parametrize("calls_before", [0, 30])
def test_a_call_takes_the_same_few_statements_whatever_came_before(
    user: User,
    calls_before: int,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.selectors.plan_limits.REMEMBERED_SECONDS", 600.0)  # the machine may be slow
    client = Client(headers={"Authorization": f"Bearer {make_key(user).text}"})
    body = {"model": MODEL, "messages": say(PROMPT), "max_tokens": 50}
    for _ in range(1 + calls_before):  # the first one notes that the key is used
        client.post("/v1/chat/completions", body, content_type="application/json")

    with django_assert_num_queries(STATEMENTS):
        answer = client.post("/v1/chat/completions", body, content_type="application/json")

    charged = cost(input=tokens_of(PROMPT), output=20)
    assert Decimal(answer.json()["prepaid"]["charged"]) == charged
    assert Decimal(answer.json()["prepaid"]["balance"]) == balance_of(user).posted
    assert ApiKeySpending.objects.get().spent == charged * (2 + calls_before)


def test_the_balance_told_leaves_out_what_other_calls_hold(user: User) -> None:
    client = Client(headers={"Authorization": f"Bearer {make_key(user).text}"})
    body = {"model": MODEL, "messages": say(PROMPT), "max_tokens": 50}
    place_hold(customer_id=balance_of(user).pk, amount=400, key="api:other")

    answer = client.post("/v1/chat/completions", body, content_type="application/json")

    assert Decimal(answer.json()["prepaid"]["balance"]) == 9_600 - cost(input=tokens_of(PROMPT), output=20)
