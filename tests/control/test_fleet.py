"""More than one instance, none, and more than one revision: nothing that serves goes, and it converges."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2i.control.actions import MarkReady, MarkServing, Park, PointRoute, StartInstance, StopInstance
from s2i.control.fleet import instance_of
from s2i.control.rollout import PARK_SECONDS, split
from s2i.errors import S2IError
from s2i.resources.change import Change
from s2i.router.router import SLOTS, route_of
from tests.control.simulation import Simulation

SHOP = ("default", "shop")


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    made.deploy()
    made.settle()
    return made


def instances(world: Simulation) -> list[str]:
    running = [one for one in world.engine.observe() if one.role == "instance" and one.state == "running"]
    return sorted(one.owner.instance for one in running)


def pointed(world: Simulation) -> dict[str, int]:
    return world.router.pointed(*SHOP)


def test_more_instances_share_the_requests(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 3
    world.settle()
    assert instances(world) == ["r1-0", "r1-1", "r1-2"]
    assert sorted(pointed(world).values()) == [6, 7, 7]
    assert set(pointed(world)) == world.addresses()


def test_fewer_instances_end_only_when_no_request_goes_to_them(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 3
    world.settle()
    world.counts[*SHOP, 1] = 1
    world.done.clear()
    world.step()
    assert [type(one) for one in world.done] == [PointRoute]
    world.settle()
    assert instances(world) == ["r1-0"]


def test_an_update_comes_with_as_many_instances_as_serve(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 3
    world.settle()
    world.deploy()
    world.done.clear()
    while not any(isinstance(one, PointRoute) for one in world.done):
        world.step()
    assert instances(world) == ["r1-0", "r1-1", "r1-2", "r2-0", "r2-1", "r2-2"]
    world.settle()
    assert instances(world) == ["r2-0", "r2-1", "r2-2"]


def test_one_of_three_that_crashes_gets_no_requests_until_it_is_back(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 3
    world.settle()
    owner = instance_of(world.store.revision(*SHOP, 1), 1).owner
    world.engine.exit(owner, 1)
    world.notes = {}
    world.step()
    assert len(pointed(world)) == 2
    world.settle()
    assert len(pointed(world)) == 3


def test_an_app_that_sleeps_keeps_its_network_and_an_instance_that_waits(world: Simulation) -> None:
    (address,) = world.addresses()
    world.counts[*SHOP, 1] = 0
    world.done.clear()
    for _ in range(6):
        world.step()
        world.now += 1
    assert [type(one) for one in world.done] == [PointRoute, Park]
    assert (instances(world), pointed(world)) == ([], {})
    world.awake.add(SHOP)
    world.step()
    world.step()
    assert (world.addresses(), set(pointed(world))) == ({address}, {address})


def test_one_that_sleeps_for_long_gives_up_its_network_and_still_wakes(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 0
    for _ in range(5):
        world.step()
        world.now += 1
    world.now += PARK_SECONDS
    world.step()
    assert world.engine.containers == {}
    world.awake.add(SHOP)
    world.settle()
    assert set(pointed(world)) == world.addresses() != set()


def test_a_restart_of_the_server_neither_wakes_nor_ends_anything(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 3
    world.deploy("other")
    world.settle()
    world.counts["default", "other", 1] = 0
    for _ in range(6):
        world.step()
        world.now += 1
    before = world.engine.observe()
    world.counts, world.notes = {}, {}
    world.settle()
    assert [one for one in world.engine.observe() if one.owner.name == "shop"] == [
        one for one in before if one.owner.name == "shop"
    ]
    assert world.addresses("other") == set()


def test_a_deploy_of_an_app_that_sleeps_shows_that_it_serves(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 0
    for _ in range(6):
        world.step()
        world.now += 1
    world.deploy()
    world.settle()
    assert world.store.app(*SHOP).serving == 2
    assert instances(world) == ["r2-0"]


def test_min_scale_holds_at_once(world: Simulation) -> None:
    world.counts[*SHOP, 1] = 0
    world.store.change_settings(*SHOP, Change(scale={"min": 2, "max": 3}))
    world.settle()
    assert instances(world) == ["r1-0", "r1-1"]
    world.counts[*SHOP, 1] = 9
    world.settle()
    assert len(instances(world)) == 3


def test_a_stopped_app_runs_nothing_and_is_not_woken(world: Simulation) -> None:
    world.store.set_stopped(*SHOP, stopped=True)
    world.awake.add(SHOP)
    world.settle()
    assert (world.engine.containers, pointed(world)) == ({}, {})
    world.store.set_stopped(*SHOP, stopped=False)
    world.settle()
    assert instances(world) == ["r1-0"]


def test_a_split_runs_both_revisions_and_gives_each_its_part(world: Simulation) -> None:
    world.deploy()
    world.settle()
    world.store.set_traffic(*SHOP, ((1, 90), (2, 10)))
    world.settle()
    assert instances(world) == ["r1-0", "r2-0"]
    assert sorted(pointed(world).values()) == [2, 18]
    statuses = {one.number: one.status for one in world.store.revisions(*SHOP)}
    assert statuses == {1: "serving", 2: "serving"}
    world.store.set_traffic(*SHOP, ())
    world.settle()
    assert instances(world) == ["r2-0", "r2-1"]  # as many as there were, until the autoscaler knows better


def test_a_switch_to_a_revision_that_does_not_run_waits_until_it_does(world: Simulation) -> None:
    world.deploy()
    world.settle()
    world.store.set_traffic(*SHOP, ((1, 100),))
    (serves,) = pointed(world)
    world.done.clear()
    world.step()
    assert set(pointed(world)) == {serves}
    assert [type(one) for one in world.done] == [StartInstance]
    world.settle()
    assert instances(world) == ["r1-0"]


def test_a_deploy_during_a_split_becomes_ready_and_gets_nothing(world: Simulation) -> None:
    world.deploy()
    world.settle()
    world.store.set_traffic(*SHOP, ((1, 50), (2, 50)))
    world.settle()
    new = world.deploy()
    world.settle()
    app = world.store.app(*SHOP)
    assert (app.target, app.serving, app.percents) == (new.number, new.number, {1: 50, 2: 50})
    assert world.store.revision(*SHOP, new.number).status == "ready"
    assert instances(world) == ["r1-0", "r2-0"]


def test_a_quiet_deploy_leaves_the_requests_where_they_go(world: Simulation) -> None:
    world.done.clear()
    world.deploy(quiet=True)
    world.settle()
    assert MarkReady in [type(one) for one in world.done]
    assert MarkServing not in [type(one) for one in world.done]
    assert world.store.app(*SHOP).percents == {1: 100}
    assert instances(world) == ["r1-0"]
    world.store.set_traffic(*SHOP, ())
    world.settle()
    assert instances(world) == ["r2-0"]


def test_traffic_to_what_has_failed_is_refused(world: Simulation) -> None:
    world.deploy(image="sha256:missing")
    world.settle()
    with pytest.raises(S2IError, match="it is failed"):
        world.store.set_traffic(*SHOP, ((2, 100),))


PERCENTS = st.dictionaries(st.integers(1, 9), st.integers(1, 20), min_size=1, max_size=6)
READY = st.dictionaries(st.integers(1, 9), st.lists(st.integers(0, 99).map(str), unique=True, max_size=5), max_size=9)


@given(PERCENTS, READY)
def test_slots_add_up_and_follow_the_percents(percents: dict[int, int], ready: dict[int, list[str]]) -> None:
    addresses = {number: [f"{number}:{one}" for one in found] for number, found in ready.items()}
    found = split(percents, addresses)
    takes = {number: part for number, part in percents.items() if addresses.get(number)}
    assert sum(found.values()) == (SLOTS if takes else 0)
    whole = sum(takes.values())
    for number, part in takes.items():
        slots = sum(found.get(one, 0) for one in addresses[number])
        assert slots >= 1
        exact = SLOTS * part / whole
        small = sum(1 for other in takes.values() if SLOTS * other / whole < 1)
        assert abs(slots - exact) <= 1 + small


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("deploy", "quiet", "broken", "crash", "sandbox", "slots", "wake", "stop", "start"))),
        st.tuples(st.just("count"), st.integers(0, 5)),
        st.tuples(st.just("scale"), st.integers(0, 2), st.integers(1, 4)),
        st.tuples(st.just("route"), st.sampled_from(("public", "project", "private")), st.integers(0, 2)),
        st.tuples(st.just("traffic"), st.sampled_from((5, 50, 95))),
        st.tuples(st.sampled_from(("tag", "untag"))),
        st.tuples(st.just("step"), st.one_of(st.none(), st.integers(0, 3))),
        st.tuples(st.just("time"), st.sampled_from((0.05, 1.0, 40.0, PARK_SECONDS))),
    ),
    max_size=30,
)


def apply(world: Simulation, operation: tuple[object, ...]) -> None:
    """Let one thing happen to the world."""
    running = [one for one in world.engine.observe() if one.role == "instance" and one.state == "running"]
    boxes = [one for one in world.engine.observe() if one.address]
    good = [one.number for one in world.store.revisions(*SHOP) if one.status not in ("starting", "failed")]
    match operation:
        case ("deploy",):
            world.deploy()
        case ("quiet",):
            world.deploy(quiet=True)
        case ("broken",):
            world.deploy(image="sha256:missing")
        case ("crash",) if running:
            world.engine.exit(running[-1].owner, 1)
        case ("sandbox",) if boxes:
            world.engine.lose_sandbox(boxes[0].owner)
        case ("slots",):
            world.router.slots.clear()
        case ("wake",):
            world.awake.add(SHOP)
        case ("stop",) | ("start",):
            world.store.set_stopped(*SHOP, stopped=operation[0] == "stop")
        case ("count", int() as count):
            world.counts.update({(*SHOP, number): count for number in good})
        case ("scale", int() as least, int() as more):
            world.store.change_settings(*SHOP, Change(scale={"min": least, "max": least + more}))
        case ("route", ("public" | "project" | "private") as visibility, int() as limit):
            world.store.change_settings(*SHOP, Change(routing={"visibility": visibility}))
            world.store.change_settings(*SHOP, Change(scale={"concurrency": limit}))
        case ("traffic", int() as percent) if len(good) > 1:
            world.store.set_traffic(*SHOP, ((good[-1], percent), (good[0], 100 - percent)))
        case ("tag",) if good:
            world.store.set_tags(*SHOP, {"next": good[len(good) // 2]})
        case ("untag",) if world.store.app(*SHOP).tags:
            world.store.set_tags(*SHOP, {}, ("next",))
        case ("step", int() | None as kill):
            world.step(kill)
        case ("time", float() as seconds):
            world.now += seconds


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_it_converges_whatever_is_scaled_split_stopped_or_killed(operations: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        world = Simulation(Path(folder))
        world.deploy()
        world.settle()
        for operation in operations:
            apply(world, operation)
        world.settle()
        app = world.store.app(*SHOP)
        assert app.target == app.serving
        runs = instances(world)
        tagged = dict(app.tags).values()
        assert {one for shares in world.router.slots.values() for one in shares} == world.addresses()
        assert set(world.router.routes()) == {SHOP, *((SHOP[0], f"{tag}---{SHOP[1]}") for tag, _ in app.tags)}
        assert msgspec.structs.replace(world.router.known[SHOP], networks=()) == route_of(app)
        assert len(runs) <= app.scale.max * len({*app.percents, *tagged})
        assert {int(one[1:].split("-")[0]) for one in runs} <= {*app.percents, *tagged}
        if app.stopped:
            assert runs == []
        elif world.awake or app.scale.min:
            assert {int(one[1:].split("-")[0]) for one in runs} >= set(app.percents)
        kept = {StopInstance, Park} & {type(one) for one in world.step()}
        assert not kept
        world.store.close()


# Tags ----------------------------------------------------------------------------------------------------------------


NEXT = ("default", "next---shop")


def tagged(world: Simulation) -> None:
    """Revision 1 serves, revision 2 is ready, gets no requests and is called next."""
    world.deploy(quiet=True, tag="next")
    world.settle()


def test_a_tagged_revision_has_a_route_of_its_own_and_takes_nothing_of_the_app(world: Simulation) -> None:
    tagged(world)
    assert world.store.app(*SHOP).tags == (("next", 2),)
    assert world.store.app(*SHOP).percents == {1: 100}
    assert set(world.router.routes()) == {SHOP, NEXT}
    assert len(world.router.pointed(*SHOP)) == 1
    assert not set(world.router.pointed(*SHOP)) & set(world.router.pointed(*NEXT))


def test_a_tagged_revision_sleeps_and_wakes_by_its_own_address(world: Simulation) -> None:
    tagged(world)
    world.counts[*SHOP, 1] = 1
    world.counts[*NEXT, 2] = 0
    world.settle()
    assert (instances(world), world.router.pointed(*NEXT)) == (["r1-0"], {})
    world.awake.add(NEXT)
    world.settle()
    assert instances(world) == ["r1-0", "r2-0"]
    assert len(world.router.pointed(*NEXT)) == 1
    world.awake.clear()
    world.counts[*NEXT, 2] = 3
    world.settle()
    assert instances(world) == ["r1-0", "r2-0", "r2-1", "r2-2"]


def test_a_tag_that_is_taken_away_takes_its_route_and_instances_with_it(world: Simulation) -> None:
    tagged(world)
    world.counts[*NEXT, 2] = 1
    world.settle()
    world.store.set_tags(*SHOP, {}, ("next",))
    world.settle()
    assert (instances(world), set(world.router.routes())) == (["r1-0"], {SHOP})


def test_a_revision_that_serves_can_have_a_tag_too(world: Simulation) -> None:
    tagged(world)
    world.store.set_tags(*SHOP, {"now": 1}, ("next",))
    world.counts[*SHOP, 1] = 2
    world.settle()
    assert world.router.pointed(*SHOP) == world.router.pointed("default", "now---shop")
    assert instances(world) == ["r1-0", "r1-1"]


def test_a_deleted_app_takes_its_tags_along(world: Simulation) -> None:
    tagged(world)
    world.counts[*NEXT, 2] = 1
    world.settle()
    world.store.delete_app(*SHOP)
    world.settle()
    assert (world.router.routes(), world.engine.containers, world.store.apps()) == ({}, {}, ())


def test_a_tagged_revision_is_kept(world: Simulation) -> None:
    tagged(world)
    for _ in range(12):
        world.deploy()
        world.settle()
        world.store.set_traffic(*SHOP, ())
        world.settle()
    assert world.store.revision(*SHOP, 2).number == 2
