"""Caddy as the Router: the contract, switches under load, deaths, and what a client cannot forge."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from s2i import shell
from s2i.errors import S2IError
from s2i.router.caddy import CaddyRouter
from s2i.router.desk import Answer, Desk
from s2i.router.router import SLOTS, Route, Router
from tests.router.contract import RouterContract

PATIENCE = 20  # seconds
HOST = "web.shop.localhost"


class _Instance(ThreadingHTTPServer):
    """An app on loopback that answers with its name, the headers it got, and the size of the body."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.delay = 0.0
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Instance

    def do_GET(self) -> None:
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        time.sleep(self.server.delay)
        body = json.dumps({"name": self.server.name, "headers": dict(self.headers), "size": size}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Iterator[CaddyRouter]:
    monkeypatch.setenv("S2I_HTTP_PORT", "18600")
    router = CaddyRouter()
    router.ensure()
    yield router
    router.stop()


@pytest.fixture
def instances() -> Iterator[Callable[[str], _Instance]]:
    made: list[_Instance] = []

    def start(name: str) -> _Instance:
        made.append(_Instance(name))
        return made[-1]

    yield start
    for one in made:
        one.end()


class TestCaddyRouter(RouterContract):
    @pytest.fixture
    def router(self, router: CaddyRouter) -> Router:
        return router


Start = Callable[[str], _Instance]


def test_requests_are_routed_by_host(router: CaddyRouter, instances: Start) -> None:
    one, two = instances("one"), instances("two")
    for app, instance in (("web", one), ("api", two)):
        router.add(Route("shop", app))
        router.point("shop", app, {instance.address: SLOTS})
    assert _name(router, "web.shop.localhost") == "one"
    assert _name(router, "api.shop.localhost") == "two"
    assert _name(router, "WEB.shop.localhost:80") == "one"


@pytest.mark.parametrize(("dot", "port"), [("", ""), (".", ""), (".", ":80"), (".", ":18600")])
def test_a_host_that_ends_in_the_dot_of_the_root_is_the_same(
    router: CaddyRouter, instances: Start, dot: str, port: str
) -> None:
    router.add(Route("shop", "web"))
    router.point("shop", "web", {instances("one").address: SLOTS})
    seen = json.loads(_get(router, f"{HOST}{dot}{port}")[1])["headers"]
    assert (seen["Host"], seen["X-Forwarded-Host"]) == (f"{HOST}{port}", f"{HOST}{port}")


@pytest.mark.parametrize(
    "host", ["nobody.shop.localhost", "shop.localhost", "localhost", "127.0.0.1", "web.bank.localhost"]
)
def test_an_unknown_host_gets_404_and_no_list(router: CaddyRouter, host: str) -> None:
    router.add(Route("shop", "web"))
    assert _get(router, host)[:2] == (404, b"No app has this address.\n")


def test_a_removed_app_gets_404(router: CaddyRouter, instances: Start) -> None:
    router.add(Route("shop", "web"))
    router.point("shop", "web", {instances("one").address: SLOTS})
    assert _name(router) == "one"
    router.remove("shop", "web")
    assert _get(router)[0] == 404


def test_what_a_client_claims_to_be_is_replaced(router: CaddyRouter, instances: Start) -> None:
    """THREATS T50."""
    router.add(Route("shop", "web"))
    router.point("shop", "web", {instances("one").address: SLOTS})
    forged = (
        "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-User X-Forwarded-Prefix X-Real-IP Forwarded "
        "X_Forwarded_For X-Client-IP Remote-User X-Remote-User X-Auth-Request-Email X-Original-URL X-Upstream Proxy "
        "X-Forwarded X-Forward-For X-SSL-Client-Verify X-SSL-Client-S-DN X_SSL_Client_Cert Client-Cert Client-Cert-Chain "
        "X-Client-Cert X-Client-Verify X-User X_User X-Scheme X-Url-Scheme Front-End-Https X-Host X-Rewrite-URL Client-IP "
        "X-Cluster-Client-IP True-Client-IP CF-Connecting-IP CF-Connecting-IPv6 X-ProxyUser-Ip X-Envoy-External-Address"
    )
    own = dict.fromkeys(["X-Mine", "X-Client-Version", "X-User-Agent", "X-Method-Override", "Cookie"], "kept")
    headers = dict.fromkeys(forged.split(), "6.6.6.6") | own
    seen: dict[str, str] = json.loads(_get(router, headers=headers)[1])["headers"]
    assert "6.6.6.6" not in seen.values()
    about_the_client = {key.title(): value for key, value in seen.items() if key.title().startswith("X-F")}
    assert about_the_client == {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": HOST,
    }
    assert seen["Host"] == HOST
    assert {key: seen.get(key) for key in own} == own


def test_no_connection_becomes_one_that_nobody_looks_into(router: CaddyRouter, instances: Start) -> None:
    """THREATS T50: what goes through h2c could claim anything."""
    router.add(Route("shop", "web"))
    router.point("shop", "web", {instances("one").address: SLOTS})
    asked = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    status, body, _ = _get(router, headers=asked)
    seen = {key.title() for key in json.loads(body)["headers"]}
    assert (status, {"Upgrade", "Http2-Settings"} & seen) == (200, set())


def test_a_closed_app_without_a_server_gets_a_clean_503(router: CaddyRouter) -> None:
    router.add(Route("shop", "web"))
    status, body, headers = _get(router)
    assert (status, headers["Retry-After"]) == (503, "2")
    assert body == b"The app web of the project shop has no ready instance. Try again soon.\n"


def test_an_app_that_cannot_be_woken_gets_a_clean_503(router: CaddyRouter) -> None:
    router.add(Route("shop", "web"))
    with _gate(router, lambda _project, _app: None):
        assert _get(router)[:2] == (503, b"The app web of the project shop has no ready instance. Try again soon.\n")


def test_missing_slot_files_give_a_clean_503_until_they_are_made_again(router: CaddyRouter, instances: Start) -> None:
    router.add(Route("shop", "web"))
    shutil.rmtree(router.places.slots)
    with _gate(router, lambda _project, _app: None):
        assert _get(router)[0] == 503
    router.ensure()
    router.point("shop", "web", {instances("one").address: SLOTS})
    assert _name(router) == "one"


def test_a_request_at_a_closed_app_is_held_and_keeps_its_body(router: CaddyRouter, instances: Start) -> None:
    one = instances("one")
    router.add(Route("shop", "web"))
    asked: list[tuple[str, str]] = []

    def wake(project: str, app: str) -> str:
        asked.append((project, app))
        return one.address

    with _gate(router, wake):
        status, body, _ = _get(router, method="POST", body=b"x" * 1_000_000, headers={"X-Upstream": "127.0.0.1:1"})
    assert (status, json.loads(body)["size"], asked) == (200, 1_000_000, [("shop", "web")])


def test_a_dial_that_nobody_answers_is_as_good_as_a_refusal(router: CaddyRouter, instances: Start) -> None:
    """So it is for some seconds after a container has gone: nothing has its address."""
    one = instances("one")
    router.add(Route("shop", "web"))
    with socket.socket() as full, contextlib.ExitStack() as callers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        router.point("shop", "web", {f"127.0.0.1:{full.getsockname()[1]}": SLOTS})
        with _gate(router, lambda _project, _app: one.address):
            assert _name(router) == "one"


def test_an_instance_that_resets_is_not_asked_twice(router: CaddyRouter) -> None:
    """A request that was sent may have been carried out: only one that was never sent goes to the gate."""
    router.add(Route("shop", "web"))
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, _gate(router, lambda _p, app: asked.append(app)):
        router.point("shop", "web", {f"127.0.0.1:{listener.getsockname()[1]}": SLOTS})
        got: list[bytes] = []

        def hang_up() -> None:
            connection, _ = listener.accept()
            got.append(connection.recv(1 << 16))
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert _get(router, method="POST", body=b"once")[:2] == (502, b"502 Bad Gateway\n")
    assert (len(got), asked) == (1, [])


def test_requests_under_way_are_counted_by_address(router: CaddyRouter, instances: Start) -> None:
    one = instances("one")
    one.delay = 2.0
    router.add(Route("shop", "web"))
    router.point("shop", "web", {one.address: SLOTS})
    waiting = [threading.Thread(target=_get, args=(router,)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    _eventually(lambda: router.in_flight() == {one.address: 3})
    for thread in waiting:
        thread.join()
    _eventually(lambda: router.in_flight() == {})


def test_no_request_fails_while_instances_are_replaced(router: CaddyRouter, instances: Start) -> None:
    """As a rollout does it: point at the new one, wait until the old one is idle, end it."""
    current = instances("0")
    router.add(Route("shop", "web"))
    router.point("shop", "web", {current.address: SLOTS})
    with _load(router, clients=6) as (done, failed):
        _eventually(lambda: len(done) >= 400)
        for number in range(1, 11):
            old, current = current, instances(str(number))
            reached = len(done) + 400
            router.point("shop", "web", {current.address: SLOTS})
            time.sleep(0.05)  # a request may have read its slot, and not yet be counted
            _eventually(lambda gone=old.address: gone not in router.in_flight())
            old.end()
            _eventually(lambda goal=reached: len(done) >= goal)
    assert failed == []
    assert set(done) == {str(number) for number in range(11)}


def test_many_switches_under_load_lose_nothing(router: CaddyRouter, instances: Start) -> None:
    one, two = instances("one"), instances("two")
    router.add(Route("shop", "web"))
    router.point("shop", "web", {one.address: SLOTS})
    with _load(router, clients=4) as (done, failed):
        for turn in range(100):
            goal = len(done) + 20
            router.point("shop", "web", {one.address: turn % (SLOTS + 1), two.address: SLOTS - turn % (SLOTS + 1)})
            _eventually(lambda goal=goal: len(done) >= goal)
    assert failed == []
    assert {"one", "two"} == set(done)


def test_an_upgraded_connection_outlives_switches_and_new_apps(router: CaddyRouter, instances: Start) -> None:
    router.add(Route("shop", "web"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        router.point("shop", "web", {f"127.0.0.1:{listener.getsockname()[1]}": SLOTS})
        with socket.create_connection(("127.0.0.1", router.port), timeout=PATIENCE) as client:
            ask = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            client.sendall(ask.encode())
            reader = client.makefile("rb")
            assert reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
            while reader.readline() != b"\r\n":
                pass
            router.point("shop", "web", {instances("one").address: SLOTS})
            router.add(Route("shop", "other"))
            client.sendall(b"still here\n")
            assert reader.readline() == b"still here\n"


def test_shares_are_kept(router: CaddyRouter, instances: Start) -> None:
    one, two = instances("one"), instances("two")
    router.add(Route("shop", "web"))
    router.point("shop", "web", {one.address: 15, two.address: 5})
    with _load(router, clients=1) as (done, _):
        _eventually(lambda: len(done) >= 1000)
    assert 0.15 < done.count("two") / len(done) < 0.35


def test_caddy_comes_back_with_its_routes_and_slots_after_a_kill(router: CaddyRouter, instances: Start) -> None:
    router.add(Route("shop", "web"))
    router.point("shop", "web", {instances("one").address: SLOTS})
    port = router.port
    first = _kill(router)
    router.ensure()
    assert (_name(router), router.port) == ("one", port)
    assert first != _pid(router)


def test_a_new_server_adopts_the_caddy_that_runs(router: CaddyRouter, instances: Start) -> None:
    router.add(Route("shop", "web"))
    router.point("shop", "web", {instances("one").address: SLOTS})
    first = _pid(router)
    second = CaddyRouter()
    second.ensure()
    assert (_pid(second), second.port, second.pointed("shop", "web")) == (
        first,
        router.port,
        router.pointed("shop", "web"),
    )
    assert _name(second) == "one"


def test_routes_are_there_closed_after_a_reboot(router: CaddyRouter) -> None:
    router.add(Route("shop", "web"))
    _kill(router)
    shutil.rmtree(router.places.slots.parent)
    again = CaddyRouter()
    again.ensure()
    assert (_get(again)[0], again.port) == (503, router.port)


def test_a_port_that_is_taken_is_passed_over_and_the_choice_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("S2I_HTTP_PORT", str(taken.getsockname()[1]))
        router = CaddyRouter()
        router.ensure()
        port = router.port
        assert port != taken.getsockname()[1]
        router.stop()
    again = CaddyRouter()
    again.ensure()
    assert again.port == port
    again.stop()


def test_stopping_leaves_no_process_and_no_socket(router: CaddyRouter) -> None:
    pid = _pid(router)
    router.stop()
    router.stop()
    assert not shell.alive(pid)
    assert not router.places.admin.exists()
    with pytest.raises(S2IError, match="Caddy does not work") as caught:
        router.in_flight()
    assert caught.value.code == "E_ROUTER"


def test_the_admin_api_is_a_private_socket_and_no_port(router: CaddyRouter) -> None:
    """THREATS T63: the process listens on the apps' two ports, and on nothing else of TCP."""
    assert router.places.admin.stat().st_mode & 0o777 == 0o600
    own = set()
    for link in Path(f"/proc/{_pid(router)}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since: what listens stays
            own.add(str(link.readlink()))
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listens = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own]
    assert sorted(listens) == sorted(f"0100007F:{port:04X}" for port in (router.port, router.tls_port))


def _get(
    router: CaddyRouter,
    host: str = HOST,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, "/", body, {"Host": host, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def _name(router: CaddyRouter, host: str = HOST) -> str:
    return str(json.loads(_get(router, host)[1])["name"])


def _echo(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as reader:
        while reader.readline() != b"\r\n":
            pass
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        for line in reader:
            connection.sendall(line)


@contextlib.contextmanager
def _gate(router: CaddyRouter, wake: Callable[[str, str], str | None]) -> Iterator[None]:
    def ask(project: str, app: str, _lost: str, answer: Answer) -> Callable[[], None]:
        answer(wake(project, app))
        return lambda: None

    gate = Desk(router.places.gate, "wake", ask)
    gate.start()
    yield
    gate.stop()


def _settle(router: CaddyRouter) -> None:
    """Wait until 30 new connections in a row were answered.

    A route is added by a reload, and for some milliseconds after one Go's server resets connections that it accepts
    while it shuts down (golang/go#65802): what these tests count is what a switch does, which reloads nothing.
    """
    good = 0
    deadline = time.monotonic() + PATIENCE
    while good < 30:
        assert time.monotonic() < deadline, "the route never settled"
        connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/", headers={"Host": HOST})
                connection.getresponse().read()
                good += 1
            except (OSError, http.client.HTTPException):
                good = 0


@contextlib.contextmanager
def _load(router: CaddyRouter, clients: int) -> Iterator[tuple[list[str], list[str]]]:
    """Ask over connections that are kept, GET and POST in turn; yield the names that answered, and what failed."""
    done: list[str] = []
    failed: list[str] = []
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=PATIENCE)
        while not over.is_set():
            try:
                body = None if len(done) % 2 else b"x" * 5000
                connection.request("POST" if body else "GET", "/", body, {"Host": HOST})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    done.append(json.loads(text)["name"])
                else:
                    failed.append(f"{answer.status} {text!r}")
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()
        connection.close()

    _settle(router)
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield done, failed
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)


def _pid(router: CaddyRouter) -> int:
    return int((router.places.admin.parent / "caddy.pid").read_text())


def _kill(router: CaddyRouter) -> int:
    pid = _pid(router)
    os.kill(pid, signal.SIGKILL)
    _eventually(lambda: not shell.alive(pid))
    return pid


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
