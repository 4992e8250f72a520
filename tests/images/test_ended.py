"""A build that no step failed in: who ended it. The lines are what clients print when an engine is killed."""

from __future__ import annotations

import pytest

from s2i.engines.docker import connection
from s2i.errors import E_DOCKER, S2IError
from s2i.images import ended
from s2i.images.events import StepEvent

BROKEN = (
    "ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
    "unexpected EOF",
    "urllib3.exceptions.ProtocolError: ('Connection broken: IncompleteRead(0 bytes read)', IncompleteRead(0 bytes read))",
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
)


FAILED = StepEvent("failed", "1", "RUN x", line="exit code: 1")


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "wire", lambda timeout: None)


def test_an_engine_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(timeout: float) -> None:
        raise E_DOCKER(socket="unix:///d.sock", why="connection refused")

    monkeypatch.setattr(connection, "wire", gone)
    with pytest.raises(S2IError) as caught:
        ended.judge(1, "RUN true", ("whatever",), failed=FAILED)
    assert (caught.value.code, caught.value.exit) == ("E_DOCKER", 6)


@pytest.mark.parametrize("line", BROKEN)
def test_an_engine_that_stopped_and_came_back_is_worth_another_try(line: str) -> None:
    with pytest.raises(S2IError) as caught:
        ended.judge(1, "the build", ("Collecting flask", line), failed=None)
    assert (caught.value.exit, caught.value.message) == (
        75,
        'the Docker Engine stopped in the middle of "the build", and answers again',
    )


def test_a_client_that_was_killed_is_worth_another_try() -> None:
    with pytest.raises(S2IError) as caught:
        ended.judge(-9, "the build", (), failed=None)
    assert (caught.value.exit, caught.value.message) == (
        75,
        'the program that builds was ended by SIGKILL in "the build"',
    )


def test_a_step_that_failed_is_the_cause_whatever_it_printed() -> None:
    assert ended.judge(1, "RUN x", BROKEN, failed=FAILED) is None  # type: ignore[func-returns-value]
    assert ended.judge(1, "RUN x", ("pip: no such package",), failed=None) is None  # type: ignore[func-returns-value]
