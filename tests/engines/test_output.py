"""From the engine's frames to lines, in whatever pieces they come."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.engines.docker.output import LINE_LIMIT, _epoch, frames, lines
from s2i.engines.engine import Line

AT = "2026-11-26T04:49:04.123456789Z"
LATER = "2026-11-26T04:49:05.000000000Z"


def frame(text: bytes, at: str = AT, stream: int = 1) -> bytes:
    payload = at.encode() + b" " + text
    return bytes((stream, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


@given(st.lists(st.binary(max_size=60).map(lambda text: text.replace(b"\n", b"")), max_size=8), st.data())
def test_however_a_stream_is_cut_its_lines_are_the_same(texts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(frame(text + b"\n") for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert list(lines(frames(pieces))) == [Line(AT, text) for text in texts]


def test_parts_of_a_line_are_joined_and_both_outputs_are_kept_apart() -> None:
    stream = [frame(b"one ", AT), frame(b"error\n", LATER, 2), frame(b"line\n", LATER), frame(b"cut off", LATER)]
    assert list(lines(frames(stream))) == [
        Line(LATER, b"error", 2),
        Line(AT, b"one line"),
        Line(LATER, b"cut off", cut=True),
    ]


def test_what_the_engine_says_of_itself_is_no_line() -> None:
    assert list(lines(frames([frame(b"Error grabbing logs\n", stream=3), frame(b"x\n")]))) == [Line(AT, b"x")]


def test_what_is_no_such_stream_is_an_error() -> None:
    with pytest.raises(OSError, match="a frame of"):
        list(frames([b"HTTP/1.1 500 Internal Server Error\r\n"]))


def test_a_line_without_end_comes_in_parts_and_takes_no_more_memory_than_one() -> None:
    part = frame(b"x" * (16 << 10))
    tracemalloc.start()
    sizes = [len(line.text) for line in lines(frames(part for _ in range(4096)))]  # 64 MiB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (set(sizes), sum(sizes)) == ({LINE_LIMIT}, 64 << 20)
    assert peak < 4 * LINE_LIMIT


def test_a_time_goes_back_to_the_engine_to_the_nanosecond() -> None:
    assert _epoch(AT) == "1795668544.123456789"
