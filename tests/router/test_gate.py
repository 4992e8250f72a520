from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2i.router.gate import Gate

pytestmark = pytest.mark.world  # a unix socket under tmp_path

ADDRESS = "172.18.0.2:8080"


class _Waker:
    """Answers as it is told, once ``go`` is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: str | Exception | None = ADDRESS
        self.go = threading.Event()
        self.go.set()

    def __call__(self, project: str, app: str) -> str | None:
        self.asked.append((project, app))
        self.go.wait(20)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def waker() -> _Waker:
    return _Waker()


@pytest.fixture
def path(tmp_path: Path, waker: _Waker) -> Iterator[Path]:
    path = tmp_path / "wake.sock"
    gate = Gate(path, waker)
    gate.start()
    yield path
    gate.stop()


def _ask(path: Path, target: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("localhost", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request("GET", target)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["X-Upstream"]


def test_a_ready_app_gives_its_address(path: Path, waker: _Waker) -> None:
    assert _ask(path, "/wake/shop/web") == (200, ADDRESS)
    assert waker.asked == [("shop", "web")]


def test_an_app_that_does_not_get_ready_gives_503(path: Path, waker: _Waker) -> None:
    waker.answer = None
    assert _ask(path, "/wake/shop/web") == (503, None)


def test_a_failure_of_the_waker_gives_503(path: Path, waker: _Waker) -> None:
    waker.answer = RuntimeError("boom")
    assert _ask(path, "/wake/shop/web") == (503, None)
    waker.answer = ADDRESS
    assert _ask(path, "/wake/shop/web") == (200, ADDRESS)


@pytest.mark.parametrize("target", ["/", "/wake/shop", "/wake/shop/web/x", "/wake/../web", "/wake/SHOP/web", "/up/a/b"])
def test_what_names_no_app_wakes_nothing(path: Path, waker: _Waker, target: str) -> None:
    assert _ask(path, target) == (503, None)
    assert waker.asked == []


def test_many_wait_at_once(path: Path, waker: _Waker) -> None:
    waker.go.clear()
    answers: list[tuple[int, str | None]] = []
    waiting = [threading.Thread(target=lambda: answers.append(_ask(path, "/wake/shop/web"))) for _ in range(50)]
    for one in waiting:
        one.start()
    waker.go.set()
    for one in waiting:
        one.join(20)
    assert answers == [(200, ADDRESS)] * 50


def test_the_socket_is_private_and_goes_with_the_gate(tmp_path: Path, waker: _Waker) -> None:
    path = tmp_path / "other.sock"
    path.write_text("left by a dead server")
    gate = Gate(path, waker)
    gate.start()
    assert path.stat().st_mode & 0o777 == 0o600
    gate.stop()
    gate.stop()
    assert not path.exists()
