"""The official OpenAI client, unmodified but for address and key; costs are computed by hand from the price table."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from openai import AsyncOpenAI, NotFoundError, OpenAI
from pydantic import BaseModel

from accounts.models import User
from sandbox.llm.testing import KEY, RunningLlm
from usage.models import Basis, UsageEvent, UsageStatus
from usage.tests.factories import balance_of, make_key, make_price
from usage.tests.openai.asking import MODEL, START, cost, say, tokens_of

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


def test_plain_answer_costs_what_the_price_table_says(client: OpenAI, buyer: User) -> None:
    text = "[write 10 tokens] [cached 4 tokens]"  # 35 characters: 9 tokens, and 4 of the message

    answer = client.chat.completions.create(model=MODEL, messages=say(text))

    assert answer.choices[0].message.content == "w00 w01 w02 w03 w04 w05 w06 w07 w08 w09 "
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (13, 10)
    # 9 fresh input tokens at 1, 4 cached at 0.5, 10 output tokens at 2
    assert balance_of(buyer).posted == START - (9 + 2 + 20)
    event = UsageEvent.objects.get()
    assert (event.credits, event.basis, event.status) == (31, Basis.REPORTED, UsageStatus.COMPLETED)


def test_answer_tells_its_cost_in_a_field_and_in_headers(client: OpenAI, buyer: User) -> None:
    text = "[write 10 tokens]"

    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=say(text), max_tokens=50)

    receipt = raw.parse().prepaid  # type: ignore[attr-defined]
    estimate, charged = cost(input=tokens_of(text), output=50), cost(input=tokens_of(text), output=10)
    assert {name: Decimal(receipt[name]) for name in ("estimate", "held", "charged", "balance")} == {
        "estimate": estimate,
        "held": estimate,
        "charged": charged,
        "balance": START - charged,
    }
    assert receipt["basis"] == "reported"
    assert Decimal(raw.headers["Prepaid-Held"]) == estimate
    assert Decimal(raw.headers["Prepaid-Charged"]) == charged
    assert Decimal(raw.headers["Prepaid-Balance"]) == balance_of(buyer).posted


def test_stream_without_usage_is_passed_on_and_its_last_piece_tells_the_cost(client: OpenAI, buyer: User) -> None:
    text = "[write 10 tokens]"

    pieces = list(client.chat.completions.create(model=MODEL, messages=say(text), stream=True))

    assert all(piece.choices for piece in pieces)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces).split() == [f"w0{n}" for n in range(10)]
    assert pieces[-1].choices[0].finish_reason == "stop"
    charged = cost(input=tokens_of(text), output=10)
    assert Decimal(pieces[-1].prepaid["charged"]) == charged  # type: ignore[attr-defined]
    assert balance_of(buyer).posted == START - charged


def test_stream_with_usage_ends_with_it_as_openai_does(client: OpenAI, buyer: User) -> None:
    text = "[write 3 tokens]"

    stream = client.chat.completions.create(
        model=MODEL, messages=say(text), stream=True, stream_options={"include_usage": True}
    )
    pieces = list(stream)

    assert pieces[-1].choices == []
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 3
    assert Decimal(pieces[-1].prepaid["charged"]) == cost(input=tokens_of(text), output=3)  # type: ignore[attr-defined]
    assert pieces[-2].choices[0].finish_reason == "stop"


def test_pieces_come_one_by_one_and_not_when_all_is_said(client: OpenAI, llm: RunningLlm) -> None:
    prompt = say("[write 6 tokens] [gate after 2 tokens]")

    stream = client.chat.completions.create(model=MODEL, messages=prompt, stream=True)
    first = [next(stream).choices[0].delta.content for _ in range(3)]
    llm.open_gate()
    rest = list(stream)

    assert first == ["", "w00 ", "w01 "]
    assert len(rest) == 5


@pytest.mark.parametrize("is_stream", [False, True])
def test_tools_are_called_and_their_results_are_taken(client: OpenAI, buyer: User, is_stream: bool) -> None:
    question: list[Any] = say("[call get_weather] How is it in Rome?")
    if is_stream:
        stream = client.chat.completions.create(model=MODEL, messages=question, tools=[WEATHER], stream=True)
        deltas = [piece.choices[0].delta.tool_calls for piece in stream if piece.choices[0].delta.tool_calls]
        functions = [call.function for calls in deltas for call in calls or () if call.function]
        name = "".join(function.name or "" for function in functions)
        arguments = "".join(function.arguments or "" for function in functions)
    else:
        message = client.chat.completions.create(model=MODEL, messages=question, tools=[WEATHER]).choices[0].message
        assert message.tool_calls is not None
        call = message.tool_calls[0]
        assert call.type == "function"
        name, arguments = call.function.name, call.function.arguments
        result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny"}
        conversation: list[Any] = [*question, message, result]
        told = client.chat.completions.create(model=MODEL, messages=conversation, tools=[WEATHER])
        assert told.choices[0].message.content == "You said: Sunny"

    assert (name, arguments) == ("get_weather", '{"place": "sandbox"}')
    assert balance_of(buyer).posted == START - sum(event.credits for event in UsageEvent.objects.all())


def test_answers_fit_a_schema_that_was_asked_for(client: OpenAI) -> None:
    class Verdict(BaseModel):
        title: str
        points: int

    answer = client.chat.completions.parse(model=MODEL, messages=say("Judge."), response_format=Verdict)

    assert answer.choices[0].message.parsed == Verdict(title="sandbox", points=1)


def test_async_client_streams_and_asks_at_once(base_url: str, buyer: User) -> None:
    key = make_key(buyer).text

    async def ask_all() -> list[str]:
        async with AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0) as client:

            async def ask(count: int) -> str:
                prompt = say(f"[write {count} tokens]")
                stream = await client.chat.completions.create(model=MODEL, messages=prompt, stream=True)
                return "".join([piece.choices[0].delta.content or "" async for piece in stream])

            return await asyncio.gather(*[ask(count) for count in (1, 2, 3, 4)])

    answers = asyncio.run(ask_all())

    assert [len(answer.split()) for answer in answers] == [1, 2, 3, 4]
    each = tokens_of("[write 1 tokens]")
    assert balance_of(buyer).posted == START - cost(input=4 * each, output=10)


def test_embeddings_cost_their_input(client: OpenAI, buyer: User) -> None:
    answer = client.embeddings.create(model="text-embedding", input=["12345678", "abc"])  # 2 tokens and 1

    assert [len(row.embedding) for row in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens == 3
    assert balance_of(buyer).posted == START - 3
    assert UsageEvent.objects.get().basis == Basis.REPORTED


def test_embeddings_of_tokens_are_held_for_by_their_number(client: OpenAI) -> None:
    client.embeddings.create(model="text-embedding", input=[[1, 2, 3], [4]])

    assert UsageEvent.objects.get().held_credits == 4


def test_images_cost_a_fixed_price_each(client: OpenAI, buyer: User) -> None:
    answer = client.images.generate(model="gpt-image-1", prompt="A cat", n=3)

    assert answer.data is not None
    assert len(answer.data) == 3
    assert balance_of(buyer).posted == START - 3 * 5
    event = UsageEvent.objects.get()
    assert (event.operation, event.quantity, event.basis) == ("image", 3, Basis.FIXED)


def test_images_that_did_not_come_cost_nothing(client: OpenAI, buyer: User) -> None:
    client.images.generate(model="gpt-image-1", prompt="A cat [write 1 tokens]", n=3)
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START - 5, 0)

    client.images.generate(model="gpt-image-1", prompt="A cat [write 0 tokens]", n=3)
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START - 5, 0)


def test_models_are_those_with_a_price(client: OpenAI) -> None:
    make_price("vendor/with-a-slash", provider="vendor")
    make_price("withdrawn", is_offered=False)

    assert [model.id for model in client.models.list()] == ["small-model", "text-embedding", "vendor/with-a-slash"]
    assert client.models.retrieve("vendor/with-a-slash").owned_by == "vendor"
    with pytest.raises(NotFoundError):
        client.models.retrieve("withdrawn")


def test_requests_go_on_as_they_came_and_nothing_of_our_caller_with_them(
    client: OpenAI, llm: RunningLlm, base_url: str
) -> None:
    message = {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this? ✓"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    }
    fields: dict[str, Any] = {"model": MODEL, "messages": [message], "temperature": 0.3, "seed": 7, "user": "u-1"}

    client.chat.completions.create(
        **fields, extra_body={"unknown": {"deep": [1, None, "ü"]}}, extra_headers={"Cookie": "sessionid=1"}
    )

    call = llm.calls()[-1]
    assert call["body"] == {**fields, "unknown": {"deep": [1, None, "ü"]}}
    headers = {name.lower(): value for name, value in call["headers"].items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"] == "prepaid"
    assert set(headers) <= {
        *("authorization", "user-agent", "host", "accept", "accept-encoding", "connection"),
        *("content-type", "content-length"),
    }
    assert "ppk_test" not in str(call)


def test_one_cookie_of_the_provider_does_not_come_back_to_it(client: OpenAI, llm: RunningLlm) -> None:
    for _ in range(2):
        client.chat.completions.create(model=MODEL, messages=say("Hello"))

    assert all("Cookie" not in call["headers"] for call in llm.calls())


def test_key_of_the_provider_reaches_neither_client_nor_log(
    base_url: str, buyer: User, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = {"Authorization": f"Bearer {make_key(buyer).text}"}
    said = ""
    for prompt in ("Hello", "[fail 500]", "[fail 400]", "[break after 0 tokens]"):
        response = Client(headers=headers).post(
            "/v1/chat/completions", {"model": MODEL, "messages": say(prompt)}, content_type="application/json"
        )
        said += response.content.decode() + str(response.headers)

    assert KEY not in said + caplog.text + "".join(capfd.readouterr())


def test_several_answers_multiply_the_estimate(client: OpenAI, buyer: User) -> None:
    text = "[write 10 tokens]"

    client.chat.completions.create(model=MODEL, messages=say(text), n=3, max_completion_tokens=20)

    event = UsageEvent.objects.get()
    assert event.held_credits == cost(input=tokens_of(text), output=60)
    assert event.credits == cost(input=tokens_of(text), output=30)


def test_provider_of_a_price_is_called_at_its_own_address(
    client: OpenAI, llm: RunningLlm, settings: Any, buyer: User
) -> None:
    make_price("other-model", provider="other")
    settings.LLM_API_PROVIDERS = [f"other={llm.base_url}/|{KEY}"]
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"

    answer = client.chat.completions.create(model="other-model", messages=say("Hello"))

    assert answer.choices[0].message.content == "You said: Hello"
