"""A server with a home of its own, and how its processes and apps are looked at."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docker

from s2i.engines.docker import connection
from s2i.wire import Wire

ROOT = Path(__file__).resolve().parents[2]
ASLEEP_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")

Row = tuple[str, bool]


class Server(NamedTuple):
    """One server: ``port`` is its router's, ``rounds`` how often a row tries."""

    home: Path
    port: int
    engine: docker.DockerClient
    rounds: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        own = {"S2I_HOME": str(self.home), "S2I_HTTP_PORT": str(self.port)}
        return {**kept, **own, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{self.home}/pyc"}

    def s2i(self, *words: str) -> str:
        """Run `s2i` with ``words``; return what it prints. Ends the benchmark when it fails."""
        argv = (sys.executable, "-m", "s2i", *words)
        done = subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, timeout=600, check=False, cwd="/"
        )
        if done.returncode != 0:
            sys.exit(f"s2i {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout.strip()

    def data(self, *words: str) -> Any:
        """Return what `s2i` prints as JSON."""
        return json.loads(self.s2i(*words, "-o", "json"))

    def api(self, path: str) -> Any:
        """Return what the server answers to GET."""
        return Wire(f"unix://{self.home}/run/s2i.sock", 60).get(path)

    def proxy(self, path: str) -> Any:
        """Return what the proxy's admin API answers to GET."""
        return Wire(f"unix://{self.home}/run/caddy.sock", 10).get(path)

    def pids(self) -> list[int]:
        """Return the processes that it is: the server and its proxy."""
        return [int(self.api("/v1/server")["pid"]), int((self.home / "run/caddy.pid").read_text())]

    def boxes(self, app: str) -> list[Any]:
        """Return the sandboxes of an app's instances, the newest first."""
        labels = [f"s2i.app={app}", f"s2i.server={self.api('/v1/server')['id']}", "s2i.role=sandbox"]
        return list(self.engine.containers.list(filters={"label": labels}))

    def until(self, app: str, condition: Callable[[dict[str, Any]], bool], seconds: float = ASLEEP_SECONDS) -> None:
        """Wait until ``app`` is as ``condition`` says."""
        end = time.monotonic() + seconds
        while not condition(self.api(f"/v1/projects/default/apps/{app}")):
            if time.monotonic() > end:
                sys.exit(f"{app} does not come to rest")
            time.sleep(0.1)


@contextlib.contextmanager
def server(port: int, rounds: int) -> Iterator[Server]:
    """Yield a server that has nothing yet; all that is its goes at the end."""
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        shared = Server(Path(folder), port, connection.client(timeout=120), rounds)
        try:
            # A server that compiles its own modules keeps 10 MB of that: one that was installed does not.
            shared.s2i("server", "start")
            shared.s2i("server", "stop")
            yield shared
        finally:
            shared.s2i("server", "stop", "--all", "--yes")


def address(box: Any) -> str:
    """Return "ip:port" of the instance in a sandbox."""
    settings = box.attrs["NetworkSettings"]["Networks"]
    return f"{next(iter(settings.values()))['IPAddress']}:8080"


def ask(where: str, host: str) -> bytes | None:
    """Return what "ip:port" answers to a request for ``host``, None for anything but a 200."""
    name, _, port = where.rpartition(":")
    with contextlib.suppress(OSError, http.client.HTTPException):
        request = http.client.HTTPConnection(name, int(port), timeout=30)
        with contextlib.closing(request):
            request.request("GET", "/", headers={"Host": host})
            answer = request.getresponse()
            return answer.read() if answer.status == 200 else None
    return None


def first_answer(where: str, host: str, other_than: bytes = b"\0") -> bytes:
    """Ask until there is a 200 whose body is another one than ``other_than``; return the body."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if (said := ask(where, host)) not in (None, other_than):
            assert said is not None
            return said
        time.sleep(0.002)
    sys.exit(f"{where} does not answer")


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def memory(pid: int) -> int:
    """Return the bytes that are a process's own: what it shares with others is not counted twice (PSS)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
