"""How many builds run at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from s2i import dirs
from s2i.errors import S2IError
from s2i.images.events import StepEvent
from s2i.images.runs import turn

WAITS = "wait: 2 builds run, no more may at a time (S2I_BUILDS)"


@pytest.mark.parametrize("given", ["0", "-1", "257", "two", "", "1.5", "9" * 30, "٣"])
def test_a_bad_setting_is_said_and_an_empty_one_is_none(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BUILDS", given)
    if not given:
        assert turn.turns() >= 1
        return
    with pytest.raises(S2IError) as caught, turn.taken(lambda event: None, threading.Event()):
        pass
    assert (caught.value.code, caught.value.exit) == ("E_VALUE", 2)


def test_a_third_build_waits_visibly_until_one_of_two_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BUILDS", "2")
    told: list[StepEvent] = []
    free, began = threading.Event(), threading.Event()

    def third() -> None:
        with turn.taken(told.append, threading.Event()):
            free.wait(10)

    with turn.taken(told.append, threading.Event()):
        with turn.taken(told.append, threading.Event()):
            assert told == []
            thread = threading.Thread(target=third)
            thread.start()
            while not told:
                began.wait(0.01)
            assert [(event.status, event.name) for event in told] == [("started", WAITS)]
        while len(told) < 2:
            began.wait(0.01)
        assert [(event.status, event.name) for event in told] == [("started", WAITS), ("done", WAITS)]
        free.set()
        thread.join()


def test_a_build_that_waits_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BUILDS", "1")
    cancelled = threading.Event()
    with (
        turn.taken(lambda event: None, cancelled),
        pytest.raises(S2IError) as caught,
        turn.taken(lambda event: cancelled.set(), cancelled),
    ):
        pass
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_CANCELLED", 130)


def test_a_turn_ends_with_its_build_however_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BUILDS", "1")
    told: list[StepEvent] = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turn.taken(told.append, threading.Event()):
            raise ZeroDivisionError
    assert told == []


def test_a_place_that_cannot_be_written_stops_no_build() -> None:
    dirs.runtime().parent.mkdir(parents=True)
    dirs.runtime().write_text("in the way")
    with turn.taken(lambda event: None, threading.Event()):
        pass


@pytest.mark.world
def test_a_build_that_was_killed_leaves_its_turn_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BUILDS", "1")
    code = (
        "import threading, time\n"
        "from s2i.images.runs import turn\n"
        "with turn.taken(print, threading.Event()):\n"
        "    print('mine', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    told: list[StepEvent] = []
    threading.Timer(0.3, process.kill).start()
    began = time.monotonic()
    with turn.taken(told.append, threading.Event()):
        assert [event.status for event in told] == ["started", "done"]
    assert time.monotonic() - began < 30
    process.wait()
