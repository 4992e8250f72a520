from __future__ import annotations

from collections.abc import Callable

import pytest

from s2i.engines.engine import Line, Owner, Workload
from s2i.errors import E_DISK, S2IError
from s2i.resources.app import Config
from tests.engines.contract import APP, EngineContract, Subject
from tests.engines.fake import FakeEngine


class _Talkative(FakeEngine):
    """Prints "hello" when something starts, as the contract's containers do."""

    def start_task(self, work: Workload) -> None:
        super().start_task(work)
        self._hello("task")

    def start_instance(self, work: Workload) -> str:
        address = super().start_instance(work)
        self._hello("instance")
        return address

    def _hello(self, role: str) -> None:
        for one in self.observe():
            if one.role == role and not self.output[one.id]:
                self.tell(one.id, b"hello")


class _FakeSubject:
    command = ("serve",)

    def __init__(self) -> None:
        self.kept: list[tuple[Owner, str, list[Line]]] = []
        self.engine = _Talkative(keep=lambda owner, container, lines: self.kept.append((owner, container, [*lines])))
        self.image = "sha256:app"
        self.engine.answer = self._ran

    def _ran(self, script: str) -> tuple[int, bytes, str]:
        """Return what the contract's two small scripts do."""
        file = script.removeprefix("cat ")
        return (0, self.engine.files[file], "") if file in self.engine.files else (4, b"", "no\n")

    def finish(self, owner: Owner) -> None:
        self.engine.exit(owner, 3)

    def lose_sandbox(self, owner: Owner) -> None:
        self.engine.lose_sandbox(owner)

    def eventually(self, condition: Callable[[], bool]) -> None:
        assert condition()


class TestFakeEngine(EngineContract):
    @pytest.fixture
    def subject(self) -> Subject:
        return _FakeSubject()


def test_a_fault_is_raised_once() -> None:
    engine = FakeEngine()
    work = Workload(APP, "sha256:app", Config())
    engine.fail_next("start_instance", E_DISK(why="test"))
    with pytest.raises(S2IError, match="the disk is full"):
        engine.start_instance(work)
    assert engine.answers(engine.start_instance(work))


def test_a_mute_address_does_not_answer() -> None:
    engine = FakeEngine()
    address = engine.start_instance(Workload(APP, "sha256:app", Config()))
    engine.mute.add(address)
    assert not engine.answers(address)
