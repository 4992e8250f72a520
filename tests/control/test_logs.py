"""The log of an app: all instances in the order of time, followed over those that come, kept when they go."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from s2i.control import follow, kept
from s2i.control.logs import Wish, log_of
from s2i.control.position import Position
from s2i.control.subject import Subject
from s2i.engines.engine import Line, Owner
from tests.control.simulation import Simulation


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    made.deploy()
    made.settle()
    return made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLD", "LOOK", "RETRY", "REST"):
        monkeypatch.setattr(follow, name, 0.02)


def owner(instance: str) -> Owner:
    return Owner("default", "app", "shop", int(instance[1 : instance.index("-")]), instance=instance)


def said(world: Simulation, **wish: Any) -> list[tuple[str, str]]:
    return list(_lines(log(world, **wish)))


def log(world: Simulation, exists: Callable[[], bool] = lambda: True, **wish: Any) -> Generator[bytes, None, None]:
    return log_of(world.engine, Subject("default", "shop", "instance"), Wish(**wish), exists)


def _lines(pieces: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    for piece in pieces:
        for line in piece.splitlines():
            if "line" in (one := json.loads(line)):
                yield one["instance"], one["line"]


def scale(world: Simulation, count: int) -> None:
    world.counts["default", "shop", 1] = count
    world.settle()


def test_lines_of_all_instances_are_in_the_order_of_time(world: Simulation) -> None:
    scale(world, 3)
    for number in range(9):
        world.engine.say(owner(f"r1-{number % 3}"), b"%d" % number)
    assert said(world) == [(f"r1-{number % 3}", str(number)) for number in range(9)]
    assert said(world, tail=2) == [("r1-1", "7"), ("r1-2", "8")]
    assert said(world, tail=0) == []
    assert said(world, instance="r1-1") == [("r1-1", "1"), ("r1-1", "4"), ("r1-1", "7")]


def test_the_head_names_the_instances_that_run_and_those_that_ended(world: Simulation) -> None:
    scale(world, 2)
    world.engine.say(owner("r1-1"), b"bye")
    scale(world, 1)
    assert json.loads(next(log(world))) == {"instances": ["r1-0"], "ended": ["r1-1"]}
    assert json.loads(next(log(world, previous=True))) == {"instances": ["r1-1"], "ended": []}


def test_what_ended_is_read_with_the_last_one_last(world: Simulation) -> None:
    for number in range(3):
        world.engine.say(owner("r1-0"), b"try %d\x1b[2J\xff" % number)
        world.engine.say(owner("r1-0"), b"")
        world.engine.exit(owner("r1-0"), 1)
        world.settle()
    found = said(world, previous=True)
    assert found == [("r1-0", text) for number in range(3) for text in (f"try {number}\x1b[2J\ufffd", "")]
    assert said(world, previous=True, tail=3) == found[-3:]
    assert said(world, previous=True, instance="r1-7") == []
    assert said(world) == []


@pytest.mark.parametrize("end", ["stop", "sleep", "update", "delete"])
def test_an_instance_that_ends_leaves_its_log_and_a_deleted_app_leaves_none(world: Simulation, end: str) -> None:
    world.engine.say(owner("r1-0"), b"bye")
    match end:
        case "stop":
            world.store.set_stopped("default", "shop", stopped=True)
        case "sleep":
            world.counts["default", "shop", 1] = 0
        case "update":
            world.deploy()
        case _:
            world.store.delete_app("default", "shop")
    world.settle()
    files = [one.path.read_bytes().partition(b" ")[2] for one in kept.of_app("default", "shop").every()]
    assert files == ([] if end == "delete" else [b"bye\n"])


class Following:
    """Reads a followed log in a thread of its own."""

    def __init__(self, world: Simulation, **wish: Any) -> None:
        self.lines: list[tuple[str, str]] = []
        self.there = True
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(log(world, lambda: self.there, follow=True, **wish),))
        self._thread.start()
        assert self._begun.wait(5)

    def until(self, expected: list[tuple[str, str]]) -> None:
        until = time.monotonic() + 5
        while len(self.lines) < len(expected) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)  # what is told twice comes after
        assert self.lines == expected

    def end(self) -> None:
        self.there = False
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _run(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            if not piece:
                self._begun.set()  # nothing is left of what was there
            self.lines += _lines(iter((piece,)))


@contextlib.contextmanager
def following(world: Simulation, **wish: Any) -> Iterator[Following]:
    made = Following(world, **wish)
    try:
        yield made
    finally:
        made.end()


def test_a_followed_log_goes_on_over_scaling_roll_outs_and_restarts(world: Simulation) -> None:
    world.engine.say(owner("r1-0"), b"before")
    with following(world) as found:
        world.engine.say(owner("r1-0"), b"running")
        expected = [("r1-0", "before"), ("r1-0", "running")]
        found.until(expected)
        scale(world, 2)
        world.engine.say(owner("r1-1"), b"scaled")
        found.until([*expected, ("r1-1", "scaled")])
        world.engine.say(owner("r1-0"), b"crash")
        world.engine.exit(owner("r1-0"), 1)
        world.settle()
        world.engine.say(owner("r1-0"), b"again")
        expected += [("r1-1", "scaled"), ("r1-0", "crash"), ("r1-0", "again")]
        found.until(expected)
        world.deploy()
        world.settle()
        world.engine.say(owner("r2-0"), b"new")
        found.until([*expected, ("r2-0", "new")])


def test_what_came_and_went_between_two_looks_is_told(world: Simulation) -> None:
    with following(world) as found:
        kept.keep(owner("r1-5"), "abcdefabcdef" + "0" * 52, [Line("2026-11-26T04:49:04.000000000Z", b"short")])
        found.until([("r1-5", "short")])


def test_a_followed_tail_begins_where_it_ends(world: Simulation) -> None:
    for number in range(5):
        world.engine.say(owner("r1-0"), b"%d" % number)
    for tail in (0, 2):
        with following(world, tail=tail) as found:
            world.engine.say(owner("r1-0"), b"next")
            found.until([("r1-0", line) for line in [*"01234", "next"][5 - tail :]] if tail else [("r1-0", "next")])
        world.engine.output[next(iter(world.engine.output))].pop()


def test_a_log_that_breaks_off_is_taken_up_where_it_was(world: Simulation) -> None:
    with following(world) as found:
        world.engine.say(owner("r1-0"), b"one")
        found.until([("r1-0", "one")])
        world.engine.break_logs()
        world.engine.say(owner("r1-0"), b"two")
        found.until([("r1-0", "one"), ("r1-0", "two")])


def test_nobody_reads_on_when_the_caller_has_gone(world: Simulation) -> None:
    pieces = log(world, follow=True)
    while next(pieces):
        pass
    assert "log" in {thread.name for thread in threading.enumerate()}
    pieces.close()
    until = time.monotonic() + 5
    while "log" in {thread.name for thread in threading.enumerate()} and time.monotonic() < until:
        time.sleep(0.01)
    assert "log" not in {thread.name for thread in threading.enumerate()}


def test_several_lines_of_one_time_are_told_once_each() -> None:
    at, later = "2026-11-26T04:49:04.000000001Z", "2026-11-26T04:49:04.000000002Z"
    every = [Line(at, b"a"), Line(at, b"a"), Line(at, b"b"), Line(later, b"c")]
    for cut in range(len(every) + 1):
        position = Position()
        assert list(position.passing(every[:cut])) == every[:cut]
        assert list(position.beyond(every)) == every[cut:]
        assert list(position.beyond(every)) == []


def test_a_crash_loop_fills_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "APP_LIMIT", 4000)
    monkeypatch.setattr(kept, "ONE_LIMIT", 3000)
    at = "2026-11-26T04:49:04.000000001Z"
    for number in range(150):
        lines = (Line(at, b"%03d" % number) for _ in range(number % 200))
        kept.keep(owner("r1-0"), f"{number:012x}" + "0" * 52, lines)
    left = kept.of_app("default", "shop").every()
    assert sum(one.path.stat().st_size for one in left) <= 4000
    assert next(line.text for line in kept.read(left[-1])) == b"149"
    for number in range(300):
        kept.keep(owner("r1-0"), f"{number:012x}" + "1" * 52, [Line(at, b"x")])
    assert len(kept.of_app("default", "shop").every()) <= kept.APP_FILES
    assert {path.suffix for path in left[-1].path.parent.iterdir()} == {".log"}


def test_what_is_kept_twice_is_there_once(world: Simulation) -> None:
    lines = [Line("2026-11-26T04:49:04.000000001Z", b"x")]
    kept.keep(owner("r1-0"), "a" * 64, lines)
    kept.keep(owner("r1-0"), "a" * 64, lines)
    assert said(world, previous=True) == [("r1-0", "x")]


def test_a_log_that_cannot_be_kept_holds_up_nothing(world: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "_write", full)
    world.engine.say(owner("r1-0"), b"bye")
    world.store.set_stopped("default", "shop", stopped=True)
    world.settle()
    assert world.engine.observe() == ()
