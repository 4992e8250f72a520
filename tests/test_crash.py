"""Where a deployment can be cut short for a test."""

from __future__ import annotations

import os
import signal

import pytest

from s2i import crash


def test_a_point_ends_the_process_and_no_other_point_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    monkeypatch.setenv(crash.VARIABLE, "after-accept")
    with crash.around("accept"):
        assert told == []
    assert told == [(os.getpid(), signal.SIGKILL)]
    with crash.around("admit"), pytest.raises(ValueError, match="boom"), crash.around("accept"):
        raise ValueError("boom")
    assert len(told) == 1


def test_nobody_who_has_not_asked_for_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(crash.VARIABLE, raising=False)
    with crash.around("accept"):
        pass
    assert crash.points(("a",)) == ("before-a", "after-a")
