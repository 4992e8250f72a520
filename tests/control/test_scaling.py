"""The autoscaler and the waker at work on a world in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i.control import scaling
from s2i.control.autoscale import Decision, Scaler, decide
from s2i.control.fleet import instance_of
from s2i.control.loop import Loop
from s2i.control.scaling import BUSY_SECONDS, IDLE_SECONDS, Autoscaler
from s2i.control.waker import QUEUE_LIMIT, Waker
from s2i.engines.engine import Workload
from s2i.resources.change import Change
from tests.control.simulation import Simulation, woken

SHOP = ("default", "shop")


class Server(Simulation):
    """The loop, the waker and the autoscaler of one server, each turned by the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.loop = Loop(
            self.world,
            clock=lambda: self.now,
            spawn=_now,
            probe=self.engine.answers,
            counts=lambda: self.scaler.counts(),
            awake=lambda: self.waker.awake(),
        )
        self.waker = Waker(
            lambda: self.loop.targets, self.look, self.loop.start_now, is_ending=self.loop.is_ending,
            listens=self.engine.answers, clock=self.passing,
        )  # fmt: skip
        self.scaler = Autoscaler(
            self.world, lambda: self.loop.targets, self.waker, lambda: None, clock=lambda: self.now
        )

    def passing(self) -> float:
        """Time passes while somebody waits."""
        self.now += 0.005
        return self.now

    def look(self) -> None:
        self.loop.step()
        self.now += 0.01

    def run(self, seconds: float) -> None:
        """Let time pass: readings as often as they are due, looks as well."""
        until = self.now + seconds
        while self.now < until:
            pause = self.scaler.step()
            self.loop.step()
            for thread in threading.enumerate():
                if thread.name.startswith("probe"):
                    thread.join(5)
            self.now += pause


def _now(work: Callable[[], None]) -> None:
    work()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    made.deploy()
    made.run(3)
    return made


def test_it_sleeps_after_a_minute_without_requests_and_says_why(server: Server) -> None:
    server.run(50)
    assert len(server.addresses()) == 1
    server.run(20)
    assert server.addresses() == set()
    (logged,) = server.scaler.log(*SHOP)
    assert (logged.revision, logged.decision.ready, logged.decision.wanted, logged.decision.raw) == (1, 1, 0, 0)


def test_requests_that_are_over_before_anybody_looks_keep_it_awake(server: Server) -> None:
    owner = instance_of(server.store.revision(*SHOP, 1)).owner
    for _ in range(6):
        server.run(20)
        server.engine.connections[owner] = server.engine.connections.get(owner, 0) + 1
    assert len(server.addresses()) == 1
    server.run(130)
    assert server.addresses() == set()


def test_what_is_under_way_brings_instances_and_its_end_takes_them(server: Server) -> None:
    server.store.change_settings(*SHOP, Change(scale={"target": 10, "max": 8}))
    (address,) = server.addresses()
    server.router.busy[address] = 56
    server.run(3)
    assert len(server.addresses()) == 8
    server.router.busy.clear()
    server.run(150)
    assert server.addresses() == set()


def test_it_reads_more_often_while_requests_are_under_way(server: Server) -> None:
    assert server.scaler.step() == IDLE_SECONDS
    (address,) = server.addresses()
    server.router.busy[address] = 1
    assert server.scaler.step() == BUSY_SECONDS


def test_what_sleeps_is_not_decided_about_again_and_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.run(70)
    assert server.addresses() == set()
    asked: list[float] = []

    def decided(*given: object) -> tuple[Scaler, Decision]:
        asked.append(server.now)
        return decide(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(scaling, "decide", decided)
    server.run(70)
    assert asked == []
    assert woken(server.waker, *SHOP) is not None
    server.run(5)
    assert asked
    assert len(server.addresses()) == 1
    server.run(70)
    assert server.addresses() == set()


def test_a_request_at_an_app_that_sleeps_starts_the_one_that_waits(server: Server) -> None:
    (address,) = server.addresses()
    server.run(70)
    server.engine.calls.clear()
    assert woken(server.waker, *SHOP) == address
    assert [verb for verb, _ in server.engine.calls] == ["start_instance"]
    server.run(5)
    assert set(server.router.pointed(*SHOP)) == {address}


def test_what_is_ended_to_sleep_has_not_crashed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    park = server.engine.park

    def slowly(work: Workload, grace: float) -> None:
        """Look in the middle of it: the process has ended, its container is there still."""
        server.engine.exit(work.owner, 0)
        server.loop.step()
        park(work, grace)

    monkeypatch.setattr(server.engine, "park", slowly)
    for _ in range(4):
        server.run(70)
        assert server.addresses() == set()
        began = server.now
        assert woken(server.waker, *SHOP) is not None
        assert server.now - began < 1
        server.run(3)


def test_a_request_is_not_sent_to_what_is_being_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    park, during = server.engine.park, list[str | None]()

    def slowly(work: Workload, grace: float) -> None:
        during.append(woken(server.waker, *SHOP, limit=0.5))
        park(work, grace)

    monkeypatch.setattr(server.engine, "park", slowly)
    server.run(70)
    assert during == [None]
    assert woken(server.waker, *SHOP) in server.addresses()


def test_what_somebody_waits_for_is_not_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request comes in the very look that finds the instance quiet, after it was asked who waits."""
    (address,) = server.addresses()
    server.run(55)
    in_flight, heard = server.router.in_flight, list[str | None]()

    def asked() -> dict[str, int]:
        note = server.loop._notes.get((*SHOP, "r1-0"))
        if note is not None and note.quiet == 1 and not heard:
            heard.append(woken(server.waker, *SHOP))
        return in_flight()

    monkeypatch.setattr(server.router, "in_flight", asked)
    server.engine.calls.clear()
    server.run(10)
    assert heard == [address]
    assert "park" not in [verb for verb, _ in server.engine.calls]
    assert server.addresses() == {address}


def test_a_hundred_requests_at_once_start_one(server: Server) -> None:
    server.run(70)
    server.engine.calls.clear()
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(woken(server.waker, *SHOP))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 100
    assert set(found) == server.addresses()
    assert [verb for verb, _ in server.engine.calls].count("start_instance") == 1
    server.scaler.step()
    server.scaler.step()
    assert server.waker.awake() == frozenset()


def test_an_app_that_crashes_again_and_again_is_not_waited_for(server: Server) -> None:
    owner = instance_of(server.store.revision(*SHOP, 1)).owner
    for _ in range(8):
        server.run(1)
        if server.addresses():
            server.engine.exit(owner, 1)
    began = time.monotonic()
    assert woken(server.waker, *SHOP, limit=2.0) is None
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("name", ["nobody", "shop"])
def test_what_does_not_exist_or_is_stopped_is_not_woken(server: Server, name: str) -> None:
    server.store.set_stopped(*SHOP, stopped=True)
    server.run(5)
    assert woken(server.waker, "default", name) is None
    assert server.addresses() == set()


def test_too_many_that_wait_are_told_at_once(server: Server) -> None:
    server.run(70)
    server.look = lambda: time.sleep(0.001)  # type: ignore[method-assign]  # nothing starts
    server.waker = Waker(lambda: server.loop.targets, server.look, lambda work: None, listens=lambda at: False)
    told: list[str | None] = []
    over = [server.waker.ask(*SHOP, "", told.append) for _ in range(QUEUE_LIMIT + 1)]
    assert told == [None]
    assert server.waker.take() == {SHOP: QUEUE_LIMIT}
    for end in over:
        end()
    assert server.waker.take() == {SHOP: 1}, "all are gone: one that woke it is left"
    assert server.waker.take() == {}


def test_clients_that_are_gone_start_no_more_than_one_instance(server: Server) -> None:
    (address,) = server.addresses()
    server.run(70)
    server.engine.mute.add(address)  # it takes its time to start
    told: list[str | None] = []
    for end in [server.waker.ask(*SHOP, "", told.append) for _ in range(300)]:
        end()
    server.scaler.step()
    assert server.scaler.counts() == {(*SHOP, 1): 1}
    assert told == []
    server.engine.mute.clear()


def test_five_hundred_that_wait_for_one_app_are_seen_to_by_one_thread(server: Server) -> None:
    waker = Waker(lambda: server.loop.targets, lambda: None, lambda work: None, listens=lambda at: False)
    before = threading.active_count()
    over = [waker.ask(*SHOP, "", lambda found: None) for _ in range(500)]
    assert threading.active_count() == before + 1
    for end in over:
        end()
    until = time.monotonic() + 10
    while threading.active_count() > before:
        assert time.monotonic() < until, "it sees to nobody"
        time.sleep(0.005)


def test_what_is_deleted_is_forgotten(server: Server) -> None:
    server.run(70)
    assert server.scaler.log(*SHOP)
    server.store.delete_app(*SHOP)
    server.run(5)
    assert (server.scaler.log(*SHOP), server.scaler.counts()) == ((), {})
