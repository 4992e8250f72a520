"""A probe takes any HTTP answer for an answer, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from s2i.control.probe import Prober, answers

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


def test_nobody_listening_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not answers(f"127.0.0.1:{port}")


def wait_for(prober: Prober, running: dict[str, str], told: threading.Event) -> frozenset[str]:
    prober.ready(running)
    assert told.wait(10)
    told.clear()
    return prober.ready(running)


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
    assert prober.ready({}) == frozenset()
