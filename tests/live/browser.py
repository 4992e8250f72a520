"""A real Chromium without a window, driven through a pipe (https://chromedevtools.github.io/devtools-protocol/)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

PROGRAMS = {"chromium": "chromium", "certutil": "libnss3-tools"}  # program: Debian package
PATIENCE = 60.0  # s
# It reads from descriptor 3 and writes to 4.
WRAPPED = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def installed() -> None:
    """Make sure that the browser and certutil are here: installed from Debian when they are not."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for argv in (("apt-get", "update"), ("apt-get", "install", "-y", "--no-install-recommends", *missing)):
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout[-1000:]}{done.stderr[-1000:]}"


class Browser:
    """One Chromium with one page. ``home``: where it keeps its profile, and finds whom to trust."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._number = 0

    def __enter__(self) -> Self:
        (read, self._write), (self._read, write) = os.pipe(), os.pipe()
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe")
        words = ("chromium", *flags, f"--user-data-dir={self._home / 'profile'}", "about:blank")
        self._process = subprocess.Popen(
            (sys.executable, "-c", WRAPPED, str(read), str(write), *words),
            env={**os.environ, "HOME": str(self._home)},
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._rest = b""
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self._call("Browser.close", {})
        for end in (self._write, self._read):
            os.close(end)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()

    def open(self, url: str) -> str:
        """Go to ``url``; return what stood in the way, "" for nothing: "net::ERR_…"."""
        return str(self._call("Page.navigate", {"url": url}, self._session).get("errorText", ""))

    def ask(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        found = self._call("Runtime.evaluate", {"expression": script, "returnByValue": True}, self._session)
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Ask again and again until the expression is true, and return what it is then."""
        end = time.monotonic() + PATIENCE
        while not (found := self.ask(script)):
            assert time.monotonic() < end, f"it never was true: {script}"
            time.sleep(0.05)
        return found

    def _call(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._read, 65536)
            assert more, "the browser has ended"
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(first)
        return found
