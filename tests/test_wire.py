"""The thin wire: what answers is named, and who does not answer is gone."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2i.wire import Gone, Refused, Wire

pytestmark = pytest.mark.world

ANSWERS = {
    "podman": b'HTTP/1.1 200 OK\r\nServer: Libpod/4.3.1 (linux)\r\nContent-Length: 8\r\n\r\n{"a": 1}',
    "refusal": b'HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\n{"message": "no such',
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "silence": b"",
    "lines": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\nb\n\r\n1\r\nc\r\n0\r\n\r\n",
    "between": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\nb\n\r\n",
    "within": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na\nb\n",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na\nb\n",
}


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wire]:
    """Yield a wire to a server that says one thing and closes."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(ANSWERS[request.param])

        thread = threading.Thread(target=answer)
        thread.start()
        yield Wire(f"unix://{tmp_path}/s", 5)
        thread.join(5)


@pytest.mark.parametrize("engine", ["podman"], indirect=True)
def test_what_answers_says_what_it_is(engine: Wire) -> None:
    assert (engine.get("/_ping"), engine.server) == ({"a": 1}, "Libpod/4.3.1 (linux)")


@pytest.mark.parametrize("engine", ["refusal"], indirect=True)
def test_a_refusal_is_no_absence(engine: Wire) -> None:
    with pytest.raises(Refused) as caught:
        engine.get("/images/x/json")
    assert caught.value.status == 404


@pytest.mark.parametrize("engine", ["cut", "silence"], indirect=True)
def test_an_engine_that_dies_in_the_middle_of_an_answer_is_gone(engine: Wire) -> None:
    with pytest.raises(Gone):
        engine.get("/info")


def test_an_engine_that_is_not_there_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        Wire(f"unix://{tmp_path}/none", 5).get("/_ping")


@pytest.mark.parametrize("engine", ["lines"], indirect=True)
def test_an_answer_comes_in_lines(engine: Wire) -> None:
    with engine.stream("GET", "/x") as answer:
        assert list(answer.lines()) == [b"a\n", b"b\n", b"c"]


@pytest.mark.parametrize("engine", ["between", "within", "short"], indirect=True)
def test_lines_that_break_off_are_no_end(engine: Wire) -> None:
    read: list[bytes] = []
    with engine.stream("GET", "/x") as answer, pytest.raises(http.client.IncompleteRead):
        read.extend(answer.lines())
    assert read == [b"a\n", b"b\n"]
