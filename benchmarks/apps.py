"""Measure running apps against what carries them: the proxy without slots, an instance started by hand, a static store.

`python -m benchmarks.apps [ROUNDS] [CASE...]`, on an engine that answers. Each row ends in ok or MISS.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docker

from s2i.engines.docker import connection

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "fixtures/flask-hello/app"
NAME = "bench"
ROUNDS = 20
LOAD_SECONDS = 4
ASLEEP_SECONDS = 60.0
REST_SECONDS = 20.0
TICKS = os.sysconf("SC_CLK_TCK")

Row = tuple[str, bool]


class Server(NamedTuple):
    """One server with a home of its own, and its app."""

    home: Path
    environment: dict[str, str]
    engine: docker.DockerClient
    rounds: int

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

    def box(self) -> Any:
        """Return the sandbox of the app's first instance."""
        labels = [f"s2i.app={NAME}", f"s2i.server={self.data('server', 'status')['id']}", "s2i.role=sandbox"]
        return self.engine.containers.list(filters={"label": labels})[0]

    def address(self) -> str:
        """Return "ip:port" of the app's first instance."""
        settings = self.box().attrs["NetworkSettings"]["Networks"]
        return f"{next(iter(settings.values()))['IPAddress']}:8080"

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = ASLEEP_SECONDS) -> None:
        """Wait until the app is as ``condition`` says."""
        end = time.monotonic() + seconds
        while not condition(self.data("app", "get", NAME)):
            if time.monotonic() > end:
                sys.exit(f"{NAME} does not come to rest")
            time.sleep(0.1)


def main() -> int:
    """Print a row for each figure."""
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else ROUNDS
    with server(rounds) as shared:
        rows = [row for name in words or CASES for row in printed(CASES[name](shared))]
    print(f"{sum(rows)} of {len(rows)} rows are within their limits")
    return 0 if all(rows) else 1


@contextlib.contextmanager
def server(rounds: int) -> Iterator[Server]:
    """Yield a server with one app; all that is its goes at the end."""
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        home = Path(folder)
        environment = {**os.environ, "S2I_HOME": folder, "PYTHONPATH": str(ROOT), "S2I_HTTP_PORT": "18800"}
        environment |= {"PYTHONPYCACHEPREFIX": f"{folder}/pyc"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        shared = Server(home, environment, connection.client(timeout=120), rounds)
        shutil.copytree(SOURCE, home / "src")
        try:
            shared.s2i("deploy", str(home / "src"), "--name", NAME)
            shared.s2i("app", "scale", NAME, "--min-scale", "1")
            yield shared
        finally:
            shared.s2i("server", "stop", "--all", "--yes")


def printed(rows: Iterator[Row]) -> Iterator[bool]:
    """Print each row as it comes."""
    for text, well in rows:
        print(f"{text} {'ok' if well else 'MISS'}", flush=True)
        yield well


def throughput(shared: Server) -> Iterator[Row]:
    """Requests a second at 32 connections: through the router, the same proxy with a static upstream, and directly."""
    need_wrk()
    host = f"{NAME}.default.localhost:18800"
    with static_proxy(shared) as port:
        ways = {
            "router": ("http://127.0.0.1:18800/", host),
            "static": (f"http://127.0.0.1:{port}/", host),
            "direct": (f"http://{shared.address()}/", host),
        }
        for url, name in ways.values():
            wrk(url, name, 1)
        taken = [{way: wrk(url, name, LOAD_SECONDS) for way, (url, name) in ways.items()} for _ in range(5)]
    rates = {way: statistics.median(one[way] for one in taken) for way in ways}
    shown = ", ".join(f"{way} {rate:.0f}/s" for way, rate in rates.items())
    for way, least in (("static", 0.88), ("direct", 0.85)):
        share = rates["router"] / rates[way]
        yield f"requests at 32 connections ({shown}): {share:.2f} of {way} (at least {least})", share >= least


def limited(shared: Server) -> Iterator[Row]:
    """Requests a second at 32 connections of an app whose instance has a limit, against the same without; no bound."""
    need_wrk()
    url, host = "http://127.0.0.1:18800/", f"{NAME}.default.localhost"
    taken: dict[int, list[float]] = {0: [], 32: [], 8: []}
    for _ in range(5):
        for limit, found in taken.items():
            shared.s2i("app", "scale", NAME, "--concurrency", str(limit), "--max-scale", "1")
            time.sleep(1)
            found.append(wrk(url, host, LOAD_SECONDS))
    shared.s2i("app", "scale", NAME, "--concurrency", "0", "--max-scale", "10")
    rates = {limit: statistics.median(each) for limit, each in taken.items()}
    for limit in (32, 8):
        share = rates[limit] / rates[0]
        yield f"requests with a limit of {limit} ({rates[limit]:.0f}/s): {share:.2f} of {rates[0]:.0f}/s without", True


def need_wrk() -> None:
    """Install `wrk` where there is none."""
    if not shutil.which("wrk"):
        subprocess.run(("apt-get", "-qq", "install", "-y", "wrk"), check=True, capture_output=True, timeout=300)


def wrk(url: str, host: str, seconds: int) -> float:
    """Return the requests a second that `wrk` gets answered."""
    argv = ("wrk", "-t1", "-c32", f"-d{seconds}s", "-H", f"Host: {host}", url)
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if not found or "Non-2xx" in said:
        sys.exit(f"wrk {url}: {said}")
    return float(found[1])


@contextlib.contextmanager
def static_proxy(shared: Server) -> Iterator[int]:
    """Run a second proxy with the same config but for its upstreams: one address instead of slots."""
    port = 18899
    config = json.loads((shared.home / "run/caddy.json").read_text())
    config["admin"] = {"disabled": True}
    apps = config["apps"]["http"]["servers"]["apps"]
    apps["listen"] = [f"127.0.0.1:{port}"]
    # The file is of the server's start, before any app: the route is as the running proxy has it.
    apps["routes"] = unix_get(shared.home / "run/caddy.sock", "/config/apps/http/servers/apps/routes")
    text = re.sub(r"\{file\.[^}]*/0\}", shared.address(), json.dumps(config))
    config = json.loads(text)
    for route in config["apps"]["http"]["servers"]["apps"]["routes"]:
        for handler in route["handle"]:
            if "upstreams" in handler:
                handler["upstreams"] = handler["upstreams"][:1]
    file = shared.home / "static.json"
    file.write_text(json.dumps(config))
    program = Path(sys.executable).parent / "caddy"
    environment = {"PATH": os.defpath, "HOME": str(shared.home), "GOGC": "400"}
    process = subprocess.Popen(
        (str(program), "run", "--config", str(file)), env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        first_answer(f"127.0.0.1:{port}", f"{NAME}.default.localhost")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def zero(shared: Server) -> Iterator[Row]:
    """From nothing to the first answer: through the router, by hand in a sandbox, by hand on a bridge."""
    shared.s2i("app", "scale", NAME, "--min-scale", "0", "--window", "6")
    image = shared.data("app", "get", NAME)["image"]
    taken: dict[str, list[float]] = {"s2i": [], "sandbox": [], "bridge": []}
    for _ in range(shared.rounds):
        shared.until(lambda found: found["status"] == "asleep")
        time.sleep(0.5)  # the container that waits is made
        taken["sandbox"].append(by_hand(shared, image, f"container:{shared.box().id}", shared.address()))
        taken["bridge"].append(by_hand(shared, image, "bridge", ""))
        began = time.monotonic()
        first_answer("127.0.0.1:18800", f"{NAME}.default.localhost")
        taken["s2i"].append(time.monotonic() - began)
    shared.s2i("app", "scale", NAME, "--min-scale", "1", "--window", "60")
    middle = {way: statistics.median(found) for way, found in taken.items()}
    worst = max(taken["s2i"]) / middle["sandbox"]
    shown = ", ".join(f"{way} {seconds * 1000:.0f} ms" for way, seconds in middle.items())
    for way, most in (("sandbox", 1.15), ("bridge", 0.6)):
        share = middle["s2i"] / middle[way]
        yield f"first answer from zero ({shown}): {share:.2f} of {way} (at most {most})", share <= most
    yield f"first answer from zero, the slowest of {shared.rounds}: {worst:.2f} of sandbox (at most 2)", worst <= 2


def by_hand(shared: Server, image: str, network: str, address: str) -> float:
    """Return the seconds from starting a container to its first answer; one on a bridge is created as well."""
    began = time.monotonic()
    container = shared.engine.containers.create(image, network_mode=network, environment={"PORT": "8080"}, init=True)
    if address:
        began = time.monotonic()
    try:
        container.start()
        if not address:
            container.reload()
            address = f"{container.attrs['NetworkSettings']['IPAddress']}:8080"
        first_answer(address, "bench")
        return time.monotonic() - began
    finally:
        container.remove(force=True)


def first_answer(address: str, host: str) -> None:
    """Ask until there is a 200."""
    name, _, port = address.rpartition(":")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            request = http.client.HTTPConnection(name, int(port), timeout=30)
            with contextlib.closing(request):
                request.request("GET", "/", headers={"Host": host})
                if request.getresponse().status == 200:
                    return
        time.sleep(0.002)
    sys.exit(f"{address} does not answer")


def rest(shared: Server) -> Iterator[Row]:
    """What the server and the proxy take while nothing happens."""
    time.sleep(3)
    pids = [int(shared.data("server", "status")["pid"]), int((shared.home / "run/caddy.pid").read_text())]
    before = sum(map(cpu, pids))
    time.sleep(REST_SECONDS)
    share = (sum(map(cpu, pids)) - before) / REST_SECONDS * 100
    size = sum(map(memory, pids)) / 1e6
    yield f"at rest: {size:.0f} MB with the proxy (at most 120)", size <= 120
    yield f"at rest: {share:.2f} % of a core (at most 0.5)", share <= 0.5


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def memory(pid: int) -> int:
    """Return the bytes that are a process's own: what it shares with others is not counted twice (PSS)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def unix_get(path: Path, target: str) -> Any:
    """Return the JSON that is answered to GET over a unix socket."""
    from s2i.wire import Wire

    return Wire(f"unix://{path}", 10).get(target)


CASES: dict[str, Callable[[Server], Iterator[Row]]] = {
    "throughput": throughput,
    "limited": limited,
    "zero": zero,
    "rest": rest,
}


if __name__ == "__main__":
    sys.exit(main())
