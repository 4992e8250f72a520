"""The disk that a server keeps its state on is full: what runs runs on, and room is all that it takes (F21)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import Home

from tests.live import second_engine

PROGRAM = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"here")

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        subprocess.run(("mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder), check=True)
        made = Home(Path(folder), port=18960)
        try:
            yield made
            made.run("server", "stop", "--all", "--yes")
        finally:
            subprocess.run(("umount", "-l", folder), check=True)


def fill(path: Path) -> None:
    """Write until there is no room for a byte more."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_what_runs_runs_on_what_is_asked_is_refused_and_room_is_all_it_takes(
    home: Home, engine: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "Dockerfile").write_text(
        f'FROM {second_engine.base().runtime}\nCOPY main.py /main.py\nENTRYPOINT ["python3", "/main.py"]\n'
    )
    words = ("--strategy", "dockerfile", "--min-scale", "1", "--memory", "64M")
    url = home.ok("app", "create", "shop", str(tmp_path), *words)
    pid = home.server()["pid"]
    filler = home.folder / "filler"
    fill(filler)
    assert os.statvfs(home.folder).f_bavail == 0
    for words in (
        ("secret", "create", "db", "--from-literal", f"A={'x' * 60_000}"),
        ("app", "update", "shop", "--env", f"TEXT={'x' * 60_000}"),
        ("deploy", str(tmp_path), "--name", "other", "--strategy", "dockerfile"),
    ):
        done = home.run(*words)
        assert done.returncode == 6, done.stdout + done.stderr
        assert "disk" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert "server restore" not in done.stderr, "a full disk is no damaged database"
    assert [one["status"] for one in home.data("app", "list")] == ["ready"]
    assert home.get(url) == (200, "here")
    filler.unlink()
    assert home.ok("secret", "create", "db", "--from-literal", "A=b")
    home.ok("app", "update", "shop", "--env", "TEXT=x")
    assert home.answer_within(url, 30) == "here"
    home.ok("deploy", str(tmp_path), "--name", "other", "--strategy", "dockerfile")
    assert home.server()["pid"] == pid, "nobody has restarted it"
