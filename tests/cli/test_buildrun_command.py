"""`s2i buildrun`: what a person and a program see of build runs."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

import pytest
from click.testing import CliRunner, Result

from s2i.cli.buildrun import buildrun
from s2i.errors import E_BUILD, E_BUILD_CANCELLED, S2IError
from s2i.images.events import Image, StepEvent
from s2i.images.request import BuildRequest
from s2i.images.runs import reading, shelf
from s2i.images.runs.record import recorded
from s2i.planning.plan import BuildPlan
from s2i.sources.tree import Origin

PLAN = BuildPlan(buildpack="x", kind="job", framework="x", manager="x", python="3.13", entry="x", start=("x",))
IMAGE = Image("sha256:" + "a" * 64, "", 67_519_077, ("shop:1",), (), 1.0)
NAME = "Install the dependencies"
EVENTS = (
    StepEvent("started", "sha256:1", NAME),
    StepEvent("log", "sha256:1", NAME, 0.5, "Resolved\x1b]0;owned\x07 8 packages"),
    StepEvent("done", "sha256:1", NAME, 2.5, bytes=1_234_567),
)


def run(*words: str) -> Result:
    return CliRunner().invoke(buildrun, words)


def built(ident: str, project: str = "", error: S2IError | None = None) -> None:
    wanted = BuildRequest(title="shop", run=ident, project=project, tags=("shop:1",))
    with (
        contextlib.suppress(S2IError),
        recorded(PLAN, Origin("folder", "/srv/shop"), wanted, lambda e: None, lambda n: None, None) as one,
    ):
        for event in EVENTS:
            one.event(event)
        if error:
            raise error
        one.made(IMAGE)


def test_nothing_is_said_to_be_nothing() -> None:
    assert (run("list").output, run("list", "-o", "json").output) == ("no build runs\n", "[]\n")
    assert isinstance(run("get").exception, S2IError)


def test_the_list_tells_what_came_out() -> None:
    built("abc")
    built("bad", "team", E_BUILD(step=NAME, why="there is no package called x", log=("line",)))
    rows = [line.split() for line in run("list").output.splitlines()]
    assert [row[0] for row in rows] == ["ID", "bad", "abc"]
    assert (rows[2][1:3], rows[2][-3:]) == (["shop", "done"], ["68", "MB", "shop:1"])
    assert 'E_BUILD: the build failed at "Install the dependencies": there is no' in run("list").output
    found = json.loads(run("list", "--project", "team", "-o", "json").output)
    assert [one["id"] for one in found] == ["bad"]


def test_the_step_that_failed_is_among_the_steps() -> None:
    wanted = BuildRequest(title="shop", run="bad", tags=())
    with (
        contextlib.suppress(S2IError),
        recorded(PLAN, Origin("folder", "/srv/shop"), wanted, lambda e: None, lambda n: None, None) as one,
    ):
        one.event(StepEvent("failed", "sha256:1", NAME, 2.5, "exit code: 1"))
        raise E_BUILD(step=NAME, why="w", log=())
    assert run("get").output.splitlines()[-1].split() == ["FAILED", "2.5", "-", *NAME.split()]
    (step,) = json.loads(run("get", "-o", "json").output)["steps"]
    assert (step["name"], step["failed"]) == (NAME, True)


def test_one_run_is_shown_with_its_steps() -> None:
    built("abc")
    shown = run("get").output
    assert "source    /srv/shop\nstatus    done\n" in shown
    assert shown.splitlines()[-1].split() == ["ran", "2.5", "1.2", "MB", *NAME.split()]
    data = json.loads(run("get", "a", "-o", "json").output)
    assert (data["id"], data["steps"][0]["bytes"], data["error"]) == ("abc", 1_234_567, None)


def test_a_failed_run_is_shown_with_its_error() -> None:
    built("bad", error=E_BUILD(step=NAME, why="it went wrong", log=("the last line",)))
    assert f'error     the build failed at "{NAME}": it went wrong\n            the last line' in run("get").output


def test_the_log_cannot_steer_a_terminal() -> None:
    built("abc")
    assert run("logs", "abc").output.splitlines() == [
        f"[1] {NAME}",
        "[1] | Resolved\\x1b]0;owned\\x07 8 packages",
        "[1] done in 2.5 s",
    ]


@pytest.mark.parametrize(("tail", "count"), [("0", 0), ("1", 1), ("2", 2), ("99", 3)])
def test_the_end_of_a_log_is_enough(tail: str, count: int) -> None:
    built("abc")
    whole = run("logs").output.splitlines()
    assert run("logs", "--tail", tail).output.splitlines() == whole[3 - count :]
    assert run("logs", "--tail", tail, "-f").output.splitlines() == whole[3 - count :]


def test_events_are_there_for_machines() -> None:
    built("abc")
    events: list[Any] = [json.loads(line) for line in run("logs", "-o", "json").output.splitlines()]
    assert [(event["status"], event["step"]) for event in events] == [("started", 1), ("log", 1), ("done", 1)]


def test_a_damaged_line_is_passed_over() -> None:
    built("abc")
    with (shelf.place() / "abc" / shelf.EVENTS).open("ab") as file:
        file.write(b'{"type": "step", "sta\n[1, 2]\n')
    assert len(run("logs").output.splitlines()) == 3


def test_a_run_that_goes_on_is_followed_and_cancelled() -> None:
    begun = threading.Event()

    def work() -> None:
        wanted = BuildRequest(title="shop", run="abc")
        with (
            contextlib.suppress(S2IError),
            recorded(PLAN, Origin("folder", "/srv/shop"), wanted, lambda e: None, lambda n: None, None) as one,
        ):
            one.event(EVENTS[0])
            begun.set()
            if one.cancelled.wait(20):
                one.event(EVENTS[2])
                raise E_BUILD_CANCELLED()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    followed: list[dict[str, Any]] = []
    follower = threading.Thread(target=lambda: followed.extend(reading.events("abc", follow=True)))
    follower.start()
    assert run("cancel", "abc").output == "abc cancelled\n"
    thread.join()
    follower.join()
    assert [event.get("status", event["type"]) for event in followed] == ["started", "done", "error"]


def test_what_has_ended_is_not_cancelled() -> None:
    built("abc")
    assert run("cancel", "abc").output == "the build run abc has ended already: done\n"
    assert not (shelf.place() / "abc" / shelf.CANCEL).exists()
