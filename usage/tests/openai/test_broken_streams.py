"""Streams that do not end well, and what is charged for them: what went out, and nothing that did not."""

import signal
import subprocess
import sys
import textwrap
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from openai import APIError, APIStatusError, OpenAI
from pytest_django import Settings

from accounts.models import User
from billing.models import CreditHold
from billing.services.holds import expire_stale_holds
from billing.tests.processes import wait_until
from sandbox.llm.testing import RunningLlm, running_llm
from usage.models import Basis, UsageEvent, UsageStatus
from usage.tests.factories import balance_of, make_key
from usage.tests.openai.asking import MODEL, START, cost, say, tokens_of

READER = textwrap.dedent(
    """
    import sys
    from openai import OpenAI
    base_url, key, prompt = sys.argv[1:]
    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    messages = [{"role": "user", "content": prompt}]
    for piece in client.chat.completions.create(model="small-model", messages=messages, stream=True):
        print(piece.choices[0].delta.content, flush=True)
    """
)
LONG = "[write 60 tokens] [gate after 5 tokens]"


def only_event() -> UsageEvent:
    return UsageEvent.objects.get()


def read_until_error(client: OpenAI, text: str) -> tuple[list[str], APIError]:
    """What came of a stream before it failed."""
    said: list[str] = []
    stream = client.chat.completions.create(model=MODEL, messages=say(text), stream=True)
    try:
        for piece in stream:
            said += [piece.choices[0].delta.content or ""]
    except APIError as error:
        return [text for text in said if text], error
    raise AssertionError(f"The stream ended well, with {said}.")


def test_client_killed_in_mid_stream_pays_for_what_went_out(start_web: Any, buyer: User, llm: RunningLlm) -> None:
    text = LONG + " [pause 20 ms]"
    with start_web() as web:
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, web.base_url, make_key(buyer).text, text],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reader.stdout is not None
        received = [reader.stdout.readline() for _ in range(6)]  # the opening, and five tokens
        reader.send_signal(signal.SIGKILL)
        reader.wait()
        llm.open_gate()
        wait_until(lambda: UsageEvent.objects.exists(), seconds=10)
        wait_until(lambda: llm.calls()[0]["ended"] == "client gone", seconds=10)

    assert received[-1].strip() == "w04"
    event = only_event()
    assert (event.basis, event.status, event.failure) == (Basis.DELIVERED, UsageStatus.INTERRUPTED, "client_gone")
    assert 5 <= event.output_tokens <= 9  # a few more may have left for a socket that nobody reads
    assert event.credits == cost(input=tokens_of(text), output=event.output_tokens)
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START - event.credits, 0)


def test_client_that_leaves_early_is_settled_too(client: OpenAI, buyer: User, llm: RunningLlm) -> None:
    text = LONG + " [pause 20 ms]"
    stream = client.chat.completions.create(model=MODEL, messages=say(text), stream=True)
    for _ in range(6):
        next(stream)
    stream.close()
    llm.open_gate()
    wait_until(lambda: UsageEvent.objects.exists(), seconds=10)

    assert only_event().basis == Basis.DELIVERED
    assert 5 <= only_event().output_tokens <= 9
    assert balance_of(buyer).held == 0


def test_provider_killed_in_mid_stream_is_told_and_what_went_out_is_charged(
    base_url: str, buyer: User, settings: Settings
) -> None:
    with running_llm() as own, OpenAI(base_url=base_url, api_key=make_key(buyer).text, max_retries=0) as client:
        settings.LLM_BASE_URL = own.base_url
        stream = client.chat.completions.create(model=MODEL, messages=say(LONG), stream=True)
        said = [next(stream).choices[0].delta.content for _ in range(6)]
        own.kill()
        with pytest.raises(APIError) as raised:
            list(stream)

    assert said[-1] == "w04 "
    charged = cost(input=tokens_of(LONG), output=5)
    assert raised.value.code == "upstream_broken_off"
    event = only_event()
    assert (event.basis, event.status, event.credits) == (Basis.DELIVERED, UsageStatus.INTERRUPTED, charged)
    assert event.failure == "broken_off"
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START - charged, 0)


def test_stream_cut_by_the_provider_charges_what_went_out(client: OpenAI, buyer: User) -> None:
    text = "[write 20 tokens] [break after 7 tokens]"

    said, error = read_until_error(client, text)

    assert (len(said), error.code) == (7, "upstream_broken_off")
    assert only_event().credits == cost(input=tokens_of(text), output=7)


def test_stream_that_falls_silent_is_given_up_and_what_went_out_is_charged(
    client: OpenAI, buyer: User, settings: Settings
) -> None:
    settings.LLM_TIMEOUT_SECONDS = 1

    said, error = read_until_error(client, LONG)

    assert (len(said), error.code) == (5, "upstream_timeout")
    assert only_event().credits == cost(input=tokens_of(LONG), output=5)


@pytest.mark.parametrize("is_stream", [False, True])
def test_provider_that_says_zero_is_believed(client: OpenAI, buyer: User, is_stream: bool) -> None:
    answer: Any = client.chat.completions.create(
        model=MODEL, messages=say("[write 5 tokens] [report zero]"), stream=is_stream
    )
    if is_stream:
        list(answer)

    event = only_event()
    assert (event.credits, event.basis, event.status) == (0, Basis.REPORTED, UsageStatus.COMPLETED)
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START, 0)


@pytest.mark.parametrize("is_stream", [False, True])
def test_provider_that_says_nothing_leaves_the_counting_to_us(client: OpenAI, buyer: User, is_stream: bool) -> None:
    text = "[write 5 tokens] [report nothing]"
    answer: Any = client.chat.completions.create(model=MODEL, messages=say(text), stream=is_stream)
    if is_stream:
        list(answer)

    event = only_event()
    assert (event.basis, event.status) == (Basis.DELIVERED, UsageStatus.COMPLETED)
    assert event.credits == cost(input=tokens_of(text), output=5)


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("wish", "status", "code", "failure"),
    [
        ("[fail 500]", 502, "upstream_unavailable", "answered_500"),
        ("[fail 401]", 502, "upstream_unavailable", "answered_401"),
        ("[break after 0 tokens]", 502, "upstream_unavailable", "broken_off"),
        ("[hang]", 504, "upstream_timeout", "timeout"),
        ("[fail 400]", 400, "asked_to_fail", "refused_400"),
        ("[fail 429]", 429, "asked_to_fail", "refused_429"),
    ],
)
def test_call_that_brought_nothing_costs_nothing(
    client: OpenAI, buyer: User, settings: Settings, is_stream: bool, wish: str, status: int, code: str, failure: str
) -> None:
    settings.LLM_TIMEOUT_SECONDS = 1

    with pytest.raises(APIStatusError) as raised:
        client.chat.completions.create(model=MODEL, messages=say(wish), stream=is_stream)

    assert (raised.value.status_code, raised.value.code) == (status, code)
    event = only_event()
    assert (event.status, event.credits, event.failure) == (UsageStatus.FAILED, 0, failure)
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START, 0)
    assert raised.value.response.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_provider_that_is_not_there_is_told_as_down(client: OpenAI, buyer: User, settings: Settings) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"

    with pytest.raises(APIStatusError) as raised:
        client.embeddings.create(model="text-embedding", input="Hello")

    assert (raised.value.status_code, only_event().failure) == (502, "unreachable")
    assert "127.0.0.1" not in raised.value.message


def test_installation_without_a_provider_says_so_in_the_log_and_not_to_callers(
    client: OpenAI, buyer: User, settings: Settings
) -> None:
    settings.LLM_BASE_URL = ""

    with pytest.raises(APIStatusError) as raised:
        client.chat.completions.create(model=MODEL, messages=say("Hello"))

    assert (raised.value.status_code, only_event().failure) == (502, "not_configured")


def test_web_process_killed_in_mid_stream_charges_nothing_and_the_hold_expires(
    start_web: Any, buyer: User, llm: RunningLlm
) -> None:
    with (
        start_web() as web,
        OpenAI(base_url=web.base_url, api_key=make_key(buyer).text, max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model=MODEL, messages=say(LONG), stream=True, max_tokens=100)
        for _ in range(3):
            next(stream)
        web.kill()
        with pytest.raises(Exception, match=r"closed|incomplete|reset|disconnect|Connection"):
            list(stream)

    held = cost(input=tokens_of(LONG), output=100)
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START, held)
    assert CreditHold.objects.get().state == "open"

    CreditHold.objects.update(expires_at=timezone.now())  # a quarter of an hour later
    expire_stale_holds(now=timezone.now())
    assert (balance_of(buyer).posted, balance_of(buyer).held) == (START, Decimal(0))
    assert not UsageEvent.objects.exists()
