from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s2i.router.desk import Answer, Desk

pytestmark = pytest.mark.world  # a unix socket under tmp_path

ADDRESS = "172.18.0.2:8080"


class _Throttle:
    """Answers at once while ``open``, else at a later tick."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.waiting: list[Answer] = []
        self.over = 0
        self.open = True
        self.broken = False

    def ask(self, project: str, app: str, lost: str, answer: Answer) -> Callable[[], None]:
        self.asked.append((project, app, lost))
        if self.broken:
            raise RuntimeError("boom")
        self.waiting.append(answer)
        self.tick()
        return self._end

    def tick(self) -> float:
        if self.open:
            for answer in self.waiting:
                answer(ADDRESS)
            self.waiting.clear()
        return 0.01 if self.waiting else 60.0

    def _end(self) -> None:
        self.over += 1


@pytest.fixture
def throttle() -> _Throttle:
    return _Throttle()


@pytest.fixture
def path(tmp_path: Path, throttle: _Throttle) -> Iterator[Path]:
    path = tmp_path / "turn.sock"
    turnstile = Desk(path, "turn", throttle.ask, throttle.tick, lease=True)
    turnstile.start()
    yield path
    turnstile.stop()


def _ask(path: Path, target: str, *more: bytes) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(path))
    connection.sendall(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: web\r\n")
    for part in (*more, b"\r\n"):
        connection.sendall(part)
    return connection


def _head(connection: socket.socket) -> list[bytes]:
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(4096)
    return found.split(b"\r\n")


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def test_a_request_is_over_when_its_connection_is_closed_and_no_sooner(path: Path, throttle: _Throttle) -> None:
    first, second = _ask(path, "/turn/shop/web"), _ask(path, "/turn/shop/web/10.0.0.9:80")
    for one in (first, second):
        head = _head(one)
        assert (head[0], f"X-Upstream: {ADDRESS}".encode() in head) == (b"HTTP/1.1 200 OK", True)
        one.settimeout(0.05)
        with pytest.raises(TimeoutError):
            one.recv(1)
    assert sorted(throttle.asked) == [("shop", "web", ""), ("shop", "web", "10.0.0.9:80")]
    assert throttle.over == 0
    first.close()
    _eventually(lambda: throttle.over == 1)
    second.close()
    _eventually(lambda: throttle.over == 2)


def test_while_a_request_waits_the_throttle_is_ticked(path: Path, throttle: _Throttle) -> None:
    throttle.open = False
    waits = _ask(path, "/turn/shop/web")
    _eventually(lambda: len(throttle.waiting) == 1)
    throttle.open = True
    waits.settimeout(20)
    assert _head(waits)[0] == b"HTTP/1.1 200 OK"


def test_who_goes_while_it_waits_is_over(path: Path, throttle: _Throttle) -> None:
    throttle.open = False
    _ask(path, "/turn/shop/web").close()
    _eventually(lambda: throttle.over == 1)


@pytest.mark.parametrize(
    "target", ["/", "/turn/shop", "/turn/shop/web/a/b", "/turn/../web", "/turn/SHOP/web", "/wake/a/b"]
)
def test_what_names_no_app_is_refused(path: Path, throttle: _Throttle, target: str) -> None:
    assert _head(_ask(path, target))[0] == b"HTTP/1.1 503 Service Unavailable"
    assert throttle.asked == []


def test_a_failure_of_the_throttle_is_a_503(path: Path, throttle: _Throttle) -> None:
    throttle.broken = True
    assert _head(_ask(path, "/turn/shop/web"))[0] == b"HTTP/1.1 503 Service Unavailable"
    throttle.broken = False
    assert _head(_ask(path, "/turn/shop/web"))[0] == b"HTTP/1.1 200 OK"


def test_large_heads_are_taken_and_endless_ones_are_not(path: Path, throttle: _Throttle) -> None:
    large = [b"X-A: " + b"a" * 8000 + b"\r\n"] * 8
    assert _head(_ask(path, "/turn/shop/web", *large))[0] == b"HTTP/1.1 200 OK"
    endless = _ask(path, "/turn/shop/web")
    _head(endless)
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(path))
    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        other.sendall(b"a" * 2_000_000)


def test_the_socket_is_private_and_goes_with_the_turnstile(tmp_path: Path, throttle: _Throttle) -> None:
    path = tmp_path / "other.sock"
    path.write_text("left by a dead server")
    turnstile = Desk(path, "turn", throttle.ask, throttle.tick, lease=True)
    turnstile.start()
    assert path.stat().st_mode & 0o777 == 0o600
    turnstile.stop()
    turnstile.stop()
    assert not path.exists()
    _eventually(lambda: not any(thread.name == "turn" for thread in threading.enumerate()))


class _Waker:
    """Answers as it is told, from another thread, once ``go`` is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: str | None = ADDRESS
        self.over = 0
        self.go = threading.Event()
        self.go.set()

    def ask(self, project: str, app: str, _lost: str, answer: Answer) -> Callable[[], None]:
        self.asked.append((project, app))

        def later() -> None:
            self.go.wait(20)
            answer(self.answer)

        threading.Thread(target=later, daemon=True).start()
        return self._end

    def _end(self) -> None:
        self.over += 1


@pytest.fixture
def waker() -> _Waker:
    return _Waker()


@pytest.fixture
def gate(tmp_path: Path, waker: _Waker) -> Iterator[Path]:
    path = tmp_path / "wake.sock"
    desk = Desk(path, "wake", waker.ask)
    desk.start()
    yield path
    desk.stop()


def test_the_gate_answers_once_and_closes(gate: Path, waker: _Waker) -> None:
    asked = _ask(gate, "/wake/shop/web")
    head = _head(asked)
    assert (head[0], f"X-Upstream: {ADDRESS}".encode() in head) == (b"HTTP/1.1 200 OK", True)
    assert asked.recv(1) == b""
    waker.answer = None
    assert _head(_ask(gate, "/wake/shop/web"))[0] == b"HTTP/1.1 503 Service Unavailable"
    assert waker.asked == [("shop", "web")] * 2


def test_hundreds_wait_at_the_gate_in_no_thread_of_their_own(gate: Path, waker: _Waker) -> None:
    waker.go.clear()
    waiting = [_ask(gate, "/wake/shop/web") for _ in range(300)]
    _eventually(lambda: len(waker.asked) == 300)
    waker.go.set()
    assert [_head(one)[0] for one in waiting] == [b"HTTP/1.1 200 OK"] * 300


def test_who_goes_while_it_waits_at_the_gate_is_told_of_and_not_answered(
    gate: Path, waker: _Waker, caplog: pytest.LogCaptureFixture
) -> None:
    waker.go.clear()
    for _ in range(20):
        _ask(gate, "/wake/shop/web").close()
    _eventually(lambda: waker.over == 20)
    waker.go.set()
    assert _head(_ask(gate, "/wake/shop/web"))[0] == b"HTTP/1.1 200 OK"
    assert caplog.records == []
