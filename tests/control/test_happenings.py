"""The events of an app that happen by themselves, word for word, and none that did not happen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from s2i.control.watch import Note, Seen, remember
from s2i.engines.engine import Observed, Owner
from s2i.errors import E_STORE
from s2i.resources.change import Change
from tests.control.simulation import Simulation
from tests.control.test_loop import Probes
from tests.control.test_scaling import Server

ONE = Owner("default", "app", "shop", 1, instance="r1-0")


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path)


@pytest.fixture
def loop(world: Simulation) -> Probes:
    made = Probes(world)
    world.deploy()
    made.settle()
    return made


def texts(world: Simulation, what: str) -> list[str]:
    found = [one.text for one in world.store.events("default", "shop") if one.what == what]
    return [re.sub(r"at \d\d:\d\d:\d\d$", "at TIME", text) for text in found]


def test_a_crash_tells_how_it_ended_and_when_it_is_started_again(world: Simulation, loop: Probes) -> None:
    started = world.now
    world.now += 100
    world.engine.exit(ONE, 1)
    loop.step()
    world.now += 1
    world.engine.exit(ONE, 137, oom=True)
    loop.step()
    loop.step()
    ran = [int(found[1]) for text in texts(world, "crashed") if (found := re.search(r"after (\d+) s", text))]
    assert ran[0] >= world.now - started - 1
    assert [re.sub(r" after \d+ s", "", text) for text in texts(world, "crashed")] == [
        "r1-0: exit code 1; it is started again at once",
        "r1-0: it needed more memory than it may have, and was killed; it is started again in 10 s, at TIME",
    ]


def test_a_lost_network_is_told_as_such(world: Simulation, loop: Probes) -> None:
    world.engine.lose_sandbox(ONE)
    loop.step()
    assert texts(world, "crashed") == ["r1-0: its network ended; it is started again at once"]


def test_a_server_that_is_started_anew_tells_no_crash_twice(world: Simulation, loop: Probes) -> None:
    for _ in range(2):
        world.now += 1
        world.engine.exit(ONE, 1)
        loop.step()
    assert len(texts(world, "crashed")) == 2
    Probes(world).step()
    assert len(texts(world, "crashed")) == 2


def test_a_new_revision_that_crashes_has_failed_and_not_crashed(world: Simulation, loop: Probes) -> None:
    world.deploy()
    loop.step()
    world.engine.exit(Owner("default", "app", "shop", 2, instance="r2-0"), 3)
    loop.settle()
    assert (len(texts(world, "failed")), texts(world, "crashed")) == (1, [])


def test_what_is_ended_by_us_has_not_crashed() -> None:
    box = Observed("b", "sandbox", ONE, "running", "10.0.0.1:80")
    ended = Observed("i", "instance", ONE, "exited", exit=137, started=1.0, finished=2.0)
    key, seen = ("default", "shop", "r1-0"), Seen((box, ended))
    assert remember({}, seen, (), 5.0, {key})[key].crashes == 0
    assert remember({}, seen, (), 5.0)[key].crashes == 1
    counted = Note(crashes=1, ended=("i", 2.0), retry_at=15.0)
    assert remember({key: counted}, seen, (), 6.0, {key})[key].crashes == 1


def test_an_event_that_cannot_be_recorded_stops_nothing(
    world: Simulation, loop: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(event: object) -> None:
        raise E_STORE(path="x", why="database or disk is full")

    monkeypatch.setattr(world.store, "record", full)
    world.engine.exit(ONE, 1)
    loop.step()
    loop.step()
    assert len(world.addresses()) == 1


def test_another_number_of_instances_is_told_with_its_reason(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.deploy()
    server.run(3)
    server.store.change_settings("default", "shop", Change(scale={"min": 1, "max": 10, "target": 10}))
    server.router.busy.update(dict.fromkeys(server.addresses(), 35))
    server.run(70)
    server.router.busy.clear()
    server.run(200)
    first, *_, last = texts(server, "scaled")
    assert re.fullmatch(r"revision 1: 1 -> \d+ instances \(\d+\.\d requests under way\)", first)
    assert re.fullmatch(r"revision 1: \d -> 1 instances \(\d\.\d requests under way\)", last)
