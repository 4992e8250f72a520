"""Whatever strikes a deployment, and wherever: what served serves on, nothing of it is left, and the next one works.

The engine is one of the test's own; server, router and commands live in its network. Only the moment is arranged: a
step or a start that takes long, a server that stands still (tests/live/standing.py).
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import docker
import pytest
from home import ROOT, Home

from s2i.wire import Wire
from tests.live import second_engine
from tests.live.second_engine import SecondEngine
from tests.live.struck import STANDING, stands
from tests.live.test_build_live import PATIENCE, Sleep, eventually

APP = """
import http.server, os, signal, time

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
time.sleep({seconds})
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
SLOW = 3.0  # seconds until an app that is slow to start answers: a strike has to come before
SWEPT = 45.0  # seconds until what a killed server or engine left is gone; an instance may take 30 to be let go
Who = Literal["client", "server", "engine"]
Phase = Literal["fetch", "plan", "build", "proof", "roll-out"]


class Row(NamedTuple):
    """Who is struck in which phase, and how. ``exit`` of the command; what becomes of the deployment and its revision.

    ``status`` "": it never was accepted.
    """

    who: Who
    phase: Phase
    strike: Literal["SIGINT", "SIGTERM", "SIGKILL"]
    exit: int
    deployment: str
    code: str = ""

    def __str__(self) -> str:
        return f"{self.who}-{self.phase}-{self.strike}"


ROWS = (
    Row("client", "build", "SIGINT", 130, "cancelled", "E_BUILD_CANCELLED"),
    Row("client", "build", "SIGTERM", 130, "cancelled", "E_BUILD_CANCELLED"),
    Row("client", "proof", "SIGINT", 130, "cancelled", "E_CANCELLED"),
    Row("client", "proof", "SIGKILL", -9, "ready"),
    Row("client", "roll-out", "SIGINT", 130, "ready"),
    Row("server", "fetch", "SIGKILL", 75, "interrupted", "E_INTERRUPTED"),
    Row("server", "plan", "SIGKILL", 75, "interrupted", "E_INTERRUPTED"),
    Row("server", "build", "SIGKILL", 75, "interrupted", "E_INTERRUPTED"),
    Row("server", "proof", "SIGKILL", 75, "interrupted", "E_INTERRUPTED"),
    Row("server", "roll-out", "SIGKILL", 0, "ready"),
    Row("engine", "build", "SIGKILL", 6, "failed", "E_DOCKER"),
    Row("engine", "proof", "SIGKILL", 6, "failed", "E_DOCKER"),
    Row("engine", "roll-out", "SIGKILL", 0, "ready"),
)


class Inside(Home):
    """A server in the network of an engine of the test's own."""

    def __init__(self, folder: Path, engine: SecondEngine) -> None:
        super().__init__(folder)
        self.engine = engine
        self.environment["DOCKER_HOST"] = engine.host

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = (*self.engine.inside(), sys.executable, "-m", "s2i", *words)
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=240, check=False)

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command, with both of its outputs in one pipe."""
        return subprocess.Popen(
            (*self.engine.inside(), sys.executable, *argv), env=self.environment, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def deployments(self) -> list[dict[str, Any]]:
        """Return what the server tells of its deployments, the newest first."""
        found: list[dict[str, Any]] = Wire(f"unix://{self.folder}/run/s2i.sock", 10).get(
            "/v1/projects/default/deployments"
        )
        return sorted(found, key=lambda one: -one["created"])

    def serving(self, name: str) -> int:
        """Return the one revision that serves, as `s2i app get` tells it."""
        (serving,) = (one for one in self.data("app", "get", name)["revisions"] if one["status"] == "serving")
        return int(serving["number"])

    def work(self) -> list[str]:
        """Return what is left of private folders."""
        return sorted(path.name for path in (self.folder / "cache" / "work").glob("*"))


class Asking:
    """Asks an app all the time for as long as the block lasts. ``said``: each other answer, in their order."""

    def __init__(self, home: Inside, url: str) -> None:
        self._home, self._url = home, url
        self.said: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        self._home.engine.enter()
        while not self._ended.wait(0.02):
            try:
                status, text = self._home.get(self._url)
                answer = text if status == 200 else f"({status})"
            except (OSError, http.client.HTTPException) as error:
                answer = f"({type(error).__name__})"
            if self.said[-1:] != [answer]:
                self.said.append(answer)


class App:
    """The source that is deployed: it answers with a word."""

    def __init__(self, folder: Path, base: str) -> None:
        self.folder, self.base = folder / "app", base
        self.name = self.serves = ""
        self.folder.mkdir()

    def deployed(self) -> tuple[str, ...]:
        """Return the words that deploy it."""
        return ("deploy", str(self.folder), "--name", self.name, "--strategy", "dockerfile")

    def write(self, word: str, *, step: str = "", seconds: float = 0.0) -> None:
        """Make it answer ``word``. ``step``: of its build; ``seconds`` that it takes to start."""
        (self.folder / "app.py").write_text(APP.format(text=word, seconds=seconds))
        lines = (f"FROM {self.base}", step, "COPY app.py /app.py", 'CMD ["python3", "/app.py"]')
        (self.folder / "Dockerfile").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def home(engine: docker.DockerClient) -> Iterator[Inside]:
    with SecondEngine(engine, size="1g") as doomed, tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        doomed.take(second_engine.base().runtime)
        made = Inside(Path(folder), doomed)
        made.environment["PATH"] = f"{second_engine.buildx().parent}:{os.environ['PATH']}"
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def source(home: Inside, tmp_path_factory: pytest.TempPathFactory) -> App:
    (base,) = (name for image in home.engine.client().images.list() for name in image.tags if "s2i.local" in name)
    return App(tmp_path_factory.mktemp("source"), base)


@pytest.fixture
def app(home: Inside, source: App) -> Iterator[App]:
    """Return an app that serves: that of the last test, unless something was wrong with it."""
    if not source.serves:
        source.name, source.serves = f"shop-{random.getrandbits(20):x}", "first"
        source.write(source.serves)
        home.ok(*source.deployed())
    before = source.serves
    yield source
    if source.serves == before:
        source.serves = ""
        home.run("app", "delete", source.name, "--yes")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_deployment_that_is_struck_leaves_what_serves_and_the_next_one_works(
    row: Row, home: Inside, app: App
) -> None:
    sleep, old, new, after = Sleep(), app.serves, f"in {row}", f"after {row}"  # what is proven is not proven again
    url = home.data("app", "get", app.name)["url"]
    serving = home.serving(app.name)
    if row.phase == "build":
        app.write(new, step=sleep.line)
    else:
        app.write(new, seconds=SLOW if row.phase in ("proof", "roll-out") else 0.0)
    with Asking(home, url) as asking:
        exit_, said = struck(row, home, app, sleep)
        assert exit_ == row.exit, said
        eventually(lambda: home.deployments()[0]["status"] not in ("building", "rolling-out"), PATIENCE)
        ended = home.deployments()[0]
        assert (ended["status"], (ended["error"] or {}).get("code", "")) == (row.deployment, row.code), ended
        if row.phase == "roll-out" and row.who == "client":
            assert f"note   the roll-out goes on without us: `s2i app get {app.name}`" in said
        assert (home.serving(app.name) > serving) == (row.deployment == "ready")
        eventually(lambda: left(home) == (2, 0, []), SWEPT)
        app.write(after)
        assert home.ok(*app.deployed()) == url
        eventually(lambda: asking.said[-1] == after, PATIENCE)
    app.serves = after
    served = [old, new, after] if row.deployment == "ready" else [old, after]
    if row.who == "engine":  # with it goes what serves, which is started again
        answers = [said for said in asking.said if not said.startswith("(")]
        assert [answer for answer, _ in itertools.groupby(answers)] == served, asking.said
    else:
        assert asking.said == served


# What the test uses -------------------------------------------------------------------------------------------------


def struck(row: Row, home: Inside, app: App, sleep: Sleep) -> tuple[int, str]:
    """Deploy, strike as ``row`` says, and return how the command ended and what it said."""
    prove, first = "--no-prove" if row.phase == "roll-out" else "--prove", ""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(standing(home, row.phase)) if row.phase in ("fetch", "plan") else None
        client = stack.enter_context(home.start("-m", "s2i", *app.deployed(), prove))
        stack.callback(client.kill)
        match row.phase:
            case "build":
                eventually(sleep.runs)
            case "proof":
                eventually(lambda: len(roles(home).get("proof", [])) > 0)
            case "roll-out":
                eventually(lambda: home.deployments()[0]["status"] == "rolling-out")
                eventually(lambda: len(roles(home).get("instance", [])) > 1)
            case _:
                assert server is not None
                assert client.stdout is not None
                stands(server)
                # Its first line says that it knows of its deployment: the server may stand before it has answered.
                first = client.stdout.readline()
        match row.who:
            case "client":
                client.send_signal(signal.Signals[row.strike])
            case "server":
                os.kill(server.pid if server else int(str(home.server()["pid"])), signal.SIGKILL)
            case "engine":
                home.engine.die()
                home.engine.start()
        # An engine that comes back finds its containers, we find it, and an instance that ended waits for its turn.
        said, _ = client.communicate(timeout=3 * PATIENCE if row.who == "engine" else PATIENCE)
        return client.returncode, first + said


@contextlib.contextmanager
def standing(home: Inside, phase: str) -> Iterator[subprocess.Popen[str]]:
    """Put a server that stands still in ``phase`` into the place of the one that runs."""
    home.kill_server()
    with home.start(STANDING, {"fetch": "fetched", "plan": "planned"}[phase], "server", "run") as process:
        try:
            eventually(lambda: home.run("server", "status").returncode == 0)
            yield process
        finally:
            process.kill()


def roles(home: Inside) -> dict[str, list[Any]]:
    """Return the containers of the engine by their role, those that run."""
    found: dict[str, list[Any]] = {}
    for one in home.engine.client().containers.list(ignore_removed=True):
        found.setdefault(one.labels.get("s2i.role", ""), []).append(one)
    return found


def left(home: Inside) -> tuple[int, int, list[str]]:
    """Return how many containers there are (an app has two), how many of them of proofs, and the private folders."""
    every = home.engine.client().containers.list(all=True, ignore_removed=True)
    return len(every), sum(one.labels.get("s2i.role") == "proof" for one in every), home.work()
