"""The server dies at every step of a deployment (S2I_CRASH_AT): the app answers all along, and nothing is left over.

The points are the program's own list: a new step or action is tried as soon as it is there.
"""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from home import Home

from s2i.control.execute import crash_points
from s2i.errors import E_INTERRUPTED
from s2i.wire import Wire
from tests.live import second_engine

PROGRAM = """
import http.server, os, signal

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {text!r}.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
PATIENCE = 60.0  # s
# What is no part of a deployment, and how it comes about.
OTHERS = {
    "MarkReady": "a deployment while the requests are split",
    "MarkFailed": "a deployment of what does not start",
    "ForgetApp": "the end of an app",
    "SetRoute": "other settings of how requests come",
    "Park": "no requests for a while",
    "EndInstance": "a liveness probe that fails",
    "RemoveRoute": "a tag that is taken away",
    "EndTask": "a task that takes too long: tests/live/test_jobs_live.py",
    "LookAtTask": "a job that does not end",
    "TellWait": "a task that there is no room for",
}
POINTS = crash_points()


class Asking:
    """Asks an app all the time. ``wrong``: each answer that was none of it."""

    def __init__(self, port: int, host: str) -> None:
        self._port, self._host = port, host
        self.wrong: list[str] = []
        self.said: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            with contextlib.closing(connection):
                try:
                    connection.request("GET", "/", headers={"Host": self._host})
                    answer = connection.getresponse()
                    status, text = answer.status, answer.read().decode()
                except (OSError, http.client.HTTPException) as error:
                    status, text = 0, repr(error)
            if status != 200:
                self.wrong.append(f"{status} {text}")
            elif self.said[-1:] != [text]:
                self.said.append(text)


class Shop:
    """One app and its source; ``asking`` is somebody who never stops."""

    def __init__(self, home: Home, source: Path, base: str) -> None:
        self.home, self.source, self.base = home, source, base
        self.version = 0

    def write(self, program: str = "") -> str:
        """Write the next version of the source; return what it answers."""
        self.version += 1
        text = f"version {self.version}"
        (self.source / "app.py").write_text(program or PROGRAM.format(text=text))
        words = f'FROM {self.base}\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n'
        (self.source / "Dockerfile").write_text(words)
        return text

    def deploy(self) -> subprocess.CompletedProcess[str]:
        return self.home.run(
            "deploy", str(self.source), "--name", "shop", "--strategy", "dockerfile", "--release", "python3 -c pass"
        )

    def crash_at(self, point: str) -> int:
        """Have a server that dies at ``point`` take over from the one that runs; return its process."""
        self.home.kill_server()
        argv = (sys.executable, "-m", "s2i", "server", "start")
        environment = self.home.environment | {"S2I_CRASH_AT": point}
        subprocess.run(argv, env=environment, capture_output=True, timeout=60, check=True)
        return int(str(self.home.server()["pid"]))


@pytest.fixture(scope="module")
def shop(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        home = Home(Path(folder), port=18820)
        made = Shop(home, tmp_path_factory.mktemp("shop"), second_engine.base().runtime)
        made.write()
        assert made.deploy().returncode == 0
        home.ok("app", "scale", "shop", "--min-scale", "1")
        yield made
        home.run("server", "stop", "--all", "--yes")


def test_every_step_is_one_of_a_deployment_or_is_known_to_be_none() -> None:
    steps = {point.partition("-")[2] for point in POINTS}
    assert set(OTHERS) <= steps
    assert len(POINTS) == 2 * len(steps)


@pytest.mark.parametrize("point", [one for one in POINTS if one.partition("-")[2] not in OTHERS])
def test_a_server_that_dies_in_a_deployment_loses_no_request_and_leaves_nothing(
    point: str, shop: Shop, engine: docker.DockerClient
) -> None:
    before, last = shop.version, newest(shop.home)
    port = int(shop.home.data("app", "get", "shop")["url"].rpartition(":")[2])
    with Asking(port, "shop.default.localhost") as asking:
        dying = shop.crash_at(point)
        text = shop.write()
        done = shop.deploy()
        eventually(lambda: gone(dying), f"the server never came to {point}")
        if done.returncode:
            ended = newest(shop.home)
            assert done.returncode in (6, 75), done.stderr
            assert ended["status"] in ("interrupted", "ready"), ended
            assert done.returncode != 75 or E_INTERRUPTED.code in done.stderr, done.stderr
            if ended["status"] != "ready" or ended["id"] == last["id"]:
                again = shop.deploy()
                assert again.returncode == 0, again.stderr
        eventually(lambda: asking.said[-1:] == [text], f"{text} never came: {asking.said}")
        eventually(lambda: settled(shop.home, engine) == [], lambda: str(settled(shop.home, engine)))
    assert asking.wrong == []
    assert asking.said in ([f"version {before}", text], [text])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_dies_when_a_revision_has_failed_keeps_what_serves(
    when: str, shop: Shop, engine: docker.DockerClient
) -> None:
    serving = shop.version
    shop.crash_at(f"{when}-MarkFailed")
    shop.write("raise SystemExit('it does not start')")
    done = shop.home.run("deploy", str(shop.source), "--name", "shop", "--strategy", "dockerfile", "--no-prove")
    assert done.returncode == 6, done.stderr
    assert "it does not start" in done.stderr
    eventually(lambda: settled(shop.home, engine) == [], lambda: str(settled(shop.home, engine)))
    assert shop.home.answer_within(shop.home.data("app", "get", "shop")["url"], 20) == f"version {serving}"
    shop.version = serving


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_dies_when_an_app_ends_leaves_nothing_of_it(
    when: str, shop: Shop, engine: docker.DockerClient
) -> None:
    words = ("deploy", str(shop.source), "--name", "doomed", "--strategy", "dockerfile")
    shop.write()
    shop.home.ok(*words)
    shop.crash_at(f"{when}-ForgetApp")
    shop.home.run("app", "delete", "doomed", "--yes")
    eventually(lambda: [one["name"] for one in shop.home.data("app", "list")] == ["shop"], "it is still there")
    eventually(lambda: settled(shop.home, engine) == [], lambda: str(settled(shop.home, engine)))
    slots = shop.home.folder / "run" / "slots" / "default"
    assert [one.name for one in slots.iterdir()] == ["shop"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_dies_when_routing_is_changed_has_it_changed_by_the_next(when: str, shop: Shop) -> None:
    seconds = 100 if when == "before" else 200
    shop.crash_at(f"{when}-SetRoute")
    shop.home.run("app", "update", "shop", "--request-timeout", str(seconds))
    assert shop.home.data("app", "get", "shop")["routing"]["request_timeout"] == seconds
    routes = shop.home.folder / "state" / "routes.json"
    eventually(lambda: f"{seconds}" in routes.read_text(), "the route is as it was")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_dies_when_an_app_falls_asleep_wakes_it(when: str, shop: Shop) -> None:
    shop.home.ok("app", "scale", "shop", "--min-scale", "0", "--window", "6")
    dying = shop.crash_at(f"{when}-Park")
    eventually(lambda: gone(dying), "it never fell asleep")
    assert shop.home.run("app", "list").returncode == 0
    assert "version" in shop.home.answer_within(shop.home.data("app", "get", "shop")["url"], 30)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_dies_when_a_revision_is_ready_leaves_the_split(when: str, shop: Shop) -> None:
    serving = shop.home.data("app", "get", "shop")["revision"]
    shop.home.ok("app", "scale", "shop", "--min-scale", "1")
    shop.home.ok("app", "traffic", "shop", f"r{serving}=100")
    dying = shop.crash_at(f"{when}-MarkReady")
    shop.write()
    shop.deploy()
    eventually(lambda: gone(dying), "the server never came there")
    eventually(lambda: newest(shop.home)["status"] == "ready", lambda: str(newest(shop.home)))
    found = shop.home.data("app", "get", "shop")
    assert found["traffic"] == {str(serving): 100}
    assert found["revisions"][-1]["status"] == "ready"
    shop.home.ok("app", "traffic", "shop", "latest")


# What the tests use --------------------------------------------------------------------------------------------------


def eventually(condition: Any, why: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, why() if callable(why) else why
        time.sleep(0.1)


def gone(pid: int) -> bool:
    """Say whether a process has ended, or waits for somebody to hear of it."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def newest(home: Home) -> dict[str, Any]:
    home.ok("app", "list")  # any command starts the next server
    found = Wire(f"unix://{home.folder}/run/s2i.sock", 10).get("/v1/projects/default/deployments")
    last: dict[str, Any] = max(found, key=lambda one: float(one["created"]))
    return last


def settled(home: Home, engine: docker.DockerClient) -> list[str]:
    """Return what is there and not wanted, or wanted and not there: [] when all is as it should be."""
    found = home.data("app", "get", "shop")  # it starts a server where none runs
    label = {"label": f"s2i.server={home.server()['id']}"}
    run = {found["revision"], found["fallback"]} - {0}
    wanted = {f"{role} r{number}-0" for role in ("sandbox", "instance") for number in run}
    there = {
        f"{one.labels['s2i.role']} {one.labels['s2i.instance']}"
        for one in engine.containers.list(all=True, filters=label, ignore_removed=True)
    }
    kept = {one["image"] for one in found["revisions"] if one["status"] != "failed"}
    images = {str(row["Id"]) for row in engine.api.images(filters=label)}  # at once: they come and go meanwhile
    work = {one.name for one in (home.folder / "cache" / "work").glob("*")}
    networks = {str(one.name) for one in engine.networks.list(filters=label)}
    return sorted({*(wanted ^ there), *(images - kept), *work, *sorted(networks)[1:]})
