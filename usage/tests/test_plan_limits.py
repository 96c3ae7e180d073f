"""Calls that a customer's plan has no room for: refused before anything is held, wherever they are asked for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Scope, User
from billing.credits import get_balance
from billing.errors import CallAbovePlan, ModelNotInPlan
from billing.models import CreditHold
from billing.services.customers import create_external_customer
from billing.tests.plan_subscriptions import make_free, subscribe
from billing.tests.plan_world import make_plan
from sandbox.llm.testing import RunningLlm
from usage.metering import metered
from usage.services.estimating import estimate_call
from usage.tests.factories import MODEL, customer_of, make_key, make_price
from usage.tests.openai.asking import say, tokens_of

pytestmark = pytest.mark.django_db
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def prices(db: None) -> None:
    make_price()
    make_price("large-model")


def estimate(
    user: User, *, model: str = MODEL, input_tokens: int = 60, max_tokens: int | None = 40, **more: Any
) -> Any:
    customer_id = customer_of(user).pk
    return estimate_call(
        customer_id=customer_id,
        model=model,
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        at=timezone.now(),
        **more,
    )


def test_a_call_of_just_so_many_tokens_is_estimated_and_one_more_is_refused(user: User) -> None:
    make_free(max_call_tokens=100)

    estimate(user)
    with pytest.raises(CallAbovePlan) as refused:
        estimate(user, max_tokens=41)

    assert (refused.value.plan, refused.value.token_limit, refused.value.tokens) == ("Free", 100, 101)


@pytest.mark.parametrize(("input_tokens", "fits"), [(100, True), (101, False)])
def test_where_no_length_is_asked_for_the_reserve_counts(user: User, input_tokens: int, fits: bool) -> None:
    make_free(max_call_tokens=200)  # the price's reserve is 100

    if fits:
        estimate(user, input_tokens=input_tokens, max_tokens=None)
    else:
        with pytest.raises(CallAbovePlan):
            estimate(user, input_tokens=input_tokens, max_tokens=None)


def test_each_of_several_answers_counts(user: User) -> None:
    make_free(max_call_tokens=100)

    with pytest.raises(CallAbovePlan):
        estimate(user, answers=2)


def test_a_larger_plan_has_room_for_larger_calls_and_more_models(user: User) -> None:
    make_free(max_call_tokens=10, models_allowed=[MODEL])
    subscribe(customer_of(user), make_plan("pro", max_call_tokens=100_000))

    estimate(user, model="large-model", max_tokens=90_000)


def test_a_model_that_the_plan_does_not_include_is_refused(user: User) -> None:
    make_free(models_allowed=[MODEL])

    estimate(user)
    with pytest.raises(ModelNotInPlan) as refused:
        estimate(user, model="large-model")

    assert (refused.value.model, refused.value.plan, refused.value.models) == ("large-model", "Free", [MODEL])


def test_metered_work_is_refused_before_it_begins(user: User) -> None:
    make_free(models_allowed=["large-model"])

    with pytest.raises(ModelNotInPlan):
        metered(user, MODEL, "Hello", idempotency_key="work")

    assert not CreditHold.objects.exists()


def test_the_endpoint_refuses_in_openais_shape_and_holds_nothing(user: User, api: Client, llm: RunningLlm) -> None:
    before = get_balance(user).posted
    make_free(max_call_tokens=tokens_of("Hello") + 10, models_allowed=[MODEL])
    body = {"model": MODEL, "messages": say("Hello"), "max_tokens": 10}

    served = api.post(CHAT, body, content_type="application/json")
    too_long = api.post(CHAT, {**body, "max_tokens": 11}, content_type="application/json")
    other = api.post(CHAT, {**body, "model": "large-model"}, content_type="application/json")

    assert served.status_code == 200
    assert [answer.status_code for answer in (too_long, other)] == [403, 403]
    errors = [answer.json()["error"] for answer in (too_long, other)]
    assert [error["code"] for error in errors] == ["call_above_plan_limit", "model_not_in_plan"]
    assert {error["type"] for error in errors} == {"permission_error"}
    assert (errors[0]["plan"], errors[0]["token_limit"]) == ("Free", tokens_of("Hello") + 10)
    assert CreditHold.objects.count() == 1
    assert get_balance(user).posted < before


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_whose_length_nobody_bounds_ends_where_the_plan_does(
    user: User, api: Client, llm: RunningLlm, is_stream: bool
) -> None:
    make_free(max_call_tokens=tokens_of("Hello") + 240)  # more than the price's reserve
    body = {"model": MODEL, "messages": say("Hello"), "stream": is_stream, "n": 2}

    answer = api.post(CHAT, body, content_type="application/json")
    list(answer)  # all of a stream

    assert answer.status_code == 200
    [asked] = llm.calls()
    assert asked["body"]["max_completion_tokens"] == 120
    assert asked["body"]["messages"] == body["messages"]


@pytest.mark.parametrize(
    ("limit", "bound"), [(None, {}), (500, {"max_tokens": 7}), (500, {"max_completion_tokens": 7})]
)
def test_what_needs_no_bound_goes_on_as_it_came(
    user: User, api: Client, llm: RunningLlm, limit: int | None, bound: dict[str, int]
) -> None:
    make_free(max_call_tokens=limit)
    body = {"model": MODEL, "messages": say("Hello"), **bound}

    assert api.post(CHAT, body, content_type="application/json").status_code == 200

    [asked] = llm.calls()
    assert asked["body"] == body


def test_models_of_other_plans_are_not_listed(user: User, api: Client) -> None:
    make_free(models_allowed=[MODEL])

    listed = [row["id"] for row in api.get("/v1/models").json()["data"]]
    one = api.get("/v1/models/large-model")

    assert listed == [MODEL]
    assert api.get(f"/v1/models/{MODEL}").status_code == 200
    assert (one.status_code, one.json()["error"]["code"]) == (403, "model_not_in_plan")


def test_all_models_are_listed_where_a_plan_names_none(user: User, api: Client) -> None:
    make_free()

    assert {row["id"] for row in api.get("/v1/models").json()["data"]} == {MODEL, "large-model"}


def test_quotes_are_refused_like_the_call_would_be(user: User, api: Client) -> None:
    make_free(models_allowed=["large-model"])

    quote = api.post("/api/v1/quotes", {"model": MODEL, "input_tokens": 5}, content_type="application/json")

    assert (quote.status_code, quote.json()["code"]) == (403, "model_not_in_plan")


def test_a_products_customers_are_not_limited_by_our_free_plan(
    user: User, llm: RunningLlm, client_of: Callable[..., Client]
) -> None:
    make_free(models_allowed=["large-model"])
    user.is_staff = True
    user.save()
    create_external_customer(external_id="acme")
    key = make_key(user, scopes=[Scope.READ, Scope.SPEND, Scope.CUSTOMERS])
    client = Client(headers={"Authorization": f"Bearer {key.text}", "Billing-Customer": "acme"})

    listed = [row["id"] for row in client.get("/v1/models").json()["data"]]

    assert set(listed) == {MODEL, "large-model"}
