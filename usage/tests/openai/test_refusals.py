"""Every refusal below `/v1/`, in OpenAI's shape; nothing is held by any of them."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from openai import AuthenticationError, OpenAI, RateLimitError
from pytest_django import Settings

from accounts.api_keys import revoke_key
from accounts.models import User
from billing.models import CreditHold
from billing.services.customers import freeze_customer
from billing.tests.processes import wait_until
from sandbox.llm.testing import RunningLlm
from usage.models import UsageEvent
from usage.openai import embeddings
from usage.tests.factories import balance_of, customer_of, make_key, make_price, make_user
from usage.tests.openai.asking import MODEL, START, cost, say, tokens_of

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": MODEL, "messages": say("Hello"), "max_tokens": 10}


@pytest.fixture
def user(db: None, llm: RunningLlm) -> User:
    """Somebody with 1,000 credits; the provider is the stand-in."""
    make_price()
    return make_user(credits=1000)


def ask(user_or_key: User | str, body: Any = None, *, path: str = CHAT, **headers: str) -> Any:
    key = user_or_key if isinstance(user_or_key, str) else make_key(user_or_key).text
    text = body if isinstance(body, str | bytes) else json.dumps(HELLO if body is None else body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(headers={"Authorization": f"Bearer {key}", **named}).post(path, text, content_type="application/json")


def refusal(response: Any) -> tuple[int, str, str]:
    """Status, type and code of an error, whose shape is OpenAI's; by it nothing is held."""
    error = response.json()["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"]
    assert not CreditHold.objects.filter(state="open").exists()
    return response.status_code, error["type"], error["code"]


def test_strangers_are_refused(user: User) -> None:
    assert refusal(Client().post(CHAT, HELLO, content_type="application/json"))[:2] == (401, "authentication_error")
    assert refusal(ask("ppk_test_wrong")) == (401, "authentication_error", "invalid_api_key")


def test_a_browsers_session_is_no_key(user: User) -> None:
    browser = Client()
    browser.force_login(user)

    response = browser.post(CHAT, HELLO, content_type="application/json")

    assert refusal(response)[0] == 401


def test_key_in_the_address_is_not_looked_at(user: User) -> None:
    text = make_key(user).text

    assert Client().post(f"{CHAT}?api_key={text}", HELLO, content_type="application/json").status_code == 401


def test_revoked_and_expired_keys_are_refused(user: User) -> None:
    revoked, expired = make_key(user), make_key(user)
    revoke_key(key=revoked.key, now=timezone.now())
    type(expired.key).objects.filter(pk=expired.key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    assert refusal(ask(revoked.text))[2] == "api_key_revoked"
    assert refusal(ask(expired.text))[2] == "api_key_expired"


def test_key_that_may_not_spend_reads_models_only(user: User) -> None:
    reader, nobody = make_key(user, scopes=["read"]).text, make_key(user, scopes=["customers"]).text

    assert refusal(ask(reader)) == (403, "permission_error", "scope_missing")
    assert Client(headers={"Authorization": f"Bearer {reader}"}).get("/v1/models").status_code == 200
    assert refusal(Client(headers={"Authorization": f"Bearer {nobody}"}).get("/v1/models"))[2] == "scope_missing"


def test_want_of_credits_says_how_many_and_where_to_buy(user: User, llm: RunningLlm) -> None:
    response = ask(user, {**HELLO, "max_tokens": 1000, "messages": say("x" * 8000)})

    error = response.json()["error"]
    assert refusal(response) == (402, "insufficient_quota", "insufficient_credits")
    assert Decimal(error["available"]) == 1000
    assert Decimal(error["required"]) > 1000
    assert error["top_up_url"].endswith("/billing/buy/")
    assert llm.calls() == []


def test_key_with_a_limit_is_told_that_it_is_reached(user: User) -> None:
    response = ask(make_key(user, monthly_limit=Decimal(20)).text)

    assert refusal(response) == (402, "insufficient_quota", "key_limit_reached")
    assert Decimal(response.json()["error"]["available"]) == 20


def test_frozen_customer_is_refused(user: User) -> None:
    freeze_customer(customer_id=customer_of(user).pk, reason="Looked at")

    assert refusal(ask(user)) == (403, "permission_error", "customer_frozen")


def test_unknown_model_is_told_with_those_that_there_are(user: User) -> None:
    response = ask(user, {**HELLO, "model": "gpt-none"})

    assert refusal(response) == (404, "invalid_request_error", "model_not_found")
    assert response.json()["error"]["param"] == "model"
    assert response.json()["error"]["known"] == [MODEL]


def test_images_without_a_price_are_not_made(user: User) -> None:
    response = ask(user, {"prompt": "A cat"}, path="/v1/images/generations")

    assert refusal(response) == (404, "invalid_request_error", "operation_not_found")


@pytest.mark.parametrize(
    ("path", "changed", "param"),
    [
        (CHAT, {"model": None}, "model"),
        (CHAT, {"model": "a\0b"}, "model"),
        (CHAT, {"model": "m" * 121}, "model"),
        (CHAT, {"messages": None}, "messages"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": ["Hello"]}, "messages"),
        (CHAT, {"max_tokens": 0}, "max_tokens"),
        (CHAT, {"max_tokens": "10"}, "max_tokens"),
        (CHAT, {"max_tokens": True}, "max_tokens"),
        (CHAT, {"max_completion_tokens": -1}, "max_completion_tokens"),
        (CHAT, {"n": 0}, "n"),
        (CHAT, {"n": 129}, "n"),
        (CHAT, {"stream": "yes"}, "stream"),
        (CHAT, {"stream": True, "stream_options": []}, "stream_options"),
        ("/v1/embeddings", {"input": None}, "input"),
        ("/v1/embeddings", {"input": []}, "input"),
        ("/v1/embeddings", {"input": [None]}, "input"),
        ("/v1/images/generations", {"prompt": ""}, "prompt"),
        ("/v1/images/generations", {"prompt": "A cat", "n": 11}, "n"),
        ("/v1/images/generations", {"prompt": "A cat", "stream": True}, "stream"),
    ],
)
def test_field_that_cannot_be_used_is_named(user: User, path: str, changed: dict[str, Any], param: str) -> None:
    response = ask(user, {**HELLO, **changed}, path=path)

    assert refusal(response) == (400, "invalid_request_error", "invalid_request")
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize("name", ["tools", "functions", "response_format", "prediction"])
def test_what_a_prompt_has_beside_its_messages_is_held_for(user: User, name: str) -> None:
    """1,000 credits are there, and the provider would read 1,250 tokens."""
    assert refusal(ask(user, HELLO | {name: {"text": "x" * 5000}}))[::2] == (402, "insufficient_credits")


@pytest.mark.parametrize("least", ["max_tokens", "max_completion_tokens"])
def test_the_larger_of_two_bounds_is_held_for(user: User, least: str) -> None:
    both = HELLO | {"max_tokens": 1000, "max_completion_tokens": 1000} | {least: 1}

    required = ask(user, both).json()["error"]["required"]

    assert Decimal(required) == cost(input=tokens_of("Hello"), output=1000)


def test_embedding_that_did_not_come_is_not_charged(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some providers say that they failed with a status of 200."""
    monkeypatch.setattr(embeddings, "fetch_answer", lambda **_: {"error": {"message": "Overloaded"}})

    answer = ask(user, {"model": MODEL, "input": "Hello"}, path="/v1/embeddings").json()

    assert (Decimal(answer["prepaid"]["charged"]), balance_of(user).posted, balance_of(user).held) == (0, 1000, 0)


@pytest.mark.parametrize("body", ["", "{", "[]", '"Hello"', "null", '{"model": NaN}', b"\xff"])
def test_body_that_is_no_object_is_refused(user: User, body: Any) -> None:
    assert ask(user, body).status_code == 400


def test_body_may_carry_pictures_but_not_without_end(user: User) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 2 * 1024 * 1024}}
    large = {**HELLO, "messages": [{"role": "user", "content": [picture]}]}

    assert refusal(ask(user, large))[2] == "insufficient_credits"
    assert refusal(ask(user, "x" * (20 * 1024 * 1024 + 1)))[:2] == (413, "invalid_request_error")


def test_addresses_that_there_are_not_are_told_in_the_same_shape(user: User) -> None:
    for path in ("/v1/fine-tuning/jobs", "/v1/", "/v1/a%0Ab"):
        assert refusal(ask(user, path=path)) == (404, "invalid_request_error", "not_found")
    assert Client().get(CHAT).status_code in {401, 405}


def test_too_many_requests_are_told_when_to_come_back(user: User, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    key = make_key(user).text
    ask(key, {**HELLO, "model": "gpt-none"})

    response = ask(key, {**HELLO, "model": "gpt-none"})

    assert refusal(response) == (429, "rate_limit_error", "rate_limited")
    assert 1 <= int(response["Retry-After"]) <= 60


def test_key_has_so_many_calls_open_and_no_more(
    client: OpenAI, buyer: User, llm: RunningLlm, settings: Settings, base_url: str
) -> None:
    settings.API_OPEN_STREAMS = 2
    prompt = say("[write 3 tokens] [gate after 1 tokens]")
    streams = [client.chat.completions.create(model=MODEL, messages=prompt, stream=True) for _ in range(2)]

    with pytest.raises(RateLimitError) as raised:
        client.chat.completions.create(model=MODEL, messages=say("Hello"))
    other = OpenAI(base_url=base_url, api_key=make_key(buyer).text).chat.completions.create(
        model=MODEL, messages=say("Hello")
    )
    llm.open_gate()
    for stream in streams:
        list(stream)
    after = client.chat.completions.create(model=MODEL, messages=say("Hello"))

    assert "2 calls open" in raised.value.message
    assert raised.value.response.headers["Retry-After"] == "1"
    assert other.choices
    assert after.choices
    assert balance_of(buyer).held == 0


def test_calls_that_come_at_once_do_not_slip_past_the_limit(
    client: OpenAI, buyer: User, llm: RunningLlm, settings: Settings
) -> None:
    settings.API_OPEN_STREAMS = 3
    statuses: list[int] = []

    def call() -> None:
        try:
            client.chat.completions.create(model=MODEL, messages=say("[gate after 0 tokens]"))
            statuses.append(200)
        except RateLimitError:
            statuses.append(429)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(statuses) == 5, seconds=20)
    assert statuses == [429] * 5
    llm.open_gate()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] * 3 + [429] * 5


def test_same_idempotency_key_is_served_once(user: User, llm: RunningLlm) -> None:
    key = make_key(user).text

    first = ask(key, Idempotency_Key="reply-1")
    second = ask(key, Idempotency_Key="reply-1")
    of_another_key = ask(user, Idempotency_Key="reply-1")

    assert first.status_code == 200
    assert refusal(second) == (409, "invalid_request_error", "hold_ended")
    assert second["X-Should-Retry"] == "false"
    assert of_another_key.status_code == 200
    assert len(llm.calls()) == 2


def test_same_idempotency_key_at_once_is_served_once(client: OpenAI, buyer: User, llm: RunningLlm) -> None:
    headers = {"Idempotency-Key": "reply-1"}
    stream = client.chat.completions.create(
        model=MODEL, messages=say("[write 3 tokens] [gate after 1 tokens]"), stream=True, extra_headers=headers
    )

    with pytest.raises(Exception, match="being worked on") as raised:
        client.chat.completions.create(model=MODEL, messages=say("Hello"), extra_headers=headers)
    llm.open_gate()
    list(stream)

    assert getattr(raised.value, "status_code", 0) == 409
    assert UsageEvent.objects.count() == 1


def test_call_that_failed_may_be_tried_again_by_its_name(user: User, llm: RunningLlm) -> None:
    key = make_key(user).text
    llm.wish("[fail 500]")
    failed = ask(key, Idempotency_Key="reply-1")
    llm.wish("")

    again = ask(key, Idempotency_Key="reply-1")

    assert (failed.status_code, again.status_code) == (502, 200)
    assert balance_of(user).posted == 1000 - UsageEvent.objects.get(status="completed").credits


@pytest.mark.parametrize("name", ["x" * 151, "x" * 300, "tab\tinside"])
def test_idempotency_key_that_cannot_be_used_is_refused(user: User, name: str) -> None:
    response = ask(user, Idempotency_Key=name)

    assert refusal(response)[0] == 400
    assert response.json()["error"]["param"] == "Idempotency-Key"


def test_key_for_customers_spends_the_credits_of_the_one_it_names(user: User, llm: RunningLlm) -> None:
    agent = make_user()
    key = make_key(agent, scopes=["spend", "customers"]).text

    answer = ask(key, Billing_Customer=customer_of(user).public_id)

    charged = cost(input=tokens_of("Hello"), output=4)  # "You said: Hello" has 15 characters
    assert answer.status_code == 200
    assert (balance_of(user).posted, balance_of(agent).posted) == (1000 - charged, 0)


def test_others_cannot_be_named(user: User) -> None:
    other = make_user(credits=START)
    agent = make_key(make_user(), scopes=["spend", "customers"]).text

    assert refusal(ask(user, Billing_Customer=customer_of(other).public_id))[2] == "scope_missing"
    assert refusal(ask(agent, Billing_Customer="nobody"))[:1] == (404,)


def test_official_client_knows_a_wrong_key(base_url: str, buyer: User) -> None:
    with OpenAI(base_url=base_url, api_key="sk-wrong", max_retries=0) as client, pytest.raises(AuthenticationError):
        client.models.list()
