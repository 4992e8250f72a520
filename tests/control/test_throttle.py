"""Which request goes where, and when, for apps with a limit."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2i.control.loop import Loop
from s2i.control.throttle import LOST_SECONDS, QUEUE_EACH, Throttle, choose, still_strange
from s2i.control.waker import WAIT_SECONDS, Target, Waker
from s2i.resources.app import App, Scale
from s2i.resources.change import Change
from s2i.router.router import Route
from tests.control.simulation import Simulation
from tests.router.fake import FakeRouter

SHOP = ("default", "shop")
A, B = "10.0.0.1:80", "10.0.0.2:80"


@pytest.mark.parametrize(
    ("busy", "limit", "at", "chosen"),
    [
        ({}, 1, 0.0, A),
        ({}, 1, 0.89, A),
        ({}, 1, 0.9, B),
        ({A: 1}, 1, 0.0, B),
        ({A: 1, B: 1}, 1, 0.0, None),
        ({A: 1, B: 1}, 2, 0.95, B),
        ({A: 7}, 5, 0.5, B),
    ],
)
def test_an_address_with_room_is_chosen_by_its_share(
    busy: dict[str, int], limit: int, at: float, chosen: str | None
) -> None:
    assert choose({A: 18, B: 2}, busy, limit, at) == chosen


def test_without_addresses_there_is_none() -> None:
    assert choose({}, {}, 5, 0.5) is None


@pytest.mark.parametrize(
    ("strange", "counted", "settled", "left"),
    [(0, 9, 0, 0), (3, 3, 0, 3), (3, 2, 0, 2), (3, 5, 0, 3), (3, 5, 4, 1), (3, 5, 5, 0), (1, 0, 2, 0)],
)
def test_requests_that_no_lease_knows_of_only_become_fewer(strange: int, counted: int, settled: int, left: int) -> None:
    assert still_strange(strange, counted, settled) == left


class _Server(Simulation):
    """One app that serves, its throttle, and what that answered. The proxy counts what is leased, as it does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.loop = Loop(
            self.world, clock=lambda: self.now, spawn=lambda work: work(), probe=self.engine.answers,
            awake=lambda: self.waker.awake(),
        )  # fmt: skip
        self.waker = Waker(
            lambda: self.loop.targets, self.look, self.loop.start_now,
            listens=self.engine.answers, clock=self.passing, spawn=lambda work: work(),
        )  # fmt: skip
        self.throttle = Throttle(
            self.router, lambda: self.loop.targets, self.waker,
            spawn=lambda work: work(), clock=lambda: self.now, pick=lambda: 0.0,
        )  # fmt: skip
        self.given: dict[int, str | None] = {}
        self.ends: dict[int, Callable[[], None]] = {}

    def passing(self) -> float:
        self.now += 0.005
        return self.now

    def look(self) -> None:
        for _ in range(4):
            self.loop.step()
            for thread in threading.enumerate():
                while thread.name.startswith("probe") and not thread.ident:  # one that has only begun
                    time.sleep(0.001)
                if thread.name.startswith("probe"):
                    thread.join(5)
            self.now += 0.05

    def limit(self, concurrency: int, instances: int = 1) -> list[str]:
        self.store.change_settings(
            *SHOP, Change(scale={"min": instances, "max": instances, "concurrency": concurrency})
        )
        self.look()
        return sorted(self.router.pointed(*SHOP))

    def ask(self, number: int, lost: str = "") -> None:
        self.ends[number] = self.throttle.ask(*SHOP, lost, lambda address: self.given.update({number: address}))

    def tick(self, seconds: float = 0.005) -> None:
        self.now += seconds
        self.throttle.tick()


@pytest.fixture
def server(tmp_path: Path) -> _Server:
    made = _Server(tmp_path)
    made.deploy()
    made.look()
    return made


def test_who_comes_first_is_first_and_the_others_wait_for_room(server: _Server) -> None:
    (address,) = server.limit(2)
    for number in range(5):
        server.ask(number)
    server.tick()
    assert server.given == {0: address, 1: address}
    assert server.waker.take() == {SHOP: 5}
    server.ends[1]()
    assert server.given == {0: address, 1: address, 2: address}
    server.ends[3]()  # its client has gone
    server.ends[0]()
    assert list(server.given) == [0, 1, 2, 4]
    for number in (2, 4, 4):
        server.ends[number]()
    server.tick()
    assert server.waker.take() == {SHOP: 2}
    assert server.waker.take() == {}


def test_a_request_that_finds_room_at_once_waits_for_nobody(server: _Server) -> None:
    server.limit(2)
    server.ask(0)
    server.tick()
    server.waker.take()
    server.waker.take()
    server.ask(1)
    assert server.given[1] is not None
    assert server.waker.take() == {}


def test_a_queue_that_is_full_is_said_at_once(server: _Server) -> None:
    (address,) = server.limit(1)
    server.ask(0)
    server.tick()
    for number in range(1, QUEUE_EACH + 2):
        server.ask(number)
    assert server.given == {0: address, QUEUE_EACH + 1: None}
    server.ends[QUEUE_EACH + 1]()
    server.ends[0]()
    assert server.given[1] == address


def test_who_waits_too_long_is_told(server: _Server) -> None:
    server.limit(1)
    server.store.change_settings(*SHOP, Change(routing={"request_timeout": 10}))
    server.look()
    server.ask(0)
    server.tick()
    server.ask(1)
    server.tick(9.9)
    assert 1 not in server.given
    server.tick(0.1)
    assert server.given[1] is None
    assert server.waker.take() == {SHOP: 1}
    assert server.waker.take() == {}


def test_what_is_under_way_at_the_start_takes_room_until_it_is_over(server: _Server) -> None:
    (address,) = server.limit(2)
    server.router.busy[address] = 2
    server.ask(0)
    server.tick()
    server.tick()
    assert server.given == {}
    server.router.busy[address] = 1
    server.tick()
    server.tick()
    assert server.given == {0: address}
    server.ask(1)
    server.router.busy[address] = 2
    server.tick()
    assert 1 not in server.given
    server.router.busy[address] = 1  # a lease by now: the other one is over
    server.tick(2.0)
    server.tick()
    assert server.given[1] == address


def test_an_address_that_takes_no_connection_is_left_out_for_a_while(server: _Server) -> None:
    first, second = server.limit(1, instances=2)
    server.ask(0)
    server.tick()
    assert server.given[0] == first
    server.ends[0]()
    server.ask(1, lost=first)
    assert server.given[1] == second
    server.ask(2)
    server.tick()
    assert 2 not in server.given
    server.tick(LOST_SECONDS)
    assert server.given[2] == first


def test_a_request_at_an_app_that_sleeps_starts_it_and_waits_until_it_is_ready(server: _Server) -> None:
    (address,) = server.limit(1)
    server.store.change_settings(*SHOP, Change(scale={"concurrency": 1, "min": 0}))
    server.counts[*SHOP, 1] = 0
    server.loop._counts = lambda: server.counts
    server.look()
    assert server.router.pointed(*SHOP) == {}
    server.ask(0)
    server.tick()
    assert server.given == {}
    server.look()
    server.tick()
    server.tick()
    assert server.given == {0: address}


def test_a_stopped_app_is_not_waited_for(server: _Server) -> None:
    server.limit(1)
    server.store.set_stopped(*SHOP, stopped=True)
    server.loop.step()
    server.ask(0)
    assert server.given == {0: None}


def test_an_app_that_the_loop_has_not_seen_yet_is_waited_for(server: _Server) -> None:
    (address,) = server.limit(1)
    targets, server.loop.targets = server.loop.targets, {}
    server.ask(0)
    server.tick()
    assert server.given == {}
    server.loop.targets = targets
    server.tick()
    server.tick()
    assert server.given == {0: address}
    server.loop.targets = {}
    server.ask(1)
    server.tick(WAIT_SECONDS)
    assert server.given[1] is None
    server.loop.targets = {("default", "other"): targets[SHOP]}
    server.ask(2)
    assert server.given[2] is None


def test_nothing_is_kept_of_an_app_without_a_limit(server: _Server) -> None:
    server.limit(1)
    server.ask(0)
    server.tick()
    server.ends[0]()
    server.limit(0)
    server.tick()
    assert server.throttle._apps == {}


def test_a_proxy_that_does_not_say_what_is_under_way_is_asked_again(server: _Server) -> None:
    (address,) = server.limit(1)
    count, server.router.in_flight = server.router.in_flight, lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    server.throttle._spawn = _whatever_comes
    server.ask(0)
    server.tick()
    assert server.given == {}
    server.router.in_flight = count  # type: ignore[method-assign]
    server.tick()
    server.tick()
    assert server.given == {0: address}


def _whatever_comes(work: Callable[[], None]) -> None:
    try:
        work()
    except ZeroDivisionError:
        return


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.one_of(st.just("ask"), st.integers(0, 30), st.just("tick")), max_size=120),
)
def test_whatever_comes_and_goes_the_limit_holds_and_room_is_used(limit: int, events: list[str | int]) -> None:
    world = _Bare(limit)
    asked = 0
    for event in events:
        if event == "ask":
            world.ask(asked)
            asked += 1
        elif event == "tick":
            world.throttle.tick()
        elif event in world.ends:
            world.end(int(event))
        under_way = collections.Counter(world.given[one] for one in world.ends if world.given.get(one))
        assert all(count <= limit for count in under_way.values())
        if world.known and len(world.ends) > under_way.total():
            assert under_way.total() == limit * 2, "somebody waits while there is room"
        world.known = world.known or (event == "tick" and asked > 0)


class _Bare:
    """Two instances and a throttle that has counted once."""

    def __init__(self, limit: int) -> None:
        router = FakeRouter()
        router.add(Route(*SHOP, limited=True))
        router.point(*SHOP, {A: 10, B: 10})
        target = Target(App(*SHOP, 1, 1, scale=Scale(concurrency=limit)), {})
        waker = Waker(lambda: {SHOP: target}, lambda: None, lambda work: None)
        self.throttle = Throttle(router, lambda: {SHOP: target}, waker, spawn=lambda work: work(), clock=lambda: 5.0)
        self.given: dict[int, str | None] = {}
        self.ends: dict[int, Callable[[], None]] = {}
        self.known = False

    def ask(self, number: int) -> None:
        self.ends[number] = self.throttle.ask(*SHOP, "", lambda address: self.given.update({number: address}))

    def end(self, number: int) -> None:
        self.ends.pop(number)()
