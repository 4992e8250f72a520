"""Redeploy two apps 20 times under a steady load on loopback and count what fails. Exit 1 when anything does.

One is served by gunicorn, the other by hypercorn: that one has a request of 20 seconds, a stream of events and a
WebSocket under way all the time as well.

`python -m benchmarks.redeploy [REDEPLOYS]`, with an S2I_HOME of its own that is removed at the end.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.live.websocket import WebSocket

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {"gunicorn": ROOT / "fixtures/flask-hello/app", "hypercorn": ROOT / "benchmarks/apps/streams"}
REDEPLOYS = 20
LEAST = 20_000  # requests, of both apps
CLIENTS = 4  # of each app, half of them with a new connection for each request
PAUSE = 0.004  # s between two requests of one client: the machine has to build meanwhile
STREAM_SECONDS = 20.0  # less than an instance has to end what is under way


class Load:
    """Clients that ask ``name`` for its page, one request after the other, until they are told to end."""

    def __init__(self, host: str, port: int, name: str) -> None:
        self.host, self.port, self.name = host, port, name
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(n % 2 == 0,)) for n in range(CLIENTS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after the requests under way."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _client(self, keep: bool) -> None:
        connection = self._connection()
        while not self._ended.wait(PAUSE):
            if not keep:
                connection.close()
                connection = self._connection()
            began = time.monotonic()
            try:
                connection.request("GET", "/", headers={"Host": self.name})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
            self.seconds.append(time.monotonic() - began)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=30)


class Streams:
    """What is under way all the time at an app: a long answer, a stream of events, a WebSocket, one after the other."""

    def __init__(self, host: str, port: int, name: str) -> None:
        self.host, self.port, self.name = host, port, name
        self.failures: list[str] = []
        self.ended = {"long answers": 0, "streams of events": 0, "WebSockets": 0}
        self._ended = threading.Event()
        work = (self._long, self._events, self._websocket)
        self._threads = [threading.Thread(target=self._again, args=each) for each in zip(self.ended, work, strict=True)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after what is under way."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _again(self, what: str, work: Callable[[], None]) -> None:
        while not self._ended.is_set():
            try:
                work()
                self.ended[what] += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(f"{what}: {type(error).__name__}: {error}")

    def _long(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=60)) as connection:
            connection.request("GET", f"/long/{STREAM_SECONDS:g}", headers={"Host": self.name})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"at last"), answer.status

    def _events(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=60)) as connection:
            connection.request("GET", f"/events/{STREAM_SECONDS:g}", headers={"Host": self.name})
            lines = connection.getresponse().read().decode().split()
        assert lines == [str(number) for number in range(len(lines))], "an event is missing"
        assert len(lines) == STREAM_SECONDS * 10, f"{len(lines)} events"

    def _websocket(self) -> None:
        client = WebSocket(self.name, self.port, "/echo", timeout=60)
        with contextlib.closing(client):
            until = time.monotonic() + STREAM_SECONDS
            for number in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count()):
                assert client.ask(str(number)) == str(number)
                time.sleep(0.1)


def main() -> int:
    """Print the figures, and ok or MISS."""
    redeploys = int(sys.argv[1]) if len(sys.argv) > 1 else REDEPLOYS
    with tempfile.TemporaryDirectory(prefix="s2i-") as home:
        environment = {**os.environ, "S2I_HOME": home, "PYTHONPATH": str(ROOT)}
        for name, source in SOURCES.items():
            shutil.copytree(source, Path(home) / name)
        try:
            return measure(Path(home), environment, redeploys)
        finally:
            s2i(environment, "server", "stop", "--all", "--yes")


def measure(home: Path, environment: dict[str, str], redeploys: int) -> int:
    """Deploy both once, then again and again under load."""
    ports = {name: int(deploy(home, name, environment, 0).rpartition(":")[2]) for name in SOURCES}
    hosts = {name: f"{name}.default.localhost" for name in SOURCES}
    loads = {name: Load("127.0.0.1", ports[name], hosts[name]) for name in SOURCES}
    streams = Streams("127.0.0.1", ports["hypercorn"], hosts["hypercorn"])
    took = []
    everybody: tuple[Load | Streams, ...] = (*loads.values(), streams)
    for each in everybody:
        each.start()
    try:
        for number in range(1, redeploys + 1):
            for name in SOURCES:
                began = time.monotonic()
                deploy(home, name, environment, number)
                took.append(time.monotonic() - began)
        while sum(len(load.seconds) for load in loads.values()) < LEAST:
            time.sleep(0.1)
    finally:
        for each in everybody:
            each.stop()
    print(f"{redeploys} redeploys of each app, {statistics.median(took):.2f} s each (median; build, start, switch)")
    for name, load in loads.items():
        times = sorted(load.seconds)
        p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
        print(f"{name}: {len(times)} requests, p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {times[-1] * 1000:.0f} ms")
    print(", ".join(f"{number} {what}" for what, number in streams.ended.items()) + f" of {STREAM_SECONDS:g} s each")
    failures = [*itertools.chain(*(load.failures for load in loads.values())), *streams.failures]
    for failure in failures[:10]:
        print(f"  {failure}")
    verdict = "ok" if not failures else "MISS"
    print(f"{len(failures)} failed (at most 0) {verdict}")
    return 0 if verdict == "ok" else 1


def deploy(home: Path, name: str, environment: dict[str, str], number: int) -> str:
    """Deploy a version of an app that differs in one line; return its URL."""
    (home / name / "version.py").write_text(f"VERSION = {number}\n")
    return s2i(environment, "deploy", str(home / name), "--name", name).strip()


def s2i(environment: dict[str, str], *words: str) -> str:
    """Run `s2i` with ``words``; return what it prints. Ends the benchmark when it fails."""
    argv = (sys.executable, "-m", "s2i", *words)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"s2i {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
