"""Probes of an app's own: who is not ready gets no requests, who no longer works is started anew."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from home import Home

from tests.live import second_engine

PROGRAM = """
import http.server, os, signal, socket, time

born, state = f"{socket.gethostname()} {time.time()}", {"up": 200, "live": 200}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        what = self.path[1:]
        if what.startswith("break/"):
            state[what.partition("/")[2]] = 500
        body = born.encode()
        self.send_response(state.get(what, 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
PORT = 18840


@pytest.fixture(scope="module")
def home(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    source = tmp_path_factory.mktemp("probed")
    (source / "app.py").write_text(PROGRAM)
    words = f'FROM {second_engine.base().runtime}\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n'
    (source / "Dockerfile").write_text(words)
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder, contextlib.ExitStack() as stack:
        made = Home(Path(folder), port=PORT)
        stack.callback(made.run, "server", "stop", "--all", "--yes")
        made.ok(
            "deploy", str(source), "--name", "probed", "--strategy", "dockerfile", "--no-prove", "--min-scale", "2",
            "--probe-ready", "type=http path=/up interval=1", "--probe-ready", "failure-threshold=2",
            "--probe-live", "path=/live,interval=1,failure-threshold=2",
        )  # fmt: skip
        yield made


def ask(path: str = "/") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": "probed.default.localhost"})
        answer = connection.getresponse()
        assert answer.status in (200, 500)
        return answer.read().decode()


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.2)


def answering() -> set[str]:
    return {ask() for _ in range(40)}


def test_an_instance_that_is_not_ready_gets_no_requests_and_the_others_do(home: Home) -> None:
    eventually(lambda: len(answering()) == 2)
    sick = ask("/break/up")
    eventually(lambda: answering() == answering() and sick not in answering())
    assert home.data("app", "get", "probed")["running"] == 1
    (well,) = answering()
    ask("/break/up")  # the other one too: then who is there gets them, rather than nobody
    time.sleep(4)
    assert ask() in (well, sick)
    home.ok("app", "restart", "probed")
    eventually(lambda: len(answering()) == 2)


def test_an_instance_that_no_longer_works_is_started_anew(home: Home) -> None:
    dead = ask("/break/live")

    def is_replaced() -> bool:
        # It ends as soon as it is told to, in the middle of an answer as well: what no longer works is not drained.
        with contextlib.suppress(http.client.HTTPException, OSError, AssertionError):
            return len(now := answering()) == 2 and dead not in now
        return False

    eventually(is_replaced)
    events = [(one["what"], one["text"]) for one in home.data("app", "events", "probed")]
    (unhealthy,) = (text for what, text in events if what == "unhealthy")
    assert unhealthy.endswith("no longer works, and is ended: GET /live answered 500")
    assert [what for what, _ in events].count("crashed") == 1


def test_a_probe_makes_a_revision_and_can_be_taken_away(home: Home) -> None:
    shown = home.ok("app", "update", "probed", "--probe-live", "none", "--dry-run")
    assert "type=http path=/live interval=1 timeout=1 failure-threshold=2" in " ".join(shown.split())
    before = home.data("app", "get", "probed")["revision"]
    home.ok("app", "update", "probed", "--probe-live", "none")
    found = home.data("app", "get", "probed")
    assert found["revision"] == before + 1
    config = found["revisions"][-1]["config"]
    assert (config["probe_live"], config["probe_ready"]["path"]) == (None, "/up")
