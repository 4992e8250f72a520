"""One s2i server with a home of its own, used through the command line as a person would."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "fixtures"


class Home:
    """One server with an S2I_HOME of its own, used through the command line as a person would."""

    def __init__(self, folder: Path, port: int = 18700) -> None:
        self.folder = folder
        self.port = port
        self.environment = {**os.environ, "S2I_HOME": str(folder), "PYTHONPATH": str(ROOT), "S2I_HTTP_PORT": str(port)}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = (sys.executable, "-m", "s2i", *words)
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=240, check=False)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def data(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "-o", "json"))

    def server(self) -> dict[str, object]:
        found = self.data("server", "status")
        assert isinstance(found, dict)
        return found

    def kill_server(self) -> None:
        os.kill(int(str(self.server()["pid"])), signal.SIGKILL)

    def get(self, url: str, timeout: float = 20.0, path: str = "/") -> tuple[int, str]:
        """Ask an app by its URL; the name is not resolved, as *.localhost need not be."""
        host, _, port = url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def answer_within(self, url: str, seconds: float) -> str:
        """Ask until there is a 200, for at most ``seconds``."""
        until, last = time.monotonic() + seconds, "nothing"
        while time.monotonic() < until:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, text = self.get(url)
                if status == 200:
                    return text
                last = str(status)
            time.sleep(0.05)
        raise AssertionError(f"no answer within {seconds} s, last: {last}")
