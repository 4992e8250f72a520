"""Answers of HTTP/1.1 as they come: in odd pieces, in all their forms, cut off, too long, and no HTTP at all."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.wire.answer import CHUNK_LINE_LIMIT, HEAD_LIMIT, Answer, NoHTTP


@contextlib.contextmanager
def sent(pieces: Sequence[bytes], *, close: bool = True) -> Iterator[socket.socket]:
    """Yield one end of a connection over which ``pieces`` come one by one; it stays open unless ``close``."""
    here, there = socket.socketpair()
    here.settimeout(5)

    def send() -> None:
        with contextlib.suppress(OSError):  # who reads may have given up
            for piece in pieces:
                there.sendall(piece)
            if close:
                there.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield here
    finally:
        here.close()
        thread.join()
        there.close()


def read(*pieces: bytes, method: str = "GET", close: bool = True) -> tuple[int, bytes]:
    with sent(pieces, close=close) as connection, connection.makefile("rb") as file:
        answer = Answer(file, method)
        return answer.status, answer.read()


def chunked(*chunks: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def split(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunks_come_in_any_pieces(size: int) -> None:
    assert read(*split(chunked(b"one\n", b"t", b"wo\r\n", b"x" * 300), size)) == (200, b"one\ntwo\r\n" + b"x" * 300)


@pytest.mark.parametrize(
    ("whole", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\ncontent-length:3\r\nCONTENT-LENGTH: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\n\nonly line feeds", b"only line feeds"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"ab"),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=1;b="2"\r\nab\r\n0;end\r\n\r\n', b"ab"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0A \r\n0123456789\r\n0\r\nSum: 1\r\n\r\n", b"0123456789"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc", b"abc"),
    ],
)  # fmt: skip
def test_every_form_of_an_answer_is_read(whole: bytes, body: bytes) -> None:
    assert read(whole) == (200, body)


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"204 No Content"), ("GET", b"304 Not Modified")]
)
def test_an_answer_without_a_body_is_not_waited_for(method: str, status: bytes) -> None:
    whole = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    assert read(whole, method=method, close=False) == (int(status[:3]), b"")


@pytest.mark.parametrize("whole", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", chunked(b"ab", b"c")])
def test_of_a_connection_that_is_kept_open_only_the_answer_is_read(whole: bytes) -> None:
    assert read(whole, close=False) == (200, b"abc")


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n",
    ],
)
def test_an_answer_that_ends_too_early_is_no_answer(whole: bytes) -> None:
    with pytest.raises(ConnectionError, match="closed in the middle"):
        read(whole)


@pytest.mark.parametrize(
    "whole",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 2000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ],
)
def test_what_is_no_http_is_refused(whole: bytes) -> None:
    with pytest.raises(NoHTTP):
        read(whole)


def field(size: int) -> bytes:
    return b"A: " + b"x" * (size - len(b"A: ")) + b"\r\n"


def huge_line() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 " + b"x" * HEAD_LIMIT


def huge_head() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for _ in range(HEAD_LIMIT // 1000 + 2):
        yield field(1000)


def endless_interim_answers() -> Iterator[bytes]:
    for _ in range(HEAD_LIMIT // 1000 + 2):
        yield b"HTTP/1.1 100 Continue\r\n" + field(1000) + b"\r\n"


def huge_chunk_line() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * CHUNK_LINE_LIMIT


def huge_trailer() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    for _ in range(HEAD_LIMIT // 1000 + 2):
        yield field(1000)


@pytest.mark.parametrize(
    "pieces", [huge_line, huge_head, endless_interim_answers, huge_chunk_line, huge_trailer], ids=lambda f: f.__name__
)
def test_what_never_ends_is_given_up(pieces: Callable[[], Iterator[bytes]]) -> None:
    with pytest.raises(NoHTTP, match="too long"):
        read(*pieces(), close=False)


def test_a_head_as_long_as_is_allowed_is_read() -> None:
    first = b"HTTP/1.1 200 OK\r\n"
    assert read(first, field(HEAD_LIMIT - len(first)), b"\r\n", b"abc") == (200, b"abc")


def test_a_line_is_there_before_the_next_one_is_sent() -> None:
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as file:
        here.settimeout(5)
        there.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\nt\r\n")
        lines = Answer(file, "GET").lines()
        assert next(lines) == b"one\n"
        there.sendall(b"4\r\nwo\n3\r\n0\r\n\r\n")
        assert list(lines) == [b"two\n", b"3"]


bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


@given(chunks=bodies, size=st.integers(1, 50))
def test_chunks_and_pieces_make_no_difference_to_what_is_read(chunks: list[bytes], size: int) -> None:
    pieces = split(chunked(*chunks), size)
    assert read(*pieces, close=False) == (200, b"".join(chunks))
    with sent(pieces) as connection, connection.makefile("rb") as file:
        lines = list(Answer(file, "GET").lines())
    assert b"".join(lines) == b"".join(chunks)
    assert all(line.endswith(b"\n") for line in lines[:-1])
    assert all(b"\n" not in line[:-1] and line for line in lines)


@given(
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),  # it reads chunks of them
    names=st.lists(st.sampled_from(["Server", "X-A", "Content-Type", "Date"]), unique=True),
    body=st.binary(max_size=200),
    form=st.sampled_from(["length", "chunked", "end"]),
)
def test_it_is_read_as_http_client_reads_it(status: int, names: list[str], body: bytes, form: str) -> None:
    fields = [f"{name}: {name} of it" for name in names]
    fields += {"length": [f"Content-Length: {len(body)}"], "chunked": ["Transfer-Encoding: chunked"], "end": []}[form]
    head = "\r\n".join((f"HTTP/1.1 {status} Reason", *fields, "", "")).encode()
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in split(body, 9)) + b"0\r\n\r\n"
    whole = head + (framed if form == "chunked" else body)
    with sent([whole]) as connection:
        known = http.client.HTTPResponse(connection)
        known.begin()
        expected = known.status, {name.lower(): value for name, value in known.getheaders()}, known.read()
    with sent([whole]) as connection, connection.makefile("rb") as file:
        answer = Answer(file, "GET")
        assert (answer.status, answer.headers, answer.read()) == expected


@given(cut=st.integers(0, 80), tail=st.binary(max_size=40))
def test_damage_ends_in_an_answer_or_an_error_of_the_connection(cut: int, tail: bytes) -> None:
    whole = chunked(b"one\n", b"two\n")[:cut] + tail
    with contextlib.suppress(OSError):
        read(whole)
