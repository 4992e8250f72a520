"""Whatever is wanted, seen or killed: it converges, and the old never goes before the new has taken over."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2i.control import kept
from s2i.control.actions import EndInstance, MarkFailed, MarkServing, PointRoute, SetRoute, StartInstance, StopInstance
from s2i.control.diagnosis import parted
from s2i.control.fleet import instance_of
from s2i.control.rollout import SETTLE_SECONDS
from s2i.engines.engine import Owner
from s2i.errors import E_DOCKER
from s2i.resources.app import Revision, Routing
from s2i.resources.change import Change
from s2i.router.router import Route
from tests.control.simulation import IMAGE, MISSING, Simulation


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path)


def verbs(world: Simulation) -> list[str]:
    return [type(one).__name__ for one in world.done]


def test_a_first_revision_is_started_pointed_at_and_marked(world: Simulation) -> None:
    world.deploy()
    for _ in range(3):
        world.step()
    assert verbs(world) == ["StartInstance", "PointRoute", "MarkServing"]
    assert world.store.app("default", "shop").serving == 1
    assert set(world.router.pointed("default", "shop")) == world.addresses()


def test_an_update_stops_the_old_only_after_the_switch_and_the_drain(world: Simulation) -> None:
    world.deploy()
    world.settle()
    (old,) = world.addresses()
    world.deploy()
    world.done.clear()
    world.step()
    world.step()
    world.router.busy[old] = 1
    for _ in range(5):
        world.step()
        world.now += 1
    assert verbs(world) == ["StartInstance", "PointRoute", "MarkServing"]
    world.router.busy.clear()
    world.settle()
    assert verbs(world)[3:] == ["MarkSettled", "StopInstance"]
    assert len(world.addresses()) == 1


def replaced(world: Simulation) -> Revision:
    """Have a second revision take over from one that serves; return it."""
    world.deploy()
    world.settle()
    new = world.deploy()
    for _ in range(3):
        world.step()
    assert world.store.app("default", "shop").serving == new.number
    world.done.clear()
    return new


def test_a_revision_that_ends_soon_after_it_took_over_gives_way_to_the_one_before_it(world: Simulation) -> None:
    new = replaced(world)
    world.now += SETTLE_SECONDS - 1
    world.step()
    owner = instance_of(new).owner
    world.engine.say(owner, b"RuntimeError: the cache is cold")
    world.engine.exit(owner, 1)
    world.step()
    world.step()
    assert verbs(world)[:2] == ["MarkFailed", "PointRoute"]
    app = world.store.app("default", "shop")
    assert (app.serving, app.target, app.fallback) == (1, 1, 0)
    why, lines, _ = parted(app.reason)
    assert (why, lines) == (
        "it ended with an error within seconds of taking over",
        ("RuntimeError: the cache is cold",),
    )
    assert [one.status for one in world.store.revisions("default", "shop")] == ["serving", "failed"]
    (old,) = world.router.pointed("default", "shop")
    world.settle()
    assert world.addresses() == {old}
    assert "StartInstance" not in verbs(world)
    said = [(one.what, one.text.partition("\n")[0]) for one in world.store.events("default", "shop")]
    assert said[-2:] == [("failed", f"revision 2: {why}"), ("serving", "revision 1 serves again")]


def test_a_revision_that_has_settled_is_started_anew_when_it_ends(world: Simulation) -> None:
    new = replaced(world)
    for _ in range(2):
        world.step()
        world.now += SETTLE_SECONDS
    world.settle()
    world.engine.exit(instance_of(new).owner, 1)
    world.settle()
    assert world.store.app("default", "shop").serving == new.number
    assert "MarkFailed" not in verbs(world)


def test_an_engine_that_dies_soon_after_a_switch_is_no_reason_to_fall_back(world: Simulation) -> None:
    new = replaced(world)
    for number in (1, 2):
        owner = instance_of(msgspec.structs.replace(new, number=number)).owner
        world.engine.exit(owner, 143)
        world.engine.lose_sandbox(owner)
    world.settle()
    assert world.store.app("default", "shop").serving == new.number
    assert len(world.addresses()) == 1


def test_a_revision_that_fails_while_the_next_one_comes_leaves_that_one_on_its_way(world: Simulation) -> None:
    new = replaced(world)
    third = world.deploy()
    world.step()
    world.engine.exit(instance_of(new).owner, 1)
    world.step()
    app = world.store.app("default", "shop")
    assert (app.serving, app.target) == (1, third.number)
    world.settle()
    assert world.store.app("default", "shop").serving == third.number


def test_nothing_falls_back_to_what_is_no_longer_ready(world: Simulation) -> None:
    new = replaced(world)
    old = instance_of(msgspec.structs.replace(new, number=1)).owner
    world.engine.mute.add(next(one.address for one in world.engine.observe() if one.owner == old and one.address))
    world.engine.exit(instance_of(new).owner, 1)
    world.settle()
    assert world.store.app("default", "shop").serving == new.number
    assert "MarkFailed" not in verbs(world)


def test_who_says_where_requests_go_ends_the_wait_for_a_fall_back(world: Simulation) -> None:
    replaced(world)
    world.store.set_traffic("default", "shop", ((2, 100),))
    assert world.store.app("default", "shop").fallback == 0
    world.settle()
    assert len(world.addresses()) == 1


def test_a_fall_back_that_slept_sleeps_on_and_is_woken(world: Simulation) -> None:
    world.deploy()
    world.settle()
    world.counts["default", "shop", 1] = 0
    world.settle()
    world.counts.clear()
    new = world.deploy()
    for _ in range(3):
        world.step()
    world.engine.exit(instance_of(new).owner, 1)
    for _ in range(4):
        world.step()
    assert world.store.app("default", "shop").serving == 1
    world.awake.add(("default", "shop"))
    world.settle()
    assert set(world.router.pointed("default", "shop")) == world.addresses() != set()


def test_the_sandbox_of_an_update_comes_up_while_its_image_is_built(world: Simulation) -> None:
    world.deploy()
    world.settle()
    ident = world.begin()
    world.done.clear()
    world.settle()
    assert verbs(world) == ["StartSandbox"]
    new = world.deploy(ident=ident)
    boxes = {one.id for one in world.engine.observe() if one.role == "sandbox"}
    world.step()
    assert verbs(world) == ["StartSandbox", "StartInstance"]
    assert {one.id for one in world.engine.observe() if one.role == "sandbox"} == boxes
    world.settle()
    assert world.store.app("default", "shop").serving == new.number


def test_the_sandbox_of_an_update_that_is_not_built_goes(world: Simulation) -> None:
    world.deploy()
    world.settle()
    before = world.engine.observe()
    ident = world.begin()
    world.step()
    world.store.change_deployment(ident, status="failed")
    world.settle()
    assert world.engine.observe() == before


def test_the_first_deployment_of_a_name_has_no_sandbox_before_it_is_known_to_be_an_app(world: Simulation) -> None:
    world.begin()
    assert world.step() == ()


def test_a_request_that_never_ends_is_cut_at_the_drain_limit(world: Simulation) -> None:
    world.deploy()
    world.settle()
    (old,) = world.addresses()
    world.router.busy[old] = 1
    world.deploy()
    world.settle()
    assert old not in world.addresses()


def test_a_revision_that_exits_fails_with_its_code_and_log_and_the_old_serves_on(world: Simulation) -> None:
    world.deploy()
    world.settle()
    before = world.addresses()
    new = world.deploy()
    world.step()
    owner = instance_of(new).owner
    world.engine.say(owner, b"ImportError: no module named shop")
    world.engine.exit(owner, 3)
    world.settle()
    app = world.store.app("default", "shop")
    assert (app.serving, app.target) == (1, 1)
    why, lines, _ = parted(app.reason)
    assert (why, lines) == ("it ended with an error before it answered", ("ImportError: no module named shop",))
    assert world.store.revision("default", "shop", 2).status == "failed"
    assert world.addresses() == before


def test_a_revision_that_ended_with_its_engine_is_started_again(world: Simulation) -> None:
    world.deploy()
    world.settle()
    new = world.deploy()
    world.step()
    owner = instance_of(new).owner
    world.engine.exit(owner, 143)
    world.engine.lose_sandbox(owner)
    world.settle()
    assert world.store.app("default", "shop").serving == new.number


def test_a_revision_that_ends_with_its_sandbox_each_time_fails_in_the_end(world: Simulation) -> None:
    new = world.deploy()
    owner = instance_of(new).owner
    for _ in range(20):
        world.step()
        world.now += 1
        if world.store.revision("default", "shop", new.number).status == "failed":
            break
        if any(one.role == "instance" and one.state == "running" for one in world.engine.observe()):
            world.engine.exit(owner, 143)
            world.engine.lose_sandbox(owner)
    assert world.store.revision("default", "shop", new.number).status == "failed"


def test_a_revision_that_listens_on_another_port_fails_with_that_port(world: Simulation) -> None:
    new = world.deploy()
    world.step()
    world.engine.mute |= world.addresses()
    world.engine.ports[instance_of(new).owner] = (("0.0.0.0", 5000),)
    world.settle()
    app = world.store.app("default", "shop")
    assert (app.serving, app.target) == (0, 0)
    assert parted(app.reason)[0] == "it listens on port 5000, and requests come to port 8080"
    assert world.engine.containers == {}


def test_a_revision_whose_image_is_gone_fails_at_once(world: Simulation) -> None:
    world.deploy(image=MISSING)
    world.settle()
    assert verbs(world) == ["StartInstance", "MarkFailed"]
    assert world.store.app("default", "shop").reason.startswith("the image sha256:missing is no longer")


def test_an_engine_that_is_away_fails_no_revision(world: Simulation) -> None:
    world.engine.fail_next("start_instance", E_DOCKER(socket="unix:///x", why="refused"))
    world.deploy()
    world.settle()
    assert world.store.app("default", "shop").serving == 1


def test_a_crash_loop_is_restarted_at_growing_distances(world: Simulation) -> None:
    revision = world.deploy()
    world.settle()
    owner = instance_of(revision).owner
    starts = []
    begin = world.now
    world.engine.exit(owner, 1)
    while world.now - begin < 600:
        if any(isinstance(one, StartInstance) for one in world.step()):
            starts.append(round(world.now - begin))
            world.engine.exit(owner, 1)
        world.now += 1
    assert starts == [0, 11, 32, 73, 154, 315]


def test_a_lost_sandbox_is_made_anew_and_the_route_follows(world: Simulation) -> None:
    revision = world.deploy()
    world.settle()
    (before,) = world.addresses()
    world.engine.lose_sandbox(instance_of(revision).owner)
    world.settle()
    (after,) = world.addresses()
    assert after != before
    assert set(world.router.pointed("default", "shop")) == {after}


def test_an_address_that_another_app_got_is_never_pointed_at(world: Simulation) -> None:
    first = world.deploy()
    world.deploy("other")
    world.settle()
    (theirs,) = world.addresses("other")
    world.engine.lose_sandbox(instance_of(first).owner)
    world.router.point("default", "shop", {theirs: 20})
    world.step()
    assert world.router.pointed("default", "shop") == {}
    world.settle()
    assert set(world.router.pointed("default", "shop")) == world.addresses("shop")


def test_a_route_that_is_set_otherwise_is_changed_and_nothing_else(world: Simulation) -> None:
    world.deploy()
    world.settle()
    before = world.router.pointed("default", "shop")
    wanted = Routing(request_timeout=60, visibility="project")
    world.store.change_settings("default", "shop", Change(routing=msgspec.to_builtins(wanted)))
    world.store.change_settings("default", "shop", Change(scale={"concurrency": 3}))
    world.done.clear()
    world.settle()
    assert world.done == [SetRoute("default", "shop")]
    (address,) = before
    networks = (f"{address.partition(':')[0]}/32",)
    assert world.router.routes() == {("default", "shop"): Route("default", "shop", wanted, True, networks)}
    assert world.router.pointed("default", "shop") == before
    world.store.change_settings("default", "shop", Change(scale={"concurrency": 5}))
    world.done.clear()
    world.settle()
    assert world.done == []


def test_a_deleted_app_leaves_no_route_container_or_row(world: Simulation) -> None:
    world.deploy()
    world.settle()
    world.store.delete_app("default", "shop")
    world.settle()
    assert world.engine.containers == {}
    assert world.router.routes() == {}
    assert world.store.apps() == ()
    assert world.engine.images == set()


def test_a_container_of_ours_that_nothing_wants_is_removed(world: Simulation) -> None:
    revision = world.deploy()
    world.settle()
    stray = Owner("default", "app", "ghost", number=9, instance="r9-0")
    world.engine.start_instance(instance_of(revision).__class__(stray, IMAGE, revision.config))
    world.settle()
    assert {one.owner.name for one in world.engine.observe()} == {"shop"}


def test_a_job_run_keeps_its_exit_code_and_log_when_its_container_is_gone(world: Simulation) -> None:

    run = world.submit()
    world.step()
    world.step()
    assert world.store.run("default", run.name).status == "running"
    owner = world.owner(run)
    world.engine.say(owner, b"42 rows")
    world.engine.exit(owner, 3)
    world.settle()
    ended = world.store.run("default", run.name)
    assert (ended.status, ended.exit, ended.reason) == ("failed", 3, "exit code 3")
    (written,) = kept.of_run("default", run.name).every()
    assert [line.text for line in kept.read(written)] == [b"42 rows"]
    assert world.engine.containers == {}


def test_the_times_of_a_job_run_are_those_of_its_container(world: Simulation) -> None:
    run = world.submit()
    world.step()
    world.now += 0.25
    world.step()
    world.now += 2.0
    world.engine.exit(world.owner(run), 0)
    world.now += 5.0
    world.step()
    ended = world.store.run("default", run.name)
    assert (ended.created, ended.started, ended.finished) == (1000.0, 1000.0, 1002.25)


def test_a_run_has_not_started_before_it_was_asked_for(world: Simulation) -> None:
    world.now = 1000.75
    run = world.submit()
    world.step()
    (task,) = world.engine.containers.values()
    world.engine.containers[task.id] = msgspec.structs.replace(task, started=1000.0)  # as the engine lists it
    world.step()
    assert world.store.run("default", run.name).started == 1000.75


def test_a_run_that_needed_too_much_memory_says_how_to_give_it_more(world: Simulation) -> None:
    run = world.submit()
    world.step()
    world.engine.exit(world.owner(run), 137, oom=True)
    world.step()
    expected = "it needed more memory than it may have (give it more with --memory)"
    assert world.store.run("default", run.name).reason == expected


def test_a_job_that_ended_while_the_server_was_dead_is_not_run_again(world: Simulation) -> None:
    run = world.submit()
    world.step()
    world.engine.exit(world.owner(run), 0)
    world.notes = {}
    world.settle()
    assert world.store.run("default", run.name).status == "succeeded"
    assert [call for call in world.engine.calls if call[0] == "start_task"] == [("start_task", "default/report-1/0-0")]


def test_a_run_whose_image_is_gone_fails_with_the_reason(world: Simulation) -> None:
    run = world.submit(image=MISSING)
    world.settle()
    ended = world.store.run("default", run.name)
    assert (ended.status, ended.exit) == ("failed", None)
    assert "is no longer on this machine" in ended.reason


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(("deploy", "broken", "crash", "mute", "sandbox", "slots", "busy", "stray", "delete"))
        ),
        st.tuples(st.just("job")),
        st.tuples(st.just("step"), st.one_of(st.none(), st.integers(0, 3))),
        st.tuples(st.just("time"), st.sampled_from((0.05, 1.0, 40.0))),
    ),
    max_size=40,
)


def apply(world: Simulation, operation: tuple[object, ...]) -> None:
    """Let one thing happen to the world."""
    containers = [one for one in world.engine.observe() if one.role == "instance" and one.state == "running"]
    boxes = [one for one in world.engine.observe() if one.address]
    match operation:
        case ("deploy",) | ("broken",):
            if not any(app.deleting for app in world.store.apps()):
                world.deploy(image=IMAGE if operation[0] == "deploy" else MISSING)
        case ("job",):
            world.submit()
        case ("crash",) if containers:
            world.engine.exit(containers[-1].owner, 1)
        case ("mute",) if boxes:
            world.engine.mute.add(boxes[-1].address)
        case ("sandbox",) if boxes:
            world.engine.lose_sandbox(boxes[0].owner)
        case ("slots",):
            world.router.slots.clear()
        case ("busy",) if boxes:
            world.router.busy[boxes[0].address] = 1
        case ("stray",) if containers:
            world.store.forget_revision("default", "shop", 99)
            stray = Owner("default", "app", "ghost", number=9, instance="r9-0")
            work = world.engine.works[containers[0].id]
            world.engine.start_instance(type(work)(stray, work.image, work.config))
        case ("delete",):
            if world.store.apps():
                world.store.delete_app("default", "shop")
        case ("step", int() | None as kill):
            world.step(kill)
        case ("time", float() as seconds):
            world.now += seconds


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_it_converges_from_any_state_and_never_stops_what_serves(operations: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        world = Simulation(Path(folder))
        for operation in operations:
            apply(world, operation)
        world.engine.mute.clear()
        for run in world.store.open_runs():
            world.step()
            world.engine.exit(world.owner(run), 0)
        world.settle()
        assert world.store.open_runs() == ()
        expected: set[str] = set()
        for app in world.store.apps():
            assert app.target == app.serving
            shares = world.router.pointed(app.project, app.name)
            assert set(shares) == world.addresses(app.name)
            assert len(shares) == (1 if app.serving else 0)
            expected |= {f"r{app.serving}-0"} if app.serving else set()
        assert {one.owner.instance for one in world.engine.observe()} == expected
        world.store.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=12))
def test_a_server_killed_between_any_two_actions_of_an_update_still_converges(kills: list[int]) -> None:
    with TemporaryDirectory() as folder:
        world = Simulation(Path(folder))
        world.deploy()
        world.settle()
        world.deploy()
        for kill in kills:
            world.step(kill)
            pointed = set(world.router.pointed("default", "shop"))
            assert pointed
            assert pointed <= world.addresses()
        world.settle()
        kinds = [type(one) for one in world.done]
        assert {PointRoute, MarkServing, StopInstance} <= set(kinds)
        assert MarkFailed not in kinds
        assert world.store.app("default", "shop").serving == 2
        assert len(world.addresses()) == 1
        world.store.close()


def test_an_instance_that_no_longer_works_is_ended_and_started_anew_like_one_that_crashed(world: Simulation) -> None:
    world.deploy()
    world.settle()
    (container,) = (one.id for one in world.engine.observe() if one.role == "instance")
    world.dead[container] = "GET /live answered 500"
    world.done.clear()
    world.step()
    assert [type(one) for one in world.done] == [EndInstance]
    world.dead.clear()
    world.step()
    assert [type(one) for one in world.done] == [EndInstance, StartInstance]
    (text,) = (one.text for one in world.store.events("default", "shop") if one.what == "unhealthy")
    assert text == "r1-0 no longer works, and is ended: GET /live answered 500"
