"""What a person sees of a build."""

from __future__ import annotations

import io
import json
import time

import pytest
from rich.console import Console

from s2i.cli.eventlines import EventLines
from s2i.cli.progress import Progress, shown
from s2i.cli.screen import Screen
from s2i.errors import E_BUILD, E_BUILD_CANCELLED, E_PROOF, S2IError
from s2i.images.events import Image, StepEvent
from s2i.images.runs import turn
from s2i.images.runs.wire import Wire
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice

EVENTS = (
    StepEvent("started", "1", "Install the dependencies"),
    StepEvent("log", "1", "Install the dependencies", 0.1, "Resolved 8 packages"),
    StepEvent("done", "1", "Install the dependencies", 3.14),
    StepEvent("cached", "2", "The source"),
    StepEvent("failed", "3", "bad \x1b]0;name", 0.2, "exit code: 1"),
)
PLAN = BuildPlan(
    buildpack="python", kind="wsgi", framework="flask", manager="x", python="3.13", entry="app:app", start=("x",)
)
PLAIN = """build   3.1 s  Install the dependencies
build  cached  The source
build  FAILED  bad \\x1b]0;name
"""


def test_a_pipe_gets_one_plain_line_for_each_step_that_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for event in EVENTS:
            progress.step(event)
    assert capsys.readouterr() == ("", PLAIN)


def test_the_events_of_a_deployment_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.wire({"type": "stage", "name": "build", "text": "shop"})
        progress.wire({"type": "notice", "code": "W_X", "message": "be aware", "where": "a.py:1"})
        progress.wire({"type": "step", "status": "done", "step": "1", "name": "Install", "seconds": 1.0, "line": ""})
        progress.wire({"type": "status", "status": "deploying"})
    assert capsys.readouterr().err == "build  shop\nnote   a.py:1: be aware (W_X)\nbuild   1.0 s  Install\n"


def test_steps_look_the_same_when_they_come_over_the_wire(capsys: pytest.CaptureFixture[str]) -> None:
    progress, wire = Progress(), Wire()
    for event in EVENTS:
        progress.wire(wire.step(event))
    assert capsys.readouterr().err == PLAIN


def test_a_notice_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().notice(Notice("W_X", "a\x1b[2Jb\u202e", ""))
    assert capsys.readouterr().err == "note   a\\x1b[2Jb\\u202e (W_X)\n"


def test_the_result_is_said_with_size_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().built(Image("sha256:a", "sha256:a", 67_519_077, ("s2i/shop:latest",), (), 2.04))
    assert capsys.readouterr().err == "built  68 MB in 2.0 s as s2i/shop:latest\n"


def test_what_a_step_moved_is_told_with_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().step(StepEvent("progress", "1", "send the source", bytes=1_000_000))
    Progress().step(StepEvent("done", "1", "send the source", 1.0, bytes=150_000_000))
    assert capsys.readouterr().err == "build   1.0 s  send the source  150 MB\n"


def test_a_build_that_waits_says_so_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().step(StepEvent("started", turn.STEP, "wait: 2 builds run"))
    assert capsys.readouterr().err == "build    ....  wait: 2 builds run\n"


def test_a_failed_build_says_where_its_log_is(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.wire({"type": "buildrun", "id": "abc"})
    progress.wire({"type": "error", "error": {"code": "E_ROLLOUT", "exit": 6}})
    assert capsys.readouterr().err == ""
    progress.wire({"type": "error", "error": {"code": "E_BUILD", "exit": 5}})
    assert capsys.readouterr().err == "log    s2i buildrun logs abc\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (E_BUILD(step="s", why="w", log=()), "log    s2i buildrun logs abc\n"),
        (E_BUILD_CANCELLED(), ""),
        (E_PROOF(why="w", log=()), ""),
    ],
)
def test_a_build_of_the_command_line_that_failed_says_so_too(
    error: S2IError, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress()
    progress.run("abc")
    with pytest.raises(S2IError), progress:
        raise error
    assert capsys.readouterr().err == told


def test_quiet_tells_notes_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("quiet") as progress:
        progress.notice(Notice("W_X", "be aware", ""))
        for event in EVENTS:
            progress.step(event)
    assert capsys.readouterr() == ("", "note   be aware (W_X)\n")


def test_machines_get_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with EventLines() as lines:
        lines.run("abc")
        lines.plan(PLAN)
        lines.notice(Notice("W_X", "be aware", "a.py:1"))
        for event in (*EVENTS, StepEvent("progress", "1", "send", 0.5, bytes=5, total=9)):
            lines.step(event)
        lines.built(Image("sha256:a", "sha256:a", 67_519_077, (), (), 2.04))
    out, err = capsys.readouterr()
    name = EVENTS[0].name
    assert out == ""
    assert [json.loads(line) for line in err.splitlines()] == [
        {"type": "buildrun", "id": "abc"},
        {"type": "stage", "name": "plan", "text": "wsgi (flask), app:app, Python 3.13"},
        {"type": "notice", "code": "W_X", "message": "be aware", "where": "a.py:1"},
        {"type": "step", "status": "started", "step": 1, "name": name},
        {"type": "step", "status": "log", "step": 1, "seconds": 0.1, "line": "Resolved 8 packages"},
        {"type": "step", "status": "done", "step": 1, "name": name, "seconds": 3.14},
        {"type": "step", "status": "cached", "step": 2, "name": "The source"},
        {
            "type": "step",
            "status": "failed",
            "step": 3,
            "name": "bad \x1b]0;name",
            "seconds": 0.2,
            "line": "exit code: 1",
        },
        {"type": "step", "status": "progress", "step": 1, "name": "send", "seconds": 0.5, "bytes": 5, "total": 9},
        {"type": "stage", "name": "built", "text": "68 MB in 2.0 s"},
    ]


@pytest.mark.parametrize(
    ("mode", "output", "kind"),
    [
        ("auto", None, Progress),
        ("auto", "json", EventLines),
        ("plain", "json", Progress),
        ("auto", "yaml", Progress),
        ("json", None, EventLines),
    ],
)
def test_who_asks_for_json_gets_json_in_a_pipe(mode: str, output: str | None, kind: type[object]) -> None:
    assert type(shown(mode, output)) is kind


def console(**options: object) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=60, **options)  # type: ignore[arg-type]


def written(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


def test_a_terminal_shows_a_running_step_with_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    screen = Screen(console())
    screen.step(EVENTS[0])
    for number in range(9):
        screen.step(StepEvent("log", "1", EVENTS[0].name, 0.1, f"line {number}\t\x1b[2J{'x' * 100}"))
    shown = screen.render().plain.splitlines()
    screen.close()
    assert [line.split()[:2] for line in shown[1:]] == [["line", str(number)] for number in (5, 6, 7, 8)]
    assert shown[0].endswith("0 s  Install the dependencies")
    assert max(map(len, shown)) <= 60
    assert "\x1b" not in "".join(shown)


def test_a_terminal_keeps_a_line_of_each_finished_step() -> None:
    place = console(color_system=None)
    screen = Screen(place)
    for event in EVENTS:
        screen.step(event)
    assert screen.render().plain == ""
    screen.close()
    lines = written(place)
    assert " ✓   3.1 s  Install the dependencies\n" in lines
    assert " ↻  cached  The source\n" in lines
    assert " ✗  FAILED  bad \\x1b]0;name\n" in lines


def test_a_terminal_shows_how_far_a_step_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    place = console(color_system=None)
    screen = Screen(place)
    screen.step(StepEvent("started", "1", "pull " + "x" * 80))
    screen.step(StepEvent("progress", "1", "pull " + "x" * 80, bytes=12_300_000, total=48_000_000))
    (line,) = screen.render().plain.splitlines()
    screen.step(StepEvent("done", "1", "pull " + "x" * 80, 9.0, bytes=48_000_000))
    screen.close()
    assert (line.endswith("xxx  12 MB of 48 MB"), len(line)) == (True, 59)
    (end,) = (one for one in written(place).splitlines() if "✓" in one)
    assert (end.endswith("xx…  48 MB"), len(end.removeprefix("\r").removeprefix("\x1b[2K"))) == (True, 59)


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    place = console()
    screen = Screen(place)
    screen.step(EVENTS[2])
    screen.close()
    assert "\x1b[32m" not in written(place)
