"""Streams of events, cut wherever a network cuts them."""

import pytest

from worker.llm.server_events import EventReader

STREAM = b': hi\n\nevent: x\ndata: {"a": 1}\nid: 7\n\ndata:one\ndata: two\n\n\ndata: \xed\x95\x9c\n\ndata: [DONE]\n\n'
EVENTS = [b'{"a": 1}', b"one\ntwo", b"\xed\x95\x9c", b"[DONE]"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_events_are_the_same_in_whatever_pieces_they_come(end: bytes, size: int) -> None:
    stream = STREAM.replace(b"\n", end) + b"\n"
    reader = EventReader(100)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS


def test_an_event_without_its_end_is_none() -> None:
    assert EventReader(100).feed(b"data: half\n") == []


@pytest.mark.parametrize("piece", [b"x" * 101, b"data: x\n" + b"y" * 101])
def test_an_event_that_never_ends_is_given_up(piece: bytes) -> None:
    with pytest.raises(ValueError, match="more than 100 bytes"):
        EventReader(100).feed(piece)
