"""Instances on a real engine: none without requests, more for more, and parts of the requests by revision."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import http.client
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
from home import Home

from tests.live.websocket import WebSocket

ECHO = '''\
"""Says how long and what a body is, waits when told to, and says a WebSocket's words again."""

import asyncio
import hashlib
import os

VERSION = "one"


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        while (event := await receive())["type"] != "websocket.disconnect":
            if event["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
            else:
                await send({"type": "websocket.send", "text": event["text"]})
        return
    sha, size = hashlib.sha256(), 0
    while True:
        event = await receive()
        sha.update(event.get("body", b""))
        size += len(event.get("body", b""))
        if not event.get("more_body"):
            break
    if scope["path"].startswith("/wait/"):
        await asyncio.sleep(float(scope["path"].removeprefix("/wait/")))
    text = f"{VERSION} {os.environ['HOSTNAME']} {size} {sha.hexdigest()}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})
'''


class App:
    """One app of the server of these tests."""

    def __init__(self, home: Home, folder: Path, engine: docker.DockerClient) -> None:
        self.home, self.folder, self.engine = home, folder, engine
        folder.mkdir()
        (folder / "app.py").write_text(ECHO)
        (folder / "requirements.txt").write_text("")
        self.name = folder.name
        self.url = home.ok("deploy", str(folder), "--name", self.name)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://").partition(":")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(self, path: str = "/", body: bytes = b"", method: str = "POST", timeout: float = 60.0) -> tuple[int, str]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request(method, path, body, {"Host": self.host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def scale(self, *words: str) -> None:
        self.home.ok("app", "scale", self.name, *words)

    def get(self) -> dict[str, object]:
        found = self.home.data("app", "get", self.name)
        assert isinstance(found, dict)
        return found

    def until(self, seconds: float, condition: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        deadline = time.monotonic() + seconds
        while not condition(found := self.get()):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        return found

    def asleep(self) -> None:
        """Wait until it sleeps, its next instance made."""
        self.until(60, lambda found: found["status"] == "asleep" and self.states() == ["created"])

    def states(self) -> list[str]:
        labels = [f"s2i.app={self.name}", f"s2i.server={self.home.server()['id']}", "s2i.role=instance"]
        return [
            one.status for one in self.engine.containers.list(ignore_removed=True, all=True, filters={"label": labels})
        ]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18760)
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def app(home: Home, tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> App:
    return App(home, tmp_path_factory.mktemp("apps") / "echo", engine)


def test_two_hundred_first_requests_are_held_and_start_one_instance(app: App) -> None:
    app.scale("--window", "6", "--concurrency-target", "400")
    app.asleep()
    bodies = [os.urandom(1 << 20 if number % 4 == 0 else 100) for number in range(200)]
    with ThreadPoolExecutor(200) as clients:
        answers = list(clients.map(lambda body: app.ask(body=body), bodies))
    for body, (status, text) in zip(bodies, answers, strict=True):
        assert (status, text.split()[2:]) == (200, [str(len(body)), hashlib.sha256(body).hexdigest()])
    assert len({text.split()[1] for _, text in answers}) == 1
    assert app.states() == ["running"]
    assert "0 ready -> 1 wanted" in app.home.ok("app", "scale-log", app.name)


def test_a_websocket_wakes_an_app_too(app: App) -> None:
    app.asleep()
    connection = WebSocket(app.host, app.port)
    assert connection.ask("are you there?") == "are you there?"
    time.sleep(8)  # more than the window: a connection that is open is a request under way
    assert connection.ask("still?") == "still?"
    connection.close()


def test_requests_that_come_one_by_one_keep_it_awake(app: App) -> None:
    app.ask()
    names = set()
    for _ in range(4):
        time.sleep(3)
        names.add(app.ask()[1].split()[1])
    assert len(names) == 1
    assert app.states() == ["running"]


def test_more_requests_get_more_instances_and_none_is_lost_when_they_end(app: App) -> None:
    app.scale("--concurrency-target", "2", "--max-scale", "3")
    ended, failed = threading.Event(), []

    def load() -> None:
        while not ended.is_set():
            status, text = app.ask("/wait/0.2", b"x")
            if status != 200:
                failed.append((status, text))

    with ThreadPoolExecutor(12) as clients:
        for _ in range(12):
            clients.submit(load)
        app.until(30, lambda found: found["running"] == 3)
        names = {app.ask()[1].split()[1] for _ in range(40)}
        ended.set()
    assert len(names) == 3
    until = time.monotonic() + 60
    while len(app.states()) > 1 and time.monotonic() < until:
        status, text = app.ask()
        if status != 200:
            failed.append((status, text))
        time.sleep(0.1)
    assert len(app.states()) == 1
    assert failed == []
    app.scale("--concurrency-target", "0", "--max-scale", "10")


def test_requests_are_split_by_percent(app: App) -> None:
    app.scale("--min-scale", "1")
    (app.folder / "app.py").write_text(ECHO.replace('"one"', '"two"'))
    app.home.ok("deploy", str(app.folder), "--name", app.name)
    assert app.ask()[1].startswith("two")
    first, second = [one["number"] for one in app.get()["revisions"]][-2:]  # type: ignore[attr-defined]
    app.home.ok("app", "traffic", app.name, f"r{first}=90", f"r{second}=10")
    app.until(30, lambda found: found["running"] == 2)
    time.sleep(1)
    counts: collections.Counter[str] = collections.Counter()

    # One client: with several the part that is asked less answers sooner, and is asked a bit more for it.
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)
    with contextlib.closing(connection):
        for _ in range(10_000):
            connection.request("GET", "/", headers={"Host": app.host})
            counts[connection.getresponse().read().decode().split()[0]] += 1
    assert sum(counts.values()) == 10_000
    assert abs(counts["one"] / 100 - 90) <= 1.5
    assert "traffic   " in app.home.ok("app", "get", app.name)
    app.home.ok("app", "traffic", app.name, "latest")
    app.until(30, lambda found: found["running"] == 1)
    assert app.ask()[1].startswith("two")


def test_a_revision_is_gone_back_to_and_restarted_without_a_failed_request(app: App) -> None:
    ended, failed, asked = threading.Event(), [], 0

    def load() -> None:
        nonlocal asked
        while not ended.is_set():
            status, text = app.ask()
            asked += 1
            if status != 200:
                failed.append((status, text))

    client = threading.Thread(target=load)
    client.start()
    assert app.home.ok("app", "rollback", app.name) == app.url
    assert app.ask()[1].startswith("one")
    before = app.ask()[1].split()[1]
    assert app.home.ok("app", "restart", app.name) == app.url
    assert app.ask()[1].split()[1] != before
    ended.set()
    client.join()
    assert (failed, asked > 20) == ([], True)
    refused = app.home.run("app", "rollback", app.name, "r99")
    assert (refused.returncode, "has no revision 99" in refused.stderr) == (2, True)


def test_a_stopped_app_is_not_woken_until_it_is_started(app: App) -> None:
    app.scale("--min-scale", "0")
    app.home.ok("app", "stop", app.name)
    app.until(30, lambda found: found["status"] == "stopped" and not app.states())
    assert app.ask()[0] == 503
    app.home.ok("app", "start", app.name)
    assert app.ask()[0] == 200
