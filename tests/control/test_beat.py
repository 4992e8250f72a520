from __future__ import annotations

import threading

import pytest

from s2i.control.beat import Beat
from s2i.errors import E_DOCKER


def test_whatever_becomes_of_a_step_the_next_one_follows(caplog: pytest.LogCaptureFixture) -> None:
    done, ended = list[int](), threading.Event()
    faults: list[Exception | None] = [E_DOCKER(socket="s", why="no engine"), ValueError("odd"), None]

    def step() -> float:
        done.append(len(done))
        if fault := faults[len(done) - 1]:
            raise fault
        ended.set()
        return 60.0

    beat = Beat("pulse", step, 0.01)
    beat.start()
    assert ended.wait(10)
    assert beat.stop()
    assert done == [0, 1, 2]
    assert [one.levelname for one in caplog.records] == ["WARNING", "ERROR"]
    assert caplog.records[1].message == "the pulse stumbled"


def test_one_that_is_kicked_does_not_wait_and_one_that_never_began_has_nothing_to_end() -> None:
    done, twice = list[int](), threading.Event()

    def step() -> float:
        done.append(1)
        if len(done) > 1:
            twice.set()
        return 60.0

    assert not Beat("never", step, 1.0).stop()
    beat = Beat("pulse", step, 1.0)
    beat.start()
    while not twice.wait(0.01):
        beat.kick()
    assert beat.stop()
