"""Redeploy an app 20 times under a steady load on loopback and count what fails. Exit 1 when anything does.

`python -m benchmarks.redeploy [REDEPLOYS]`, with an S2I_HOME of its own that is removed at the end.
"""

from __future__ import annotations

import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "fixtures/flask-hello/app"
REDEPLOYS = 20
LEAST = 5000  # requests
CLIENTS = 6  # half of them with a new connection for each request
PAUSE = 0.004  # s between two requests of one client: the machine has to build meanwhile
NAME = "redeploy"


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
                connection.request("GET", "/", headers={"Host": f"{self.name}:{self.port}"})
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


def main() -> int:
    """Print the figures, and ok or MISS."""
    redeploys = int(sys.argv[1]) if len(sys.argv) > 1 else REDEPLOYS
    with tempfile.TemporaryDirectory(prefix="s2i-") as home:
        environment = {**os.environ, "S2I_HOME": home, "PYTHONPATH": str(ROOT)}
        source = Path(home) / "src"
        shutil.copytree(SOURCE, source)
        try:
            return measure(source, environment, redeploys)
        finally:
            s2i(environment, "server", "stop", "--all", "--yes")


def measure(source: Path, environment: dict[str, str], redeploys: int) -> int:
    """Deploy once, then again and again under load."""
    url = deploy(source, environment, 0)
    load = Load("127.0.0.1", int(url.rpartition(":")[2]), f"{NAME}.default.localhost")
    load.start()
    took = []
    try:
        for number in range(1, redeploys + 1):
            began = time.monotonic()
            deploy(source, environment, number)
            took.append(time.monotonic() - began)
        while len(load.seconds) < LEAST:
            time.sleep(0.1)
    finally:
        load.stop()
    times = sorted(load.seconds)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    print(f"{redeploys} redeploys, {statistics.median(took):.2f} s each (median; build, start, switch, drain)")
    print(f"{len(times)} requests, p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {times[-1] * 1000:.0f} ms")
    for failure in load.failures[:10]:
        print(f"  {failure}")
    verdict = "ok" if not load.failures else "MISS"
    print(f"{len(load.failures)} failed requests (at most 0) {verdict}")
    return 0 if verdict == "ok" else 1


def deploy(source: Path, environment: dict[str, str], number: int) -> str:
    """Deploy a version of the source that differs in one line; return the app's URL."""
    (source / "version.py").write_text(f"VERSION = {number}\n")
    return s2i(environment, "deploy", str(source), "--name", NAME).strip()


def s2i(environment: dict[str, str], *words: str) -> str:
    """Run `s2i` with ``words``; return what it prints. Ends the benchmark when it fails."""
    argv = (sys.executable, "-m", "s2i", *words)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"s2i {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
