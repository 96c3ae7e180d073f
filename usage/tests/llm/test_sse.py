"""Events of a stream, however its pieces are cut."""

import pytest

from usage.llm import sse
from usage.llm.sse import EventTooLong, read_events, split_lines, write_event

STREAM = 'data: {"a": "ü"}\n\n: a comment\nid: 7\ndata: one\ndata: two\n\ndata:close\r\n\r\n'.encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_the_stream_is_cut(size: int) -> None:
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]

    assert list(read_events(split_lines(pieces))) == ['{"a": "ü"}', "one\ntwo", "close"]


def test_other_separators_of_lines_stay_inside_of_an_event() -> None:
    text = '{"a": "x\u2028y\x85z\x0b"}'

    assert list(read_events(split_lines([write_event(text)]))) == [text]


def test_last_event_counts_without_its_blank_line() -> None:
    assert list(read_events(split_lines([b"data: [DONE]"]))) == ["[DONE]"]


def test_event_of_several_lines_is_written_as_it_was_read() -> None:
    assert list(read_events(split_lines([write_event("one\ntwo")]))) == ["one\ntwo"]


@pytest.mark.parametrize("stream", [[b"data: " + b"x" * 30], [b"data: xxxxxxxxxx\n"] * 4])
def test_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch, stream: list[bytes]) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 20)

    with pytest.raises(EventTooLong):
        list(read_events(split_lines(stream)))
