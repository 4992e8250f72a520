"""The loop: one app's trouble is not another's, an absent engine is waited for, a wake waits for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i.control.fleet import instance_of
from s2i.control.loop import FAULT_SECONDS, Loop
from s2i.control.waker import Waker
from s2i.engines.engine import Workload
from s2i.errors import E_CONTAINER, E_DOCKER
from s2i.resources.change import Change
from tests.control.simulation import Simulation, woken


class Probes(Loop):
    """A loop whose lanes run at once, in the caller's thread, and whose probes ask the fake engine."""

    def __init__(self, world: Simulation) -> None:
        self.waker = Waker(
            lambda: self.targets,
            self.step,
            self.start_now,
            is_ending=self.is_ending,
            listens=world.engine.answers,
            clock=lambda: world.now,
        )
        super().__init__(
            world.world,
            clock=lambda: world.now,
            spawn=_now,
            probe=world.engine.answers,
            awake=lambda: self.waker.awake(),
        )
        self.world = world

    def settle(self) -> None:
        for _ in range(12):
            self.step()
            for thread in threading.enumerate():
                if thread.name.startswith("probe"):
                    thread.join(5)
            self.world.now += 1


def _now(work: Callable[[], None]) -> None:
    work()


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path)


@pytest.fixture
def loop(world: Simulation) -> Probes:
    return Probes(world)


def test_an_app_comes_up_and_is_replaced(world: Simulation, loop: Probes) -> None:
    world.deploy()
    loop.settle()
    world.deploy()
    loop.settle()
    assert world.store.app("default", "shop").serving == 2
    loop.settle()  # the old one is kept until the new one has shown that it stays up
    assert set(world.router.pointed("default", "shop")) == world.addresses()
    assert len(world.addresses()) == 1


def test_the_containers_of_a_project_know_its_apps_but_those_that_nobody_may_ask(
    world: Simulation, loop: Probes
) -> None:
    for name in ("shop", "prices", "secret"):
        world.deploy(name)
    world.store.change_settings("default", "prices", Change(routing={"visibility": "project"}))
    world.store.change_settings("default", "secret", Change(routing={"visibility": "private"}))
    world.engine.fail_next("introduce", E_CONTAINER(name="shop", why="no space left"))
    loop.settle()
    assert world.engine.neighbours == {"default": ("prices", "shop")}
    assert world.engine.door == world.router.door
    world.store.delete_app("default", "prices")
    loop.settle()
    assert world.engine.neighbours == {"default": ("shop",)}


def test_one_apps_trouble_stops_no_other(world: Simulation, loop: Probes) -> None:
    world.engine.fail_next("stop", RuntimeError("the engine is confused"))
    world.deploy("alpha")
    loop.settle()
    world.store.delete_app("default", "alpha")
    world.deploy("beta")
    loop.settle()
    assert [app.name for app in world.store.apps()] == ["beta"]
    assert world.store.app("default", "beta").serving == 1


def test_an_absent_engine_is_asked_again_later_and_later_and_fails_nothing(world: Simulation, loop: Probes) -> None:
    world.deploy()
    loop.settle()
    for _ in range(6):
        world.engine.fail_next("observe", E_DOCKER(socket="unix:///x", why="refused"))
    assert tuple(loop.step() for _ in range(6)) == (*FAULT_SECONDS, FAULT_SECONDS[-1], FAULT_SECONDS[-1])
    returned: list[float] = []
    loop.returned = returned.append
    assert loop.engine_error is not None
    assert world.store.app("default", "shop").serving == 1
    loop.step()
    loop.step()
    assert loop.engine_error is None
    assert len(returned) == 1


def test_a_serving_instance_that_cannot_be_started_is_tried_with_growing_distance(
    world: Simulation, loop: Probes
) -> None:
    owner = instance_of(world.deploy()).owner
    loop.settle()
    world.engine.exit(owner, 1)
    for _ in range(20):
        world.engine.fail_next("start_instance", E_CONTAINER(name="shop", why="no space left"))
    world.engine.calls.clear()
    for _ in range(60):
        loop.step()
        world.now += 1
    assert len(world.engine.calls) == 3
    assert world.store.app("default", "shop").serving == 1


def test_the_router_is_seen_to_at_every_look(world: Simulation, loop: Probes) -> None:
    loop.step()
    world.router.running = False
    loop.step()
    assert world.router.running


def test_a_wake_of_an_unknown_app_is_refused_at_once(world: Simulation, loop: Probes) -> None:
    assert woken(loop.waker, "default", "nobody") is None


def test_a_wake_gets_the_address_when_the_instance_is_back(world: Simulation, loop: Probes) -> None:
    owner = instance_of(world.deploy()).owner
    loop.settle()
    world.engine.exit(owner, 1)
    assert {woken(loop.waker, "default", "shop")} == world.addresses()


def test_a_revision_whose_engine_died_has_not_failed_while_it_is_started_again(
    world: Simulation, loop: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = world.deploy()
    loop.step()
    owner = instance_of(revision).owner
    world.engine.exit(owner, 143)
    world.engine.lose_sandbox(owner)
    (ended,) = (one for one in world.engine.observe() if one.role == "instance")
    start = world.engine.start_instance

    def slowly(work: Workload) -> str:
        """Look when the network is there again, and the instance is not yet."""
        monkeypatch.setattr(world.engine, "start_instance", start)
        world.engine.start_sandbox(work)
        world.engine._put(ended)
        loop.step()
        return start(work)

    monkeypatch.setattr(world.engine, "start_instance", slowly)
    loop.settle()
    assert world.store.revision("default", "shop", revision.number).status == "serving"
