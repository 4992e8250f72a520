"""What a person sees of a build."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from s2i.cli.progress import Progress, Screen
from s2i.images.events import Image, StepEvent
from s2i.sources import Notice

EVENTS = (
    StepEvent("started", "1", "Install the dependencies"),
    StepEvent("log", "1", "Install the dependencies", 0.1, "Resolved 8 packages"),
    StepEvent("done", "1", "Install the dependencies", 3.14),
    StepEvent("cached", "2", "The source"),
    StepEvent("failed", "3", "bad \x1b]0;name", 0.2, "exit code: 1"),
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


def test_a_notice_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().notice(Notice("W_X", "a\x1b[2Jb\u202e", ""))
    assert capsys.readouterr().err == "note   a\\x1b[2Jb\\u202e (W_X)\n"


def test_the_result_is_said_with_size_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().built(Image("sha256:a", "sha256:a", 67_519_077, ("s2i/shop:latest",), (), 2.04))
    assert capsys.readouterr().err == "built  68 MB in 2.0 s as s2i/shop:latest\n"


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


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    place = console()
    screen = Screen(place)
    screen.step(EVENTS[2])
    screen.close()
    assert "\x1b[32m" not in written(place)
