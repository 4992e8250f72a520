"""The logs of an app on a real engine: followed over everything that happens to it, kept, and never too much at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from home import Home

PATIENCE = 60  # seconds
FLOOD_SECONDS = 10
ROOM = 60 << 10  # kB that a server may take for the followed log of a flood

PROGRAM = """
import http.server, os, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        what, _, word = self.path[1:].partition("/")
        if what == "say":
            os.write(1, f"said {word}\\n".encode())
        elif what == "crash":
            os.write(2, b"crashing \\x1b[2J\\xff\\n")
            threading.Timer(0.3, os._exit, (3,)).start()  # after it has answered: no other instance is asked
        elif what == "line":
            os.write(1, b"x" * (int(word) << 20) + b"\\n")
        elif what == "flood":
            threading.Thread(target=flood, args=(float(word),)).start()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

def flood(seconds):
    until, block = time.monotonic() + seconds, (b"y" * 99 + b"\\n") * 500
    while time.monotonic() < until:
        os.write(1, block)
    os.write(1, b"flooded\\n")

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18760)
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def app(home: Home, tmp_path_factory: pytest.TempPathFactory) -> str:
    source = tmp_path_factory.mktemp("talker")
    (source / "app.py").write_text(PROGRAM)
    home.ok("deploy", str(source), "--name", "talker")
    home.ok("app", "scale", "talker", "--min-scale", "1")
    return "talker"


class Following:
    """`s2i app logs -f` of an app, read as it comes; ``said`` are (instance, line)."""

    def __init__(self, home: Home, *words: str) -> None:
        self.said: list[tuple[str, str]] = []
        argv = (sys.executable, "-m", "s2i", "app", "logs", "talker", "-f", "-o", "json", *words)
        self.process = subprocess.Popen(argv, env=home.environment, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            one = json.loads(line)
            self.said.append((one["instance"], one["line"]))

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._thread.join(PATIENCE)


@pytest.fixture
def following(home: Home, app: str) -> Iterator[Following]:
    made = Following(home)
    yield made
    made.end()


def ask(path: str) -> None:
    """Ask the app, whichever instance answers."""
    connection = http.client.HTTPConnection("127.0.0.1", 18760, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": "talker.default.localhost"})
        connection.getresponse().read()


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.1)


def running(home: Home) -> int:
    return int(home.data("app", "get", "talker")["running"])


def test_a_followed_log_loses_and_repeats_nothing_over_scaling_a_crash_and_an_update(
    home: Home, following: Following
) -> None:
    told: list[str] = []

    def say(count: int) -> None:
        for number in range(len(told), len(told) + count):
            ask(f"/say/{number}")
            told.append(f"said {number}")

    say(20)
    home.ok("app", "scale", "talker", "--min-scale", "3")
    eventually(lambda: running(home) == 3)
    say(60)
    ask("/crash")
    time.sleep(0.5)
    say(40)
    home.ok("app", "restart", "talker")
    eventually(lambda: running(home) == 3)
    say(40)
    home.ok("app", "scale", "talker", "--min-scale", "1")
    eventually(lambda: len([one for one in following.said if one[1].startswith("said")]) >= len(told))
    time.sleep(2)
    assert sorted(line for _, line in following.said if line.startswith("said")) == sorted(told)
    assert len({instance for instance, line in following.said if line.startswith("said")}) >= 5
    past = {line for words in ((), ("--previous",)) for line in home.ok("app", "logs", "talker", *words).splitlines()}
    assert {line.rpartition("| ")[2] for line in past} >= set(told)
    assert "crashing \\x1b[2J\ufffd" in home.ok("app", "logs", "talker", "--previous")
    events = [(one["what"], one["text"]) for one in home.data("app", "events", "talker")]
    crashes = [text.partition(": ")[2] for what, text in events if what == "crashed"]
    assert [re.split(" after |;", text)[0] for text in crashes] == ["exit code 3"]


def test_lines_of_several_instances_are_in_the_order_of_time(home: Home, app: str) -> None:
    home.ok("app", "scale", "talker", "--min-scale", "3")
    eventually(lambda: running(home) == 3)
    for number in range(60):
        ask(f"/say/order-{number}")
    shown = [json.loads(line) for line in home.ok("app", "logs", "talker", "-o", "json").splitlines()]
    # The engine's times: when it came to read a line, on a busy machine some hundredths of a second after it was written.
    assert [one["at"] for one in shown] == sorted(one["at"] for one in shown)
    said = [(one["instance"], one["line"]) for one in shown if "order-" in one["line"]]
    assert {line for _, line in said} == {f"said order-{number}" for number in range(60)}
    assert len({instance for instance, _ in said}) == 3
    assert len(home.ok("app", "logs", "talker", "--tail", "5").splitlines()) == 5


def test_a_flood_and_a_line_of_megabytes_take_no_memory(home: Home, app: str) -> None:
    home.ok("app", "scale", "talker", "--min-scale", "1", "--max-scale", "1")
    eventually(lambda: running(home) == 1)
    before = _memory(home)
    reading, idle = Following(home, "--tail", "0"), Following(home, "--tail", "0")
    os.kill(idle.process.pid, 19)  # one that takes nothing
    try:
        time.sleep(2)
        ask("/line/20")
        ask(f"/flood/{FLOOD_SECONDS}")
        most = 0
        until = time.monotonic() + PATIENCE
        while ("r", "flooded") not in ((one[0][:1], one[1]) for one in reading.said[-50:]) and time.monotonic() < until:
            most = max(most, _memory(home))
            time.sleep(0.2)
        assert "flooded" in [line for _, line in reading.said[-50:]]
        print(f"{before} kB, then at most {most} kB; {len(reading.said)} lines came")
        assert most - before < ROOM
        assert max(len(line) for _, line in reading.said) <= 256 << 10
    finally:
        os.kill(idle.process.pid, 18)
        reading.end()
        idle.end()
    kept = Path(home.folder) / "state" / "logs" / "apps" / "default" / "talker"
    home.ok("app", "stop", "talker")
    eventually(lambda: running(home) == 0 and any("flooded" in one.read_text()[-200:] for one in kept.glob("*.log")))
    assert sum(one.stat().st_size for one in kept.iterdir()) < 50 << 20
    assert home.ok("app", "logs", "talker", "--previous", "--tail", "1").endswith("flooded")


def _memory(home: Home) -> int:
    """Return the resident memory of the server, in kB."""
    status = Path(f"/proc/{home.server()['pid']}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
