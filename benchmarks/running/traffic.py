"""Requests a second: through the router, by the same proxy without slots, and asked directly."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.running.server import Row, Server, address, first_answer

NAME = "bench"
LOAD_SECONDS = 4


def throughput(shared: Server) -> Iterator[Row]:
    """Requests a second at 32 connections: through the router, the same proxy with a static upstream, and directly."""
    host = f"{NAME}.default.localhost:{shared.port}"
    with static_proxy(shared) as port:
        ways = {
            "router": (f"http://127.0.0.1:{shared.port}/", host),
            "static": (f"http://127.0.0.1:{port}/", host),
            "direct": (f"http://{address(shared.boxes(NAME)[0])}/", host),
        }
        for url, name in ways.values():
            wrk(url, name, 1)
        taken = [{way: wrk(url, name, LOAD_SECONDS) for way, (url, name) in ways.items()} for _ in range(5)]
    rates = {way: statistics.median(one[way] for one in taken) for way in ways}
    shown = ", ".join(f"{way} {rate:.0f}/s" for way, rate in rates.items())
    for way, least in (("static", 0.88), ("direct", 0.85)):
        share = statistics.median(
            one["router"] / one[way] for one in taken
        )  # side by side: what is busy is so for both
        yield f"requests at 32 connections ({shown}): {share:.2f} of {way} (at least {least})", share >= least


def limited(shared: Server) -> Iterator[Row]:
    """Requests a second at 32 connections of an app whose instance has a limit, against the same without; no bound."""
    url, host = f"http://127.0.0.1:{shared.port}/", f"{NAME}.default.localhost"
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


def wrk(url: str, host: str, seconds: int, connections: int = 32) -> float:
    """Return the requests a second that `wrk` gets answered. Ends the benchmark when one is not, or by no 2xx."""
    if not shutil.which("wrk"):
        subprocess.run(("apt-get", "-qq", "install", "-y", "wrk"), check=True, capture_output=True, timeout=300)
    argv = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-H", f"Host: {host}", url)
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if not found or "Non-2xx" in said or "Socket errors" in said:
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
    config["apps"]["http"]["http_port"] = port  # every other one is HTTPS
    # The file is of the server's start, before any app: the route is as the running proxy has it.
    apps["routes"] = shared.proxy("/config/apps/http/servers/apps/routes")
    text = re.sub(r"\{file\.[^}]*/0\}", address(shared.boxes(NAME)[0]), json.dumps(config))
    config = json.loads(text)
    for route in config["apps"]["http"]["servers"]["apps"]["routes"]:
        for handler in route["handle"]:
            if "upstreams" in handler:
                handler["upstreams"] = handler["upstreams"][:1]
    file = shared.home / "static.json"
    file.write_text(json.dumps(config))
    program = Path(sys.executable).parent / "caddy"
    environment = {"PATH": os.defpath, "HOME": str(shared.home), "GOGC": "300"}
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
