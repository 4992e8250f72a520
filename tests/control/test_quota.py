"""Limits of projects: nothing passes them, what is refused leaves nothing behind, tasks wait and say for what."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from s2i.control import quota, runs
from s2i.control.timer import Timer
from s2i.control.world import run_events
from s2i.errors import E_QUOTA, S2IError
from s2i.resources.app import Config, Deployment, Revision
from s2i.resources.change import Change
from s2i.resources.job import Job, Schedule
from s2i.resources.project import Amounts, Project
from tests.control.simulation import IMAGE, Simulation

GB = 1 << 30
PLAIN = Config()
SCALED = Change(scale={"max": 2})


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    made.engine.has = msgspec.structs.replace(made.engine.has, cpus=8.0, memory=64 * GB)
    made.store.create_project(Project("a", Amounts(cpu=4.0, memory=2 * GB, instances=6, apps=3, jobs=2, runs=2)))
    return made


def put(world: Simulation, name: str, config: Config = PLAIN, change: Change = SCALED) -> None:
    ident = f"{name}-{len(world.store.deployments())}"
    with quota.kept_to(world.store, "a", f"the app {name}"):
        world.store.open_deployment(Deployment(ident, "a", name, "src", "building", world.now))
        world.store.accept_revision(Revision("a", name, 0, IMAGE, config), ident, change)
    world.store.change_deployment(ident, status="ready")


def refusal(call: object, *args: object, **more: object) -> S2IError:
    with pytest.raises(S2IError) as caught:
        call(*args, **more)  # type: ignore[operator]
    assert caught.value.kind is E_QUOTA
    return caught.value


def text(error: S2IError) -> str:
    return f"{error.message} | {error.advice}"


def job(world: Simulation, name: str = "report", project: str = "a", **config: object) -> None:
    world.engine.images.add(IMAGE)
    world.store.accept_job(Job(project, name, IMAGE, Config(**config)), "", world.now, None)  # type: ignore[arg-type]


def submit(world: Simulation, name: str = "report", **execution: object) -> str:
    return runs.submit(world.world, "a", name, runs.Wish(execution=execution)).name


def test_an_app_beyond_a_limit_is_refused_with_the_numbers_and_leaves_nothing(world: Simulation) -> None:
    put(world, "shop", Config(memory=32 << 20))
    before = quota.forecast(world.store, "a")
    error = refusal(put, world, "web", Config(cpu=1.5, memory=32 << 20))
    assert text(error) == (
        'the project "a" is limited to 4 CPUs: it comes to 2 CPUs now, and to 5 CPUs with the app web | '
        "give it a smaller --max-scale or --cpu (apps count at max-scale), or raise the limit: "
        "`s2i project update a --limit-cpu 5`"
    )
    assert [one.name for one in world.store.apps("a")] == ["shop"]
    assert quota.forecast(world.store, "a") == before == Amounts(2.0, 64 << 20, 2, apps=1)


def test_what_is_told_before_is_what_is_decided_then(world: Simulation) -> None:
    put(world, "shop")
    told = refusal(quota.checked_app, world.store, "a", "web", Change(scale={"max": 3}), Config())
    decided = refusal(put, world, "web", Config(), Change(scale={"max": 3}))
    assert text(told) == text(decided)
    quota.checked_app(world.store, "a", "web", SCALED, Config())
    quota.checked_app(world.store, "a", "shop", Change(), Config())  # in place of what it has
    quota.checked_app(world.store, "a", "shop", Change(scale={"max": 4}), None)


def test_of_many_that_come_at_once_only_those_get_in_that_fit_together(world: Simulation) -> None:
    refused: list[S2IError] = []

    def one(name: str) -> None:
        try:
            put(world, name, Config(cpu=0.9, memory=32 << 20), Change(scale={"max": 2}))
        except S2IError as error:
            refused.append(error)

    threads = [threading.Thread(target=one, args=(f"app-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(world.store.apps("a")), {error.kind for error in refused}) == (2, {E_QUOTA})
    assert quota.forecast(world.store, "a").cpu == 3.6


def test_a_larger_scale_or_revision_is_refused_and_a_smaller_one_never_is(world: Simulation) -> None:
    put(world, "shop")
    with pytest.raises(S2IError), quota.kept_to(world.store, "a", "the app shop"):
        world.store.change_settings("a", "shop", Change(scale={"max": 5}))
    assert world.store.app("a", "shop").scale.max == 2
    refusal(put, world, "shop", Config(cpu=3.0))
    world.store.change_project("a", lambda one: msgspec.structs.replace(one, limits=Amounts(cpu=1.0)))
    with quota.kept_to(world.store, "a", "the app shop"):
        world.store.change_settings("a", "shop", Change(scale={"max": 2, "min": 1}))
    put(world, "shop", Config(cpu=0.9))
    refusal(put, world, "web", Config(cpu=0.1))


def test_apps_and_jobs_are_counted(world: Simulation) -> None:
    for name in ("one", "two", "three"):
        put(world, name, Config(cpu=0.1, memory=32 << 20), Change(scale={"max": 1}))
    assert "limited to 3 apps: it comes to 3 apps now, and to 4 apps" in text(
        refusal(put, world, "four", Config(cpu=0.1, memory=32 << 20))
    )
    job(world)
    quota.checked_job(world.store, "a", "second")
    job(world, "second")
    assert "limited to 2 jobs" in text(refusal(quota.checked_job, world.store, "a", "third"))


def test_what_another_project_has_is_its_own(world: Simulation) -> None:
    job(world, project="b")
    quota.checked_job(world.store, "b", "x")
    assert quota.forecast(world.store, "a") == Amounts()


def test_open_runs_are_counted_until_they_end_or_are_cancelled(world: Simulation) -> None:
    job(world)
    first, _ = submit(world), submit(world)
    assert "limited to 2 open job runs" in text(refusal(submit, world))
    world.store.cancel_run("a", first, world.now)
    submit(world)


def test_a_task_that_could_never_run_is_refused_at_submit(world: Simulation) -> None:
    put(world, "shop", Config(cpu=1.6, memory=64 << 20))
    job(world)
    assert text(refusal(submit, world)) == (
        'the project "a" is limited to 4 CPUs: it comes to 3.2 CPUs now, and to 4.2 CPUs with one task of the job report | '
        "give it a smaller --cpu, or an app of the project a smaller --max-scale, or raise the limit: "
        "`s2i project update a --limit-cpu 4.2`"
    )
    assert world.store.runs("a") == ()


def test_tasks_beyond_the_limit_wait_say_for_what_and_then_all_run(world: Simulation) -> None:
    job(world, memory=64 << 20)
    name, most = submit(world, array="0-9"), 0
    for _ in range(60):
        world.step()
        running = [one for one in world.engine.observe() if one.role == "task" and one.state == "running"]
        most = max(most, len(running))
        for one in running:
            world.engine.exit(one.owner)
        world.now += 1.0
        if not world.store.open_runs():
            break
    assert most == 4
    assert world.store.run("a", name).status == "succeeded"
    said = [one.text for one in world.store.events("a", run_events(name)) if one.what == "waits"]
    assert said == ["the project's 4 CPUs are taken"]


def test_running_tasks_leave_less_for_apps(world: Simulation) -> None:
    job(world, memory=64 << 20)
    submit(world, array="0-2")
    world.step()
    world.step()
    assert quota.forecast(world.store, "a") == Amounts(3.0, 192 << 20, 3, jobs=1, runs=1)
    assert "it comes to 3 CPUs now, and to 5 CPUs" in text(refusal(put, world, "shop", Config(memory=32 << 20)))


def test_a_tick_without_room_for_its_run_is_told_as_missed(world: Simulation) -> None:
    job(world)
    submit(world, mode="daemon"), submit(world, mode="daemon")
    schedule = Schedule("* * * * *", since=world.now)
    world.store.change_job("a", "report", lambda one: msgspec.structs.replace(one, schedule=schedule))
    world.now += 61.0
    Timer(world.world, lambda: None).step()
    assert len(world.store.runs("a")) == 2
    (told,) = [one for one in world.store.events("a", "report") if one.what == "missed"]
    assert told.text.startswith('a tick was missed: the project "a" is limited to 2 open job runs')


def test_a_project_without_limits_is_asked_nothing(world: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nobody has to know")

    monkeypatch.setattr(quota, "forecast", never)
    job(world, project="b")
    runs.submit(world.world, "b", "report", runs.Wish(execution={"array": "0-9"}))
    with quota.kept_to(world.store, "b", "the app shop"):
        pass
