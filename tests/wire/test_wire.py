"""The thin wire: what answers is named, and who does not answer is gone."""

from __future__ import annotations

import socket
import subprocess
import sys
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


class Recorder:
    """A server that notes one request, answers by halves, and waits until it is hung up on."""

    def __init__(self, place: Path, answer: bytes) -> None:
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(place))
        self.server.listen()
        self.answer = answer
        self.request, self.hung_up = b"", False
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.server.accept()
        with connection:
            connection.settimeout(10)
            head, _, body = self._more(connection, b"").partition(b"\r\n\r\n")
            length = next((int(f[15:]) for f in head.split(b"\r\n") if f.startswith(b"Content-Length:")), 0)
            while len(body) < length:
                body = self._more(connection, body)
            self.request = head + b"\r\n\r\n" + body
            connection.sendall(self.answer)
            self.hung_up = connection.recv(1) == b""

    @staticmethod
    def _more(connection: socket.socket, had: bytes) -> bytes:
        return had + connection.recv(65536)

    def done(self) -> None:
        self.thread.join(10)
        self.server.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("method", "query", "body", "expected"),
    [
        ("GET", {"a": ("1", "2"), "b": "x y&"}, None, [b"GET /p?a=1&a=2&b=x+y%26 HTTP/1.1", b""]),
        ("POST", None, None, [b"POST /p HTTP/1.1", b"Content-Length: 0", b""]),
        ("POST", None, b"{}", [b"POST /p HTTP/1.1", b"Content-Type: application/json", b"Content-Length: 2", b"{}"]),
        ("POST", None, b"x" * 300_000,
         [b"POST /p HTTP/1.1", b"Content-Type: application/json", b"Content-Length: 300000", b"x" * 300_000]),
    ],
)  # fmt: skip
def test_a_request_is_sent_whole(
    method: str, query: dict[str, str | tuple[str, ...]] | None, body: bytes | None, expected: list[bytes],
    tmp_path: Path,
) -> None:  # fmt: skip
    server = Recorder(tmp_path / "s", OK)
    assert Wire(f"unix://{tmp_path}/s", 5).raw(method, "/p", query, body) == b"{}"
    server.done()
    head, _, sent = server.request.partition(b"\r\n\r\n")
    always = {b"Host: localhost", b"Accept-Encoding: identity", b"Connection: close"}
    assert [*(line for line in head.split(b"\r\n") if line not in always), sent] == expected
    assert always <= set(head.split(b"\r\n"))
    assert server.hung_up  # though it would have kept the connection


@pytest.mark.parametrize("path", ["/a b", "/a\r\nHost: other", "/\x00", "/\xe9", "/\x7f"])
def test_nothing_can_be_added_to_a_request_by_its_path(path: str, tmp_path: Path) -> None:
    with pytest.raises(Gone, match="cannot be asked for"):
        Wire(f"unix://{tmp_path}/s", 5).get(path)


def test_an_answer_that_is_followed_is_ended_from_another_thread(tmp_path: Path) -> None:
    server = Recorder(tmp_path / "s", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
    with Wire(f"unix://{tmp_path}/s", 5).stream("POST", "/build", None, b"", {"X-A": "b"}) as answer:
        lines = answer.lines()
        assert next(lines) == b"one\n"
        ending = threading.Timer(0.05, answer.end)
        ending.start()
        with pytest.raises(ConnectionError):
            next(lines)
        ending.join()
    server.done()
    assert server.hung_up
    assert b"X-A: b\r\nContent-Length: 0" in server.request


def test_a_silent_engine_is_gone_after_the_time_limit(tmp_path: Path) -> None:
    server = Recorder(tmp_path / "s", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{")
    with pytest.raises(Gone, match="timed out"):
        Wire(f"unix://{tmp_path}/s", 5).raw("GET", "/info", timeout=0.05)
    server.done()


@pytest.mark.parametrize("address", ["ssh://host", "npipe:////./pipe/docker_engine", "tcp://"])
def test_an_address_of_another_kind_is_gone(address: str) -> None:
    with pytest.raises(Gone, match="unix:// or tcp://"):
        Wire(address, 5).get("/_ping")


def test_a_server_is_reached_by_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        requests = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                requests.append(connection.recv(65536))
                connection.sendall(OK)

        thread = threading.Thread(target=answer)
        thread.start()
        assert Wire(f"tcp://127.0.0.1:{port}", 5).get("/info") == {}
        thread.join(5)
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in requests[0]


def test_who_asks_over_a_unix_socket_loads_neither_tls_nor_the_parser_of_mail() -> None:
    code = "import sys, s2i.wire; print(*sorted({'ssl', 'email', 'http', 'http.client'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "\n"


def test_an_engine_that_answers_and_closes_at_once_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)

        def serve() -> None:
            for _ in range(200):
                connection, _address = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"a')

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for _ in range(200):
            assert Wire(f"unix://{path}", 5).raw("GET", "/_ping") == b'"a'
        thread.join(5)
