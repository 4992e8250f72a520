"""Build runs on a real engine: limits hold, floods are cut, builds wait for their turn and end when told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from s2i.errors import S2IError
from s2i.images import clients
from s2i.images.limits import Limits
from s2i.images.runs import record, shelf
from tests.live.conftest import Builds
from tests.live.test_build_live import PATIENCE, ROOT, Sleep, dockerfile, eventually, workspaces

BOMB = "RUN bomb() { bomb | bomb & }; bomb; sleep 2; exit 3\n"
FLOOD = (
    'RUN python3 -c "exec(\'import time\\nend = time.time() + 1\\nwhile time.time() < end: print(\\"y\\" * 200)\')"\n'
)


def test_a_fork_bomb_ends_as_that(builds: Builds, tmp_path: Path) -> None:
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", BOMB), "dockerfile", cache=False, limits=Limits(processes=100))
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_PROCESSES", 5)


def test_a_limit_changes_nothing_of_what_is_cached(builds: Builds, tmp_path: Path) -> None:
    source = dockerfile(tmp_path / "source", "RUN true\n")
    first = builds(source, "dockerfile", limits=Limits(processes=0))
    second = builds(source, "dockerfile", limits=Limits(memory=256 << 20))
    assert (second.id, builds.steps()["RUN true"]) == (first.id, "cached")


def test_a_flood_of_output_is_cut(builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FILE_LIMIT", 500_000)
    # The classic builder passes everything on; BuildKit cuts at 1 or 2 MB a step.
    image = builds(dockerfile(tmp_path / "source", FLOOD), "dockerfile", client=clients.CLASSIC, cache=False)
    path = shelf.place() / image.run / shelf.EVENTS
    # Cut before the event that would reach into what is kept for the end, and none is larger than that.
    assert 300_000 < path.stat().st_size <= 500_000
    kinds = [json.loads(line)["type"] for line in path.read_text().splitlines()]
    assert kinds.count("truncated") == 1


def test_builds_wait_for_their_turn_and_are_cancelled_from_elsewhere(builds: Builds, tmp_path: Path) -> None:
    sleep = Sleep()
    environment = {**os.environ, "S2I_BUILDS": "1"}
    first = started(dockerfile(tmp_path / "first", sleep.line), builds.tag, environment)
    eventually(sleep.runs)
    second = started(dockerfile(tmp_path / "second", "RUN true\n"), f"{builds.tag}-2", environment)
    try:
        eventually(lambda: sum(run.status == "running" for run in shelf.every()) == 2)
        ids = {run.title: run.id for run in shelf.every()}
        for title, process in (("second", second), ("first", first)):
            assert s2i("buildrun", "cancel", ids[title]).stdout == f"{ids[title]} cancelled\n"
            out, err = process.communicate(timeout=PATIENCE)
            last = json.loads(err.splitlines()[-1])
            assert (process.returncode, out, last["error"]["code"]) == (130, "", "E_BUILD_CANCELLED")
            waited = [event.get("name", "") for event in map(json.loads, err.splitlines())]
            assert any(name.startswith("wait: 1 build runs") for name in waited) == (title == "second")
    finally:
        for process in (first, second):
            process.kill()
    eventually(lambda: not sleep.runs(), 3)
    assert workspaces() == []
    listed: list[Any] = json.loads(s2i("buildrun", "list", "-o", "json").stdout)
    assert [(run["title"], run["status"]) for run in listed] == [("second", "cancelled"), ("first", "cancelled")]


def started(source: Path, tag: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start `s2i build` in a process of its own."""
    argv = (sys.executable, "-m", "s2i", "build", str(source), "--strategy", "dockerfile", "-t", tag)
    return subprocess.Popen(
        (*argv, "--progress", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=environment,
    )  # fmt: skip


def s2i(*words: str) -> subprocess.CompletedProcess[str]:
    argv = (sys.executable, "-m", "s2i", *words)
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
