"""Streams as providers send them that are not quite like OpenAI's: passed on as they came, charged all the same."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from accounts.models import User
from billing.models import PricingConfig
from usage.llm.failures import UpstreamDown
from usage.models import Basis, UsageEvent, UsageStatus
from usage.openai.streaming import AnswerStream
from usage.services.calls import open_call
from usage.services.served_calls import ServedCall
from usage.tests.factories import MODEL, balance_of, customer_of


def piece(content: str | None = None, *, finish: str | None = None, **fields: Any) -> str:
    """One event's text; its JSON is written as providers do, which is not as we would."""
    delta = {} if content is None else {"content": content}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **fields}, indent=1)


@pytest.fixture
def served(user: User, price: PricingConfig) -> ServedCall:
    """An open call of 10 input tokens."""
    call = open_call(
        customer_id=customer_of(user).pk, model=MODEL, input_tokens=10, max_tokens=50, event_id="openai:odd"
    )
    return ServedCall(call=call, input_tokens=10)


def stream_of(served: ServedCall, *texts: str, wants_usage: bool = False, breaks: bool = False) -> AnswerStream:
    def events() -> Iterator[str]:
        yield from texts
        if breaks:
            raise UpstreamDown("broken_off", "The connection failed.")

    return AnswerStream(served=served, upstream=ExitStack(), events=events(), wants_usage=wants_usage)


def read(stream: AnswerStream) -> list[str]:
    """All events that the client gets."""
    wire = b"".join(stream).decode()
    stream.close()
    return ["\n".join(line.removeprefix("data: ") for line in event.split("\n")) for event in wire.split("\n\n")[:-1]]


def receipt(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text)["prepaid"]
    return found


def test_pieces_are_passed_on_character_for_character(served: ServedCall) -> None:
    halves = (piece("x").replace('"x"', '"\\ud83d"'), piece("y").replace('"y"', '"\\ude00"'))

    got = read(stream_of(served, *halves, piece(finish="stop"), "[DONE]"))

    assert got[:2] == list(halves)
    assert got[-1] == "[DONE]"
    assert receipt(got[-2])["basis"] == "delivered"


def test_first_piece_without_choices_comes_first(served: ServedCall) -> None:
    first = json.dumps({"choices": [], "prompt_filter_results": []})

    got = read(stream_of(served, first, piece("abcd"), piece(finish="stop"), "[DONE]"))

    assert got[:2] == [first, piece("abcd")]


def test_usage_that_grows_with_each_piece_counts_by_its_last(served: ServedCall) -> None:
    def usage(output: int) -> dict[str, int]:
        return {"prompt_tokens": 10, "completion_tokens": output}

    texts = [piece("a", usage=usage(1)), piece("b", usage=usage(2)), piece("c", usage=usage(3))]

    read(stream_of(served, *texts, breaks=True))

    event = UsageEvent.objects.get()
    assert (event.basis, event.status, event.credits) == (Basis.REPORTED, UsageStatus.INTERRUPTED, 10 + 2 * 3)


def test_text_in_the_piece_that_ends_the_answer_is_counted(served: ServedCall) -> None:
    got = read(stream_of(served, piece("abcd"), piece("efgh", finish="stop"), "[DONE]"))

    assert receipt(got[1])["charged"] == "14.000000"  # 10 tokens in at 1, 2 out at 2


def test_answers_that_end_one_after_the_other_keep_their_order(served: ServedCall) -> None:
    texts = [piece("abcd"), piece(finish="stop"), piece("efgh"), piece(finish="length")]

    got = read(stream_of(served, *texts, "[DONE]"))

    assert got[:3] == texts[:3]
    assert json.loads(got[3])["choices"][0]["finish_reason"] == "length"
    assert receipt(got[3])["charged"] == "14.000000"


def test_stream_that_ends_with_its_answer_but_without_a_word_of_it_is_whole(served: ServedCall) -> None:
    got = read(stream_of(served, piece("abcd"), piece(finish="stop")))

    assert got[-1] == "[DONE]"
    assert UsageEvent.objects.get().status == UsageStatus.COMPLETED


def test_stream_that_just_ends_is_broken_off(served: ServedCall) -> None:
    got = read(stream_of(served, piece("abcd")))

    assert json.loads(got[-1])["error"]["code"] == "upstream_broken_off"
    assert UsageEvent.objects.get().credits == 12


def test_error_inside_of_a_stream_is_passed_on_and_costs_nothing(served: ServedCall, user: User) -> None:
    error = json.dumps({"error": {"message": "Overloaded", "code": "overloaded"}})

    got = read(stream_of(served, error))

    assert got[0] == error
    assert UsageEvent.objects.get().status == UsageStatus.FAILED
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)


def test_piece_that_is_no_json_is_passed_on(served: ServedCall) -> None:
    got = read(stream_of(served, "hello", "[1]", piece("abcd"), piece(finish="stop"), "[DONE]"))

    assert got[:2] == ["hello", "[1]"]


@pytest.mark.parametrize(
    "said",
    [
        {"function_call": {"name": "look", "arguments": "upup"}},
        {"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": "upup"}}]},
        {"content": [{"type": "text", "text": "look"}, {"type": "text", "text": "upup"}]},
        {"reasoning": "look", "refusal": "upup"},
        {"reasoning_content": "lookupup", "reasoning": "lookupup"},
        {"audio": {"transcript": "lookupup", "data": "UklGRg=="}},
    ],
    ids=lambda said: next(iter(said)),
)
def test_all_that_a_client_got_before_it_went_away_is_counted(served: ServedCall, said: dict[str, Any]) -> None:
    stream = stream_of(served, json.dumps({"choices": [{"index": 0, "delta": said}]}), piece("abcd"), piece("efgh"))
    next(stream)
    next(stream)

    stream.close()

    assert UsageEvent.objects.get().credits == 14  # 10 tokens in at 1, 2 out at 2


def test_stream_that_nobody_reads_is_released(served: ServedCall, user: User) -> None:
    stream = stream_of(served, piece("abcd"), piece(finish="stop"), "[DONE]")

    stream.close()
    stream.close()

    assert (UsageEvent.objects.get().failure, balance_of(user).held) == ("client_gone", 0)


def test_stream_is_given_whole_where_it_cannot_be_charged(
    served: ServedCall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("The database is away.")

    monkeypatch.setattr(ServedCall, "_end", fail)

    got = read(stream_of(served, piece("abcd"), piece(finish="stop"), "[DONE]"))

    assert got[-2:] == [piece(finish="stop"), "[DONE]"]
    assert "stream_not_settled" in caplog.text
    served.call.hold.refresh_from_db()
    assert served.call.hold.state == "open"  # it expires by itself
