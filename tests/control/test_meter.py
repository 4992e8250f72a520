"""Metering: rates from two readings, sums by hours, nothing lost over the hour or a container's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.api.usage import exposed
from s2i.control.meter import EVERY_SECONDS, KEEP_SECONDS, Meter
from s2i.engines.engine import Usage
from s2i.errors import E_DOCKER
from s2i.resources.usage import Hour
from tests.control.simulation import Simulation

HOUR = 3600.0


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    made.now = 100 * HOUR
    return made


@pytest.fixture
def meter(world: Simulation) -> Meter:
    return Meter(world.world, world.engine.observe, lambda: world.now)


def instance(world: Simulation) -> str:
    return next(one.id for one in world.engine.observe() if one.role == "instance" and one.state == "running")


def test_two_readings_make_a_rate(world: Simulation, meter: Meter) -> None:
    world.deploy()
    world.settle()
    box = instance(world)
    world.engine.used[box] = Usage(10.0, 50_000_000, 1000, 100)
    assert meter.step() == EVERY_SECONDS
    assert meter.live() == ()
    world.now += 5
    world.engine.used[box] = Usage(12.0, 60_000_000, 6000, 200)
    meter.step()
    (one,) = meter.live()
    assert (one.project, one.kind, one.name, one.instance) == ("default", "app", "shop", "r1-0")
    assert (one.cpu, one.memory, one.received, one.sent) == (40.0, 60_000_000, 1000, 20)
    text = "".join(exposed(meter.live()))
    assert 's2i_cpu_percent{project="default",kind="app",name="shop",instance="r1-0"} 40.0\n' in text


def test_what_has_ended_since_the_last_reading_is_not_shown(world: Simulation, meter: Meter) -> None:
    world.deploy()
    world.settle()
    world.engine.used[instance(world)] = Usage(10.0, 50_000_000, 1000, 100)
    meter.step()
    world.now += 5
    meter.step()
    assert len(meter.live()) == 1
    world.store.set_stopped("default", "shop", stopped=True)
    world.settle()
    assert meter.live() == ()


def test_sums_are_kept_by_the_hour_and_over_a_stop(world: Simulation, meter: Meter) -> None:
    world.deploy()
    world.settle()
    world.now = 200 * HOUR - 3
    box = instance(world)
    for cpu in (1.0, 2.0, 4.0):
        world.engine.used[box] = Usage(cpu, 1000, 0, 0)
        meter.step()
        world.now += 2
    world.now += KEEP_SECONDS
    meter.step()
    assert [(one.hour, one.cpu) for one in world.store.hours("default")] == [(199 * HOUR, 2.0), (200 * HOUR, 2.0)]
    world.engine.used[box] = Usage(9.0, 1000, 7, 8)
    meter.step()
    meter._write()
    (_, last) = world.store.hours("default", "app", "shop")
    assert (last.cpu, last.received, last.sent) == (7.0, 7, 8)
    assert world.store.hours("default", "job") == ()


def test_old_hours_go(world: Simulation) -> None:
    world.store.add_hours((Hour("default", "app", "shop", 1.0, cpu=1.0), Hour("default", "app", "shop", 9.0)), 5.0)
    assert [one.hour for one in world.store.hours("default")] == [9.0]


def test_without_an_engine_or_anything_that_runs_nothing_is_measured(world: Simulation, meter: Meter) -> None:
    assert meter.step() < EVERY_SECONDS
    world.deploy()
    world.settle()
    world.engine.fail_next("usage", E_DOCKER(socket="x", why="gone"))
    with pytest.raises(Exception, match="gone"):
        meter.step()
    meter.step()
    assert meter.live() == ()
