"""Job runs: each index is done once, what fails is tried again, nothing that succeeded is, whoever is killed."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2i.control import attempts, kept, runs, tasks
from s2i.control.actions import EndTask, FinishTask, LookAtTask, StartTask
from s2i.control.world import run_events
from s2i.engines.engine import Capacity
from s2i.errors import E_DOCKER, E_RUN_ENDED, S2IError
from s2i.resources.job import JobRun, Task
from tests.control.simulation import IMAGE, Simulation


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path)


def going(world: Simulation) -> list[tuple[str, str]]:
    """Return what runs: (run, instance)."""
    every = [one for one in world.engine.observe() if one.role == "task" and one.state == "running"]
    return sorted((one.owner.run, one.owner.instance) for one in every)


def every(world: Simulation, run: JobRun) -> tuple[Task, ...]:
    return world.store.tasks("default", run.name)


def work(world: Simulation, failing: frozenset[int] = frozenset(), limit: int = 400) -> list[str]:
    """Let tasks end as they come, those of ``failing`` indices with 1; return the instances in their order."""
    did: list[str] = []
    for _ in range(limit):
        world.step()
        running = [one for one in world.engine.observe() if one.role == "task" and one.state == "running"]
        for one in running:
            did.append(one.owner.instance)
            world.engine.exit(one.owner, int(int(one.owner.instance.partition("-")[0]) in failing))
        world.now += 1.0
        if not world.store.open_runs():
            world.step()
            return did
    raise AssertionError("it never ends")


def said(world: Simulation, run: JobRun) -> list[str]:
    return [one.what for one in world.store.events("default", run_events(run.name))]


def test_each_index_runs_once_and_the_run_succeeds(world: Simulation) -> None:
    run = world.submit(array="1-5,8")
    did = work(world)
    assert sorted(did) == ["1-0", "2-0", "3-0", "4-0", "5-0", "8-0"]
    ended = world.store.run("default", run.name)
    assert (ended.status, ended.exit, ended.reason) == ("succeeded", 0, "")
    assert world.engine.containers == {}


def test_what_fails_is_tried_to_the_limit_and_the_rest_once(world: Simulation) -> None:
    run = world.submit(array="0-49", retry_limit=3)
    did = work(world, frozenset({3, 7, 20, 21, 49}))
    tries = {task.index: task.tries for task in every(world, run)}
    assert {index for index, number in tries.items() if number == 4} == {3, 7, 20, 21, 49}
    assert all(number in (1, 4) for number in tries.values())
    assert len(did) == 45 + 5 * 4 == len(set(did))
    assert world.store.run("default", run.name).status == "failed"
    again = runs.resubmit(world.world, "default", run.name, runs.Wish(failed=True))
    assert again.execution.array == "3,7,20-21,49"
    assert {one.partition("-")[0] for one in work(world)} == {"3", "7", "20", "21", "49"}
    assert world.store.run("default", again.name).status == "succeeded"


def test_a_task_is_told_who_it_is(world: Simulation) -> None:
    run = world.submit(array="4,9", retry_limit=1)
    world.step()
    world.engine.exit(world.owner(run, 9), 1)
    for _ in range(4):
        world.step()
        world.now += 2
    (second,) = (one for one in world.engine.works.values() if one.owner.instance == "9-1")
    env = dict(second.config.env)
    assert {key: env[key] for key in sorted(env)} == {
        "JOB_ARRAY_SIZE": "2",
        "JOB_INDEX": "9",
        "JOB_INDEX_RETRY_COUNT": "1",
        "JOB_MODE": "task",
        "JOB_RETRY_LIMIT": "1",
        "S2I_JOB": "report",
        "S2I_JOBRUN": run.name,
        "S2I_PROJECT": "default",
    }


def test_done_again_it_has_the_size_of_the_first_and_other_settings(world: Simulation) -> None:
    run = world.submit(array="0-9")
    work(world, frozenset({4}))
    wish = runs.Wish(failed=True, execution={"retry_limit": 2}, data="x")
    again = runs.resubmit(world.world, "default", run.name, wish)
    world.step()
    (env,) = [dict(one.config.env) for one in world.engine.works.values() if one.owner.run == again.name]
    assert (env["JOB_ARRAY_SIZE"], env["JOB_RETRY_LIMIT"], env["JOB_DATA"]) == ("10", "2", "x")
    assert again.again == run.name


def test_what_goes_on_or_succeeded_is_not_done_again(world: Simulation) -> None:
    run = world.submit()
    for expected in ("it is pending", "all of its indices succeeded"):
        with pytest.raises(S2IError, match=expected) as caught:
            runs.resubmit(world.world, "default", run.name, runs.Wish(failed=True))
        assert caught.value.kind is E_RUN_ENDED
        if expected == "it is pending":
            work(world)


def test_retries_come_later_and_later(world: Simulation) -> None:
    run = world.submit(retry_limit=20)
    (task,) = every(world, run)
    pauses = [tasks.pause(run, msgspec.structs.replace(task, tries=number)) for number in range(1, 12)]
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    begun: list[float] = []
    for _ in range(200):
        for action in world.step():
            if isinstance(action, StartTask):
                begun.append(world.now)
        for one in [one for one in world.engine.observe() if one.state == "running"]:
            world.engine.exit(one.owner, 1)
        world.now += 0.5
    gaps = [later - sooner for sooner, later in itertools.pairwise(begun)]
    assert all(wanted <= gap <= wanted + 1.5 for wanted, gap in zip(pauses, gaps, strict=False)), gaps


@pytest.mark.parametrize(
    ("code", "oom", "why"),
    [
        (137, True, "it needed more memory than it may have"),
        (139, False, "exit code 139, as of SIGSEGV"),
        (200, False, "exit code 200"),
        (None, False, tasks.LOST),
    ],
)
def test_a_task_that_is_killed_or_lost_is_another_attempt_of_the_same_index(
    world: Simulation, code: int | None, oom: bool, why: str
) -> None:
    run = world.submit(array="5", retry_limit=1)
    world.step()
    world.step()
    if code is None:
        world.engine.containers.clear()
    else:
        world.engine.exit(world.owner(run, 5), code, oom=oom)
    assert work(world) == ["5-1"]
    (task,) = every(world, run)
    assert [attempt.status for attempt in task.attempts] == ["failed", "succeeded"]
    assert task.attempts[0].reason.startswith(why)
    assert world.store.run("default", run.name).status == "succeeded"


def test_what_takes_too_long_is_ended_and_is_no_failure_to_try_again(world: Simulation) -> None:
    run = world.submit(max_seconds=60.0, retry_limit=3)
    for _ in range(63):
        world.step()
        world.now += 1
    assert any(isinstance(one, EndTask) for one in world.done)
    world.step()
    (task,) = every(world, run)
    ended = world.store.run("default", run.name)
    assert (ended.status, task.status, task.tries, ended.reason) == (
        "timeout",
        "timeout",
        1,
        "it did not end within 60 s",
    )
    assert "timeout" in said(world, run)


def test_a_time_limit_holds_over_a_restart_of_the_server(world: Simulation) -> None:
    run = world.submit(max_seconds=60.0)
    world.step()
    world.step()
    world.now += 50
    world.since = {}  # the next server knows only what is written down
    world.step()
    assert not any(isinstance(one, EndTask) for one in world.done)
    world.now += 11
    world.step()
    assert any(isinstance(one, EndTask) for one in world.done)
    world.step()
    assert world.store.run("default", run.name).status == "timeout"


def test_a_cancelled_run_ends_what_runs_and_begins_nothing(world: Simulation) -> None:
    run = world.submit(array="0-9", parallelism=2)
    world.step()
    world.step()
    attempts.cancel(world.world, "default", run.name)
    for _ in range(4):
        world.step()
    ended = world.store.run("default", run.name)
    assert ended.status == "cancelled"
    assert [task.status for task in every(world, run)] == ["cancelled"] * 10
    assert world.engine.containers == {}
    assert [one for one in world.done if isinstance(one, StartTask)] == [
        one for one in world.done if isinstance(one, StartTask)
    ][:2]
    with pytest.raises(S2IError, match="it has ended: cancelled"):
        attempts.cancel(world.world, "default", run.name)


def test_a_daemon_is_started_again_whatever_its_exit_and_ends_when_it_is_cancelled(world: Simulation) -> None:
    run = world.submit(mode="daemon")
    begun: list[float] = []
    for _ in range(900):
        begun += [world.now for action in world.step() if isinstance(action, StartTask)]
        for one in [one for one in world.engine.observe() if one.state == "running"]:
            world.engine.exit(one.owner, 0)
        world.now += 1
    gaps = [later - sooner for sooner, later in itertools.pairwise(begun)]
    assert 5 <= len(gaps) <= 9
    assert gaps[-1] >= 160
    attempts.cancel(world.world, "default", run.name)
    world.settle()
    assert world.store.run("default", run.name).status == "cancelled"
    assert world.engine.containers == {}


def test_a_run_waits_for_one_of_its_job_that_is_being_ended(world: Simulation) -> None:
    first = world.submit()
    world.step()
    world.step()
    attempts.cancel(world.world, "default", first.name)
    second = runs.submit(world.world, "default", "report", runs.Wish())
    world.engine.fail_next("end", E_DOCKER(socket="x", why="gone"))
    world.step()
    assert going(world) == [(first.name, "0-0")]
    for _ in range(3):
        world.step()
    assert going(world) == [(second.name, "0-0")]


def test_a_job_that_listens_and_does_not_end_is_told_to_be_a_server(world: Simulation) -> None:
    run = world.submit()
    world.step()
    world.engine.ports[world.owner(run)] = (("127.0.0.1", 9000), ("0.0.0.0", 5000))
    for _ in range(40):
        world.step()
        world.now += 1
    assert len([one for one in world.done if isinstance(one, LookAtTask)]) == 1
    (text,) = [one.text for one in world.store.events("default", run_events(run.name)) if one.what == attempts.SERVES]
    assert text == "it listens on port 5000 and does not end, as a server does: `s2i deploy` makes an app of one"


def test_the_log_of_each_attempt_is_kept(world: Simulation) -> None:
    run = world.submit(array="0-1", retry_limit=1)
    world.step()
    world.engine.say(world.owner(run, 1), b"first")
    world.engine.exit(world.owner(run, 1), 1)
    for _ in range(4):
        world.step()
        world.now += 2
    world.engine.say(world.owner(run, 1, 1), b"second")
    work(world)
    found = {one.instance: [line.text for line in kept.read(one)] for one in kept.of_run("default", run.name).every()}
    assert found == {"1-0": [b"first"], "1-1": [b"second"]}


def test_no_more_run_than_there_is_room_for(world: Simulation) -> None:
    world.engine.has = Capacity(2.0, 16 << 30)
    world.submit(array="0-99")
    world.step()
    assert len(going(world)) == 4
    world.store.change_job("default", "report", lambda job: job)
    limited = world.submit(name="other", array="0-9", parallelism=1)
    work(world)
    assert world.store.run("default", limited.name).status == "succeeded"


def test_old_runs_are_forgotten_with_their_logs(world: Simulation) -> None:
    world.submit()
    world.store.change_job(
        "default", "report", lambda job: msgspec.structs.replace(job, keep=msgspec.structs.replace(job.keep, runs=2))
    )
    for _ in range(4):
        work(world)
        runs.submit(world.world, "default", "report", runs.Wish())
    names = [run.name for run in world.store.runs("default")]
    assert names == ["report-5", "report-4", "report-3"]
    assert not kept.of_run("default", "report-1").folder.exists()


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("exit", "fail", "lose", "cancel", "refuse", "resubmit"))),
        st.tuples(st.just("submit"), st.sampled_from(("0", "0-3", "1,7")), st.integers(0, 2)),
        st.tuples(st.just("step"), st.one_of(st.none(), st.integers(0, 3))),
        st.tuples(st.just("time"), st.sampled_from((0.5, 3.0, 40.0))),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OPERATIONS)
def test_whatever_happens_every_index_ends_and_no_success_is_run_twice(operations: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        world = Simulation(Path(folder))
        for operation in operations:
            apply(world, operation)
        work(world)
        for run in world.store.runs("default"):
            assert run.status not in ("pending", "running")
            for task in world.store.tasks("default", run.name):
                good = [attempt for attempt in task.attempts if attempt.status == "succeeded"]
                assert len(good) == (task.status == "succeeded")
                assert task.tries <= run.execution.retry_limit + 1
                assert [attempt.number for attempt in task.attempts] == list(range(task.tries))
        begun = [one.work.owner for one in world.done if isinstance(one, StartTask)]
        ended = [one for one in world.done if isinstance(one, FinishTask) and one.attempt.status == "succeeded"]
        for one in ended:
            later = [
                owner
                for owner in begun
                if (owner.run, owner.instance) == (one.run.name, f"{one.task.index}-{one.task.tries + 1}")
            ]
            assert not later
        assert world.engine.containers == {}
        world.store.close()


def apply(world: Simulation, operation: tuple[object, ...]) -> None:
    """Let one thing happen to the world."""
    running = [one for one in world.engine.observe() if one.state == "running"]
    match operation:
        case ("submit", str() as array, int() as limit):
            world.submit(array=array, retry_limit=limit)
        case ("exit",) | ("fail",) if running:
            world.engine.exit(running[-1].owner, int(operation[0] == "fail"))
        case ("lose",) if running:
            world.engine.remove(running[0].id)
        case ("refuse",):
            world.engine.images.discard(IMAGE)
            world.step()
            world.engine.images.add(IMAGE)
        case ("cancel",) if world.store.open_runs():
            attempts.cancel(world.world, "default", world.store.open_runs()[0].name)
        case ("resubmit",) if ended := [one for one in world.store.runs("default") if one.status == "failed"]:
            runs.resubmit(world.world, "default", ended[0].name, runs.Wish(failed=True))
        case ("step", int() | None as kill):
            world.step(kill)
        case ("time", float() as seconds):
            world.now += seconds
