"""The records of builds: what is kept of each, and how it is found again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import msgspec
import pytest

from s2i import dirs
from s2i.errors import E_BUILD, E_BUILD_CANCELLED, S2IError
from s2i.images.events import Image, StepEvent, StepResult
from s2i.images.request import BuildRequest
from s2i.images.runs import record, shelf
from s2i.images.runs.record import recorded
from s2i.images.runs.run import BuildRun
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice
from s2i.sources.tree import Origin

PLAN = BuildPlan(buildpack="x", kind="job", framework="x", manager="x", python="3.13", entry="x", start=("x",))
ORIGIN = Origin("git", "https://host.example/owner/repo", "v1", "0" * 40)
IMAGE = Image("sha256:a", "sha256:a", 1_500_000, ("shop:1",), (), 1.0)
NAME = "Install the dependencies"


def build(*events: StepEvent, error: BaseException | None = None, **request: object) -> BuildRun:
    """Record a build in which ``events`` happen, and return what is on the shelf afterwards."""
    wanted = BuildRequest(title="shop", **request)  # type: ignore[arg-type]
    ident = ""
    try:
        with recorded(PLAN, ORIGIN, wanted, lambda event: None, lambda notice: None, None) as run:
            ident = run.run.id
            for event in events:
                run.event(event)
            if error:
                raise error
            run.made(IMAGE)
    except BaseException as raised:
        if raised is not error:
            raise
    return shelf.find(ident)


def lines(run: BuildRun) -> list[dict[str, object]]:
    return [json.loads(line) for line in (shelf.place() / run.id / shelf.EVENTS).read_text().splitlines()]


def test_a_build_leaves_who_asked_what_happened_and_what_came_out() -> None:
    run = build(
        StepEvent("started", "sha256:1", NAME),
        StepEvent("log", "sha256:1", NAME, 0.5, "Resolved 8 packages"),
        StepEvent("progress", "sha256:1", NAME, bytes=5),
        StepEvent("done", "sha256:1", NAME, 2.5),
        StepEvent("cached", "sha256:2", "Copy"),
        project="team",
        tags=("shop:1",),
    )
    assert (run.status, run.title, run.project, run.image, run.size) == ("done", "shop", "team", "sha256:a", 1_500_000)
    assert (run.source, run.commit) == ("https://host.example/owner/repo@v1", "0" * 40)
    assert run.steps == (StepResult(NAME, False, 2.5), StepResult("Copy", True, 0.0))
    assert lines(run) == [
        {"type": "step", "status": "started", "step": 1, "name": NAME},
        {"type": "step", "status": "log", "step": 1, "seconds": 0.5, "line": "Resolved 8 packages"},
        {"type": "step", "status": "done", "step": 1, "name": NAME, "seconds": 2.5},
        {"type": "step", "status": "cached", "step": 2, "name": "Copy"},
    ]
    assert msgspec.json.decode((shelf.place() / run.id / shelf.PLAN).read_bytes(), type=BuildPlan) == PLAN


def test_nobody_else_can_read_a_record() -> None:
    folder = shelf.place() / build().id
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder.parent)] == ["0o700", "0o700"]


@pytest.mark.parametrize(
    ("error", "status", "code", "number"),
    [
        (E_BUILD(step="s", why="w", log=()), "failed", "E_BUILD", 5),
        (E_BUILD_CANCELLED(), "cancelled", "E_BUILD_CANCELLED", 130),
        (KeyboardInterrupt(), "cancelled", "", 130),
        (ZeroDivisionError(), "failed", "E_INTERNAL", 6),
    ],
)
def test_how_a_build_ended_is_in_its_record(error: BaseException, status: str, code: str, number: int) -> None:
    run = build(error=error)
    assert run.error is not None
    assert (run.status, run.error["code"], run.error["exit"]) == (status, code, number)


def test_an_image_names_the_run_that_made_it() -> None:
    wanted = BuildRequest(title="shop", run="abc")
    with recorded(PLAN, ORIGIN, wanted, lambda event: None, lambda notice: None, None) as run:
        assert run.made(IMAGE).run == "abc"


def test_a_second_build_of_one_deployment_has_an_id_of_its_own() -> None:
    assert [build(run="abc").id for _ in range(3)] == ["abc", "abc-2", "abc-3"]


def test_a_flood_of_output_is_cut_and_the_ends_of_steps_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FILE_LIMIT", 3000)
    monkeypatch.setattr(record, "TAIL_RESERVE", 1000)
    run = build(
        StepEvent("started", "1", NAME),
        *(StepEvent("log", "1", NAME, 0.1, "y" * 80) for _ in range(1000)),
        StepEvent("done", "1", NAME, 9.0),
    )
    kept = lines(run)
    assert [line["type"] for line in kept[-2:]] == ["truncated", "step"]
    assert kept[-1]["status"] == "done"
    assert (shelf.place() / run.id / shelf.EVENTS).stat().st_size < 3000


def test_a_home_that_cannot_be_written_stops_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.place().parent.mkdir(parents=True)
    shelf.place().write_text("in the way")
    notices: list[Notice] = []
    with recorded(PLAN, ORIGIN, BuildRequest(title="x"), lambda event: None, notices.append, None) as run:
        assert run.made(IMAGE) == IMAGE
    assert [notice.code for notice in notices] == ["W_NOT_RECORDED"]


# Found again -------------------------------------------------------------------------------------------------------


def test_the_list_has_the_newest_first_and_leaves_out_what_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1000, 2000))
    monkeypatch.setattr(time, "time", lambda: float(next(moments)))
    for name in ("one", "two", "three"):
        build(run=name)
    (shelf.place() / "two" / shelf.RECORD).write_text("{")
    (shelf.place() / "empty").mkdir()
    (shelf.place() / "file").write_text("")
    (shelf.place() / "wrong").mkdir()
    (shelf.place() / "wrong" / shelf.RECORD).write_text('{"id": 7}')
    assert [run.id for run in shelf.every()] == ["three", "one"]
    assert shelf.find().id == "three"


@pytest.mark.parametrize(
    ("ident", "message"),
    [
        ("none", 'there is no build run "none"'),
        ("../../etc", 'there is no build run "../../etc"'),
        ("ab", 'more than one build run begins with "ab": abc, abd'),
    ],
)
def test_a_run_that_is_not_there_is_said(ident: str, message: str) -> None:
    for name in ("abc", "abd"):
        build(run=name)
    with pytest.raises(S2IError) as caught:
        shelf.find(ident)
    assert (caught.value.code, caught.value.exit, caught.value.message) == ("E_BUILD_RUN", 2, message)


def test_the_beginning_of_an_id_is_enough() -> None:
    build(run="abc")
    assert shelf.find("a").id == "abc"


def test_the_oldest_are_dropped_but_none_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "KEEP", 2)
    monkeypatch.setattr(record, "QUICK_SECONDS", -1.0)  # a start is rounded, up as well
    wanted = BuildRequest(title="x", run="going")
    with recorded(PLAN, ORIGIN, wanted, lambda event: None, lambda notice: None, None):
        os.utime(shelf.place() / "going", (1, 1))
        for number in range(4):
            build(run=f"n{number}")
            os.utime(shelf.place() / f"n{number}", (10 + number, 10 + number))
        assert sorted(run.id for run in shelf.every()) == ["going", "n2", "n3"]


def test_long_logs_are_dropped_before_short_ones_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "KEEP_BYTES", 5000)
    for number, size in enumerate((3000, 3000, 100)):
        folder = shelf.place() / build(run=f"n{number}").id
        (folder / shelf.EVENTS).write_bytes(b" " * size)
        os.utime(folder, (10 + number, 10 + number))
    shelf.prune(weigh=True)
    assert sorted(run.id for run in shelf.every()) == ["n1", "n2"]


def test_a_quick_build_waits_for_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "KEEP", 5)
    for number in range(10):
        build(run=f"n{number}")
    assert len(shelf.every()) == 10
    build(run="more")
    assert len(shelf.every()) == 8


@pytest.mark.world
def test_a_build_whose_process_was_killed_is_interrupted(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from tests.images.test_build_runs import *\n"
        "with recorded(PLAN, ORIGIN, BuildRequest(title='x', run='dead'), print, print, None) as run:\n"
        "    run.event(StepEvent('started', '1', NAME))\n"
        "    assert shelf.find('dead').status == 'running'\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run((sys.executable, "-c", code), cwd=Path(__file__).parents[2], check=False, capture_output=True)
    run = shelf.find("dead")
    assert (run.status, run.finished > 0) == ("interrupted", True)


# Ended by somebody else --------------------------------------------------------------------------------------------


def test_a_file_in_its_folder_cancels_a_build() -> None:
    with recorded(PLAN, ORIGIN, BuildRequest(title="x"), lambda event: None, lambda notice: None, None) as run:
        assert (run.cancelled.is_set(), run.cancelled.wait(0.01)) == (False, False)
        (shelf.place() / run.run.id / shelf.CANCEL).touch()
        assert run.cancelled.wait(5)
        assert run.cancelled.is_set()


def test_the_callers_own_event_cancels_it_too() -> None:
    given = Event()
    with recorded(PLAN, ORIGIN, BuildRequest(title="x"), lambda event: None, lambda notice: None, given) as run:
        given.set()
        assert run.cancelled.is_set()


def test_the_place_of_the_runs_is_in_the_state() -> None:
    assert shelf.place() == dirs.state() / "builds"
