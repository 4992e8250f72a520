"""Apps with a limit, behind Caddy: what an instance counts itself, streams, forged headers, deaths, time limits, h2c."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from s2i.control.fleet import Fleet, Place
from s2i.control.probe import answers
from s2i.control.throttle import Throttle
from s2i.control.waker import Target, Waker
from s2i.control.watch import Note
from s2i.engines.engine import Owner, Workload
from s2i.resources.app import App, Config, Revision, Routing, Scale
from s2i.router.caddy import CaddyRouter
from s2i.router.desk import Desk
from s2i.router.router import SLOTS, Route

PATIENCE = 60  # seconds
HOST = "web.shop.localhost"
NAME = ("shop", "web")
PLAIN = Routing()


class _Instance(ThreadingHTTPServer):
    """An app that counts the requests it has at once, and answers with the headers it got."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.now = self.most = self.came = 0
        self.delay = 0.002
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_args: object) -> None:
        """Say nothing of clients that went."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Instance

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.now += 1
            server.came += 1
            server.most = max(server.most, server.now)
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if self.path == "/stream":
            self._stream()
            return
        time.sleep(server.delay)
        if self.path == "/upgrade":
            self._upgrade()
            return
        body = json.dumps({"address": server.address, "headers": dict(self.headers), "size": size}).encode()
        with server.lock:  # not after the last byte: the client may come again before that is counted
            server.now -= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(20):
            self.wfile.write(f"data: {number}\n\n".encode())
            time.sleep(self.server.delay)
        with self.server.lock:
            self.server.now -= 1
        self.close_connection = True

    def _upgrade(self) -> None:
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        while line := self.rfile.readline():
            self.connection.sendall(line)
        with self.server.lock:
            self.server.now -= 1
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


class World:
    """A Caddy, a turnstile, and one app, whose instances are what the test starts."""

    def __init__(self) -> None:
        self.router = CaddyRouter()
        self.router.ensure()
        self.target: Target | None = None
        self.waker = Waker(self.targets, lambda: time.sleep(0.005), lambda work: None)
        self.throttle = Throttle(self.router, self.targets, self.waker)
        self.turnstile = self.opened()
        self.instances: list[_Instance] = []

    def opened(self) -> Desk:
        desk = Desk(self.router.places.turnstile, "turn", self.throttle.ask, self.throttle.tick, lease=True)
        desk.start()
        return desk

    def targets(self) -> Mapping[tuple[str, str], Target]:
        return {NAME: self.target} if self.target else {}

    def have(self, limit: int, count: int = 1, routing: Routing = PLAIN) -> list[_Instance]:
        for _ in range(count):
            self.instances.append(_Instance())
        self.serve([one.address for one in self.instances], limit, routing)
        return self.instances

    def serve(self, addresses: list[str], limit: int, routing: Routing = PLAIN) -> None:
        app = App(*NAME, 1, 1, scale=Scale(concurrency=limit), routing=routing)
        revision = Revision(*NAME, 1, "sha256:app", Config())
        owners = [Owner("shop", "app", "web", 1, instance=f"r1-{index}") for index in range(len(addresses))]
        places = tuple(
            Place(Workload(owner, revision.image, revision.config), address, None, None, Note(), answers=True)
            for owner, address in zip(owners, addresses, strict=True)
        )
        self.target = Target(app, {1: Fleet(revision, places)})
        self.router.add(Route(*NAME, routing, limited=limit > 0))
        each, more = divmod(SLOTS, len(addresses))
        self.router.point(*NAME, {one: each + (index < more) for index, one in enumerate(addresses)})
        time.sleep(0.1)  # the reload: for some ms after it Go's server resets connections (golang/go#65802)

    def end(self) -> None:
        self.turnstile.stop()
        self.router.stop()
        for one in self.instances:
            one.end()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("S2I_HTTP_PORT", "18640")
    made = World()
    yield made
    made.end()


@pytest.mark.parametrize(("limit", "instances"), [(1, 1), (5, 1), (1, 3), (5, 2)])
def test_no_instance_ever_has_more_than_its_limit(world: World, limit: int, instances: int) -> None:
    have = world.have(limit, instances)
    statuses = _load(world, clients=200, each=10)
    assert statuses == {200: 2000}
    assert [one.most for one in have] == [limit] * instances
    assert sum(one.came for one in have) == 2000
    _eventually(lambda: not world.throttle._apps[NAME].leases)


def test_what_was_under_way_before_anybody_counted_counts(world: World) -> None:
    (one,) = world.have(0)
    one.delay = 0.7
    before = [_later(world) for _ in range(3)]
    _eventually(lambda: one.now == 3)
    world.serve([one.address], limit=2)
    after = [_later(world) for _ in range(4)]
    time.sleep(0.2)
    assert (one.now, one.came) == (3, 3)
    one.delay = 0.01
    assert [thread() for thread in (*before, *after)] == [200] * 7
    assert one.came == 7


def test_a_client_that_goes_gives_its_room_back(world: World) -> None:
    (one,) = world.have(1)
    one.delay = 1.0
    first = _connection(world)
    first.request("GET", "/", headers={"Host": HOST})
    _eventually(lambda: one.now == 1)
    waits = _connection(world)
    waits.request("GET", "/", headers={"Host": HOST})
    _eventually(lambda: world.waker.take() != {})
    waits.close()
    _eventually(lambda: not world.throttle._apps[NAME].waiting)
    first.close()
    one.delay = 0.0
    assert _get(world)[0] == 200
    assert one.came == 2


def test_an_upgraded_connection_holds_its_room_until_it_ends(world: World) -> None:
    (one,) = world.have(1)
    client = socket.create_connection(("127.0.0.1", world.router.port), timeout=PATIENCE)
    with client, client.makefile("rb") as reader:
        client.sendall(
            f"GET /upgrade HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode()
        )
        assert reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        while reader.readline() != b"\r\n":
            pass
        client.sendall(b"hello\n")
        assert reader.readline() == b"hello\n"
        other = _later(world)
        time.sleep(0.2)
        assert one.came == 1
    assert other() == 200


def test_who_finds_the_queue_full_is_told_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2i.control.throttle.QUEUE_EACH", 2)
    (one,) = world.have(1)
    assert _get(world)[0] == 200
    one.delay = 1.0
    held = [_later(world) for _ in range(3)]
    _eventually(lambda: len(world.throttle._apps[NAME].waiting) == 2 if NAME in world.throttle._apps else False)
    status, _, headers = _get(world)
    assert (status, headers["Retry-After"]) == (503, "2")
    one.delay = 0.0
    assert [each() for each in held] == [200] * 3


def test_a_body_is_kept_and_what_a_client_claims_to_be_is_replaced(world: World) -> None:
    """THREATS T50, on the way through the turnstile."""
    world.have(1)
    forged = (
        "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-User X-Forwarded-Prefix X-Real-IP Forwarded "
        "X_Forwarded_For X-Client-IP Remote-User X-Remote-User X-Auth-Request-Email X-Original-URL X-Upstream Proxy"
    )
    headers = dict.fromkeys(forged.split(), "6.6.6.6") | {"X-Mine": "kept"}
    status, body, _ = _get(world, method="POST", body=b"x" * 1_000_000, headers=headers)
    seen = json.loads(body)
    assert (status, seen["size"]) == (200, 1_000_000)
    assert "6.6.6.6" not in seen["headers"].values()
    about_the_client = {key.title(): value for key, value in seen["headers"].items() if key.title().startswith("X-F")}
    assert about_the_client == {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": HOST,
    }
    assert (seen["headers"]["Host"], seen["headers"]["X-Mine"]) == (HOST, "kept")


def test_a_request_that_is_sent_to_an_instance_that_is_gone_goes_to_another(world: World) -> None:
    gone, stays = world.have(1, 2)
    world.instances.remove(gone)
    gone.end()
    assert [_get(world)[0] for _ in range(20)] == [200] * 20
    assert stays.came == 20


def test_the_turnstile_comes_back_and_requests_were_held_meanwhile(world: World) -> None:
    (one,) = world.have(1)
    world.turnstile.stop()
    held = _later(world)
    time.sleep(0.5)
    world.turnstile = world.opened()
    assert held() == 200
    assert one.came == 1


@pytest.mark.parametrize("seconds", [0.0, 3.5])  # Caddy itself asks again for three
def test_a_new_server_counts_what_the_one_before_let_in_and_loses_nobody_who_waits(
    world: World, seconds: float
) -> None:
    (one,) = world.have(1)
    assert _get(world)[0] == 200
    one.delay = 1.0 + seconds
    first = _later(world)
    _eventually(lambda: one.now == 1)
    waits = _later(world, method="POST", body=b"x" * 100_000)
    _eventually(lambda: bool(world.throttle._apps[NAME].waiting))
    time.sleep(seconds)
    world.turnstile.stop()
    world.throttle = Throttle(world.router, world.targets, world.waker)
    world.turnstile = world.opened()
    assert [first(), waits()] == [200, 200]
    assert (one.most, one.came) == (1, 3)


@pytest.mark.parametrize("limit", [0, 1])
def test_an_answer_that_does_not_begin_in_time_is_a_504_and_is_asked_for_once(world: World, limit: int) -> None:
    (one,) = world.have(limit, routing=Routing(request_timeout=1))
    one.delay = 2.5
    began = time.monotonic()
    assert _get(world)[:2] == (504, b"504 Gateway Timeout\n")
    assert 0.9 < time.monotonic() - began < 2.4
    time.sleep(2)
    assert one.came == 1


@pytest.mark.parametrize("limit", [0, 1])
def test_a_get_whose_connection_breaks_is_sent_again_and_nothing_else_is(world: World, limit: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        world.serve([f"127.0.0.1:{listener.getsockname()[1]}"], limit)
        came: list[bytes] = []

        def hang_up_once() -> None:
            while len(came) < 3:
                connection, _ = listener.accept()
                with connection:
                    came.append(connection.recv(1 << 16))
                    if len(came) == 2:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=hang_up_once, daemon=True).start()
        assert _get(world)[0] == 200
        assert len(came) == 2
        assert _get(world, method="POST", body=b"once")[0] == 502
        assert len(came) == 3


@pytest.mark.parametrize("limit", [0, 1])
def test_a_stream_outlasts_the_time_limit(world: World, limit: int) -> None:
    (one,) = world.have(limit, routing=Routing(request_timeout=1))
    one.delay = 0.1
    status, body, _ = _get(world, "/stream")
    assert (status, body.count(b"data:")) == (200, 20)


@pytest.mark.parametrize("limit", [0, 1])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(world: World, limit: int, chunked: bool) -> None:
    (one,) = world.have(limit, routing=Routing(body_limit=10_000))
    assert _get(world, method="POST", body=b"x" * 10_000)[0] == 200
    connection = _connection(world)
    with contextlib.closing(connection):
        body: Any = iter([b"x" * 6_000] * 2) if chunked else b"x" * 12_000
        connection.request("POST", "/", body, {"Host": HOST}, encode_chunked=chunked)
        assert connection.getresponse().status == 413
    assert one.came >= 1


@pytest.mark.parametrize("visibility", ["project", "private"])
def test_who_may_not_ask_learns_nothing(world: World, visibility: Any) -> None:
    routing = Routing(visibility=visibility)
    (one,) = world.have(0, routing=routing)
    world.router.add(Route(*NAME, routing, networks=("192.0.2.0/24", "!192.0.2.1")))
    time.sleep(0.1)
    assert _get(world)[:2] == (404, b"No app has this address.\n")
    world.router.add(Route(*NAME, Routing(visibility="project"), networks=("127.0.0.0/8",)))
    time.sleep(0.1)
    assert _get(world)[0] == 200
    world.router.add(Route(*NAME, Routing(visibility="project"), networks=("127.0.0.0/8", "!127.0.0.1")))
    time.sleep(0.1)
    assert _get(world)[0] == 404
    assert one.came == 1


@pytest.mark.parametrize("limit", [0, 1])
def test_an_app_that_speaks_only_http_2_is_reached_and_probed(world: World, limit: int) -> None:
    with _speaker_of_http_2(delay=0.0) as address:
        assert answers(address)
        world.serve([address], limit, Routing(h2c=True))
        assert _get(world)[:2] == (200, b"GET / over 2")
        assert _get(world, method="POST", body=b"x")[1] == b"POST / over 2"


def test_an_app_that_speaks_http_2_is_asked_in_it(world: World) -> None:
    with _speaker_of_http_2(delay=0.0) as address:
        world.serve([address], 0, Routing(h2c=True))
        with httpx.Client(http1=False, http2=True, timeout=PATIENCE) as client:
            answer = client.get(f"http://127.0.0.1:{world.router.port}/deep", headers={"Host": HOST})
    assert (answer.http_version, answer.status_code, answer.text) == ("HTTP/2", 200, "GET /deep over 2")


def test_an_app_that_speaks_http_2_has_the_time_limit_too(world: World) -> None:
    with _speaker_of_http_2(delay=2.5) as address:
        world.serve([address], 0, Routing(h2c=True, request_timeout=1))
        assert _get(world)[0] == 504


@contextlib.contextmanager
def _speaker_of_http_2(delay: float) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=_speak_http_2, args=(listener.accept()[0], delay), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def _speak_http_2(client: socket.socket, delay: float) -> None:
    speaker = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    speaker.initiate_connection()
    client.sendall(speaker.data_to_send())
    heads: dict[int, dict[str, str]] = {}
    with client, contextlib.suppress(OSError, Exception):
        while data := client.recv(1 << 16):
            for event in speaker.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    heads[event.stream_id] = dict(event.headers)
                if isinstance(event, h2.events.StreamEnded):
                    time.sleep(delay)
                    head = heads.pop(event.stream_id)
                    body = f"{head[':method']} {head[':path']} over 2".encode()
                    speaker.send_headers(event.stream_id, [(":status", "200"), ("content-length", str(len(body)))])
                    speaker.send_data(event.stream_id, body, end_stream=True)
            client.sendall(speaker.data_to_send())


def _connection(world: World) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", world.router.port, timeout=PATIENCE)


def _get(
    world: World,
    path: str = "/",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, Any]:
    connection = _connection(world)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Host": HOST, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def _later(world: World, **options: Any) -> Callable[[], int]:
    """Ask beside the test; return how to wait for the status."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(_get(world, **options)[0]), daemon=True)
    thread.start()

    def status() -> int:
        thread.join(PATIENCE)
        return found[0]

    return status


def _load(world: World, clients: int, each: int) -> dict[int | str, int]:
    """Ask over connections that are kept; return how often each status came."""
    found: list[int | str] = []

    def ask() -> None:
        connection = _connection(world)
        for _ in range(each):
            try:
                connection.request("GET", "/", headers={"Host": HOST})
                answer = connection.getresponse()
                answer.read()
                found.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                found.append(repr(error))
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return {status: found.count(status) for status in set(found)}


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
