"""A probe takes any HTTP answer for an answer, and nothing else."""

from __future__ import annotations

import http.server
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
import pytest

from s2i.control.probe import Health, Prober, Watched, answers, ask
from s2i.resources.app import Probe

pytestmark = pytest.mark.world  # listens on loopback


@contextmanager
def listener(reply: bytes) -> Iterator[str]:
    """Listen on loopback and send ``reply`` to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(4096)
                    client.sendall(reply)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found", b"404 Not Found", b"500 Oh", b"503 Busy"])
def test_any_status_is_an_answer(status: bytes) -> None:
    with listener(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") as address:
        assert answers(address)


def test_what_is_not_http_is_no_answer() -> None:
    with listener(b"SSH-2.0-OpenSSH_9.2\r\n") as address:
        assert not answers(address)


SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
GOAWAY = bytes((0, 0, 8, 7, 0, 0, 0, 0, 0)) + bytes(8)


@pytest.mark.parametrize(("frames", "counts"), [(SETTINGS, True), (SETTINGS + GOAWAY, True), (GOAWAY, False)])
def test_settings_of_http_2_are_an_answer(frames: bytes, counts: bool) -> None:
    with listener(frames) as address:
        assert answers(address) is counts


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\n"


@contextmanager
def dripping(pieces: Callable[[], Iterator[bytes]], pause: float) -> Iterator[str]:
    """Listen on loopback and send ``pieces`` with a pause after each, until the client is gone."""
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client, suppress(OSError):
                for piece in pieces():
                    client.sendall(piece)
                    over.wait(pause)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        over.set()
        server.shutdown(socket.SHUT_RDWR)


def test_an_answer_that_says_to_go_on_without_end_is_none() -> None:
    with dripping(lambda: itertools.repeat(CONTINUE * 100), 0) as address:
        assert ask(Probe(path="/"), address) == "GET / failed: it answered 100 17 times, and nothing else"
        assert not answers(address)
    with dripping(lambda: iter([CONTINUE * 3 + OK]), 0) as address:
        assert ask(Probe(path="/"), address) == ""


@pytest.mark.parametrize("reply", [OK, b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1000, CONTINUE * 100])
def test_an_answer_that_drips_is_not_waited_for(reply: bytes) -> None:
    """Each byte comes soon enough, but not the whole."""
    with dripping(lambda: (bytes((one,)) for one in reply), 0.1) as address:
        assert ask(Probe(path="/", timeout=1), address) == "GET / was not answered within 1 s"


def test_a_head_without_end_is_no_answer() -> None:
    with dripping(
        lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-A: b\r\n" * 500)), 0
    ) as address:
        assert ask(Probe(path="/"), address) == "GET / failed: Receive buffer too long"


def test_nobody_listening_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not answers(f"127.0.0.1:{port}")


def wait_for(prober: Prober, addresses: dict[str, str], told: threading.Event) -> frozenset[str]:
    running = {container: Watched(address) for container, address in addresses.items()}
    prober.look(running)
    assert told.wait(10)
    told.clear()
    return prober.look(running).ready


def test_a_container_that_got_another_address_is_asked_again() -> None:
    told = threading.Event()
    asked: list[str] = []

    def probe(address: str) -> bool:
        asked.append(address)
        return True

    prober = Prober(told.set, probe)
    assert wait_for(prober, {"c1": "10.0.0.1:8080"}, told) == {"c1"}
    assert wait_for(prober, {"c1": "10.0.0.2:8080"}, told) == {"c1"}
    assert asked == ["10.0.0.1:8080", "10.0.0.2:8080"]
    assert prober.look({}) == Health()


# Probes of an app's own ----------------------------------------------------------------------------------------------


QUICK = Probe(interval=1, failure_threshold=2)


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the test says at the moment."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status if self.path == "/up" else 404)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def app() -> Iterator[tuple[str, type[Answers]]]:
    handler = type("Handler", (Answers,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", handler
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "said"), [(200, ""), (302, ""), (404, "GET /up answered 404"), (500, "GET /up answered 500")]
)
def test_a_probe_takes_what_is_no_failure(app: tuple[str, type[Answers]], status: int, said: str) -> None:
    address, handler = app
    handler.status = status  # type: ignore[misc]
    assert ask(Probe(path="/up"), address) == said


def test_a_probe_says_what_it_saw() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ask(Probe(type="tcp"), f"127.0.0.1:{port}") == ""
        assert ask(Probe(path="/up"), f"127.0.0.1:{port}") == "GET /up was not answered within 1 s"
    assert ask(Probe(path="/up"), f"127.0.0.1:{port}") == f"GET /up: nothing listens on port {port}"
    assert ask(Probe(type="tcp", port=port), "127.0.0.1:1") == f"a connection: nothing listens on port {port}"
    with listener(b"SSH-2.0\r\n\r\n") as address:
        assert ask(Probe(path="/up"), address).startswith("GET /up failed: ")


def eventually(prober: Prober, running: dict[str, Watched], wanted: Callable[[Health], bool]) -> Health:
    until = time.monotonic() + 20
    while not wanted(found := prober.look(running)):
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def test_an_instance_is_ready_while_its_probe_succeeds(app: tuple[str, type[Answers]]) -> None:
    address, handler = app
    handler.status = 500  # type: ignore[misc]
    told = threading.Event()
    prober = Prober(told.set)
    running = {"c1": Watched(address, ready=msgspec.structs.replace(QUICK, path="/up"))}
    assert eventually(prober, running, lambda health: bool(health.saw)).saw == {"c1": "GET /up answered 500"}
    handler.status = 200  # type: ignore[misc]
    assert eventually(prober, running, lambda health: bool(health.ready)) == Health(frozenset(("c1",)))
    told.clear()
    handler.status = 500  # type: ignore[misc]
    assert eventually(prober, running, lambda health: not health.ready).saw == {"c1": "GET /up answered 500"}
    assert told.is_set()
    handler.status = 200  # type: ignore[misc]
    eventually(prober, running, lambda health: bool(health.ready))
    prober.look({})


def test_an_instance_that_was_ready_is_dead_when_its_liveness_probe_fails(app: tuple[str, type[Answers]]) -> None:
    address, handler = app
    prober = Prober(lambda: None)
    running = {"c1": Watched(address, live=msgspec.structs.replace(QUICK, path="/up"))}
    eventually(prober, running, lambda health: bool(health.ready))
    handler.status = 503  # type: ignore[misc]
    assert eventually(prober, running, lambda health: bool(health.dead)).dead == {"c1": "GET /up answered 503"}


def test_no_thread_stays_for_what_is_gone_or_has_no_probe(app: tuple[str, type[Answers]]) -> None:
    prober = Prober(lambda: None)
    running = {"plain": Watched(app[0]), "probed": Watched(app[0], ready=Probe(path="/up"))}
    eventually(prober, running, lambda health: len(health.ready) == 2)
    names = {one.name for one in threading.enumerate()}
    assert ("probe plain" in names, "probe probed" in names) == (False, True)
    prober.look({})
    until = time.monotonic() + 20
    while "probe probed" in {one.name for one in threading.enumerate()}:
        assert time.monotonic() < until
        time.sleep(0.05)
