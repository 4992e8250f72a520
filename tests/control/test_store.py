"""The store: nothing acknowledged is lost, nothing is decided twice, a file that is not ours is refused."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from s2i.control.store import Store, schema
from s2i.control.store.deployments import KEEP_EVENTS
from s2i.control.store.jobs import ONCE
from s2i.control.store.schema import MIGRATIONS
from s2i.control.usage import uses
from s2i.errors import E_BUSY, E_NOT_FOUND, E_STORE, E_TAKEN, S2IError
from s2i.resources.app import App, Config, Deployment, Domain, Event, Revision
from s2i.resources.job import Attempt, Execution, Job, JobRun
from s2i.resources.project import Amounts, Project


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s2i.db"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path)


def opened(store: Store, name: str = "shop", ident: str = "d1") -> str:
    store.open_deployment(Deployment(ident, "default", name, "src", "building", 1.0))
    return ident


def revision(name: str = "shop") -> Revision:
    return Revision("default", name, 0, "sha256:a", Config(), created=2.0)


def job(name: str = "report") -> Job:
    return Job("default", name, "sha256:a", Config())


def refusal(code: str, call: object, *args: object) -> S2IError:
    with pytest.raises(S2IError) as caught:
        call(*args)  # type: ignore[operator]
    assert caught.value.code == code
    return caught.value


def submitted(store: Store, execution: Execution = ONCE) -> JobRun:
    made = store.accept_job(job(), "", 1.0, execution)
    assert made
    return made


def test_what_was_written_is_there_after_opening_again(path: Path, store: Store) -> None:
    made = store.accept_revision(revision(), opened(store))
    identity = store.server
    store.close()
    again = Store(path)
    assert again.app("default", "shop") == App("default", "shop", target=1, created=2.0)
    assert again.revisions("default", "shop") == (made,)
    assert again.deployment("default", "d1").status == "rolling-out"
    assert again.server == identity


def test_the_database_is_for_its_user_only(path: Path, store: Store) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_schema_is_refused_and_left_alone(path: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    error = refusal("E_STORE", Store, path)
    assert f"schema {schema.VERSION + 1}, this one knows {schema.VERSION}" in error.message
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION + 1,)


def test_a_damaged_file_is_refused(path: Path, store: Store) -> None:
    opened(store)
    store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    assert refusal("E_STORE", Store, path).kind is E_STORE


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"notes to self, " * 1000)
    assert refusal("E_STORE", Store, path).kind is E_STORE


def test_a_failed_migration_changes_nothing(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.close()
    steps = (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "CREATE TABLE apps (x)"))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "VERSION", len(steps))
    refusal("E_STORE", Store, path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone() == (0,)
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION - 1,)


def test_one_deployment_of_a_name_at_a_time(store: Store) -> None:
    opened(store)
    error = refusal("E_BUSY", opened, store, "shop", "d2")
    assert error.kind is E_BUSY
    assert str(error) == '"shop" is busy: src is being built'
    opened(store, "other", "d3")
    store.change_deployment("d1", status="failed")
    opened(store, "shop", "d4")


def test_revisions_are_numbered_and_the_last_is_the_target(store: Store) -> None:
    store.accept_revision(revision(), opened(store))
    store.mark_serving("default", "shop", 1)
    store.change_deployment("d1", status="ready")
    store.accept_revision(revision(), opened(store, ident="d2"))
    store.mark_failed("default", "shop", 2, "no answer")
    app = store.app("default", "shop")
    assert (app.serving, app.target, app.reason) == (1, 1, "no answer")
    assert [one.status for one in store.revisions("default", "shop")] == ["serving", "failed"]


def test_the_revisions_of_all_apps_are_those_of_each(store: Store) -> None:
    for ident, name in (("d1", "shop"), ("d2", "bank"), ("d3", "shop")):
        store.accept_revision(revision(name), opened(store, name, ident))
        store.change_deployment(ident, status="ready")
    found = store.revisions_by_app()
    assert {key: tuple(every) for key, every in found.items()} == {
        ("default", name): store.revisions("default", name) for name in ("bank", "shop")
    }
    assert store.revisions_by_app("default") == found
    assert store.revisions_by_app("other") == {}


def test_a_name_is_an_app_or_a_job_but_not_both(store: Store) -> None:
    store.accept_revision(revision("x"), opened(store, "x"))
    assert refusal("E_TAKEN", store.accept_job, job("x"), "d1", 1.0, None).kind is E_TAKEN
    store.accept_job(job("y"), opened(store, "y", "d2"), 1.0, None)
    assert refusal("E_TAKEN", store.accept_revision, revision("y"), "d2").kind is E_TAKEN


def test_the_name_of_a_run_never_comes_again(store: Store) -> None:
    assert submitted(store).name == "report-1"
    store.delete_run("default", "report-1")
    assert submitted(store).name == "report-2"
    store.delete_job("default", "report")
    assert submitted(store).name == "report-3"


def test_a_run_that_was_deleted_while_it_ended_stays_deleted(store: Store) -> None:
    run = submitted(store)
    (task,) = store.tasks("default", run.name)
    store.delete_run("default", run.name)
    store.mark_running(task, 1.0)
    assert store.finish_attempt(task, Attempt(0, "failed", 1), "failed", 1.0) is None
    assert (store.open_runs(), store.open_tasks()) == ((), {})
    assert refusal("E_NOT_FOUND", store.run, "default", run.name).kind is E_NOT_FOUND


def test_the_end_of_an_attempt_is_recorded_once(store: Store) -> None:
    run = submitted(store, Execution(array="0-1"))
    first, second = store.tasks("default", run.name)
    store.mark_running(first, 2.0)
    assert store.finish_attempt(first, Attempt(0, "succeeded", 0), "succeeded", 3.0) is not None
    assert store.finish_attempt(first, Attempt(0, "failed", 1), "failed", 4.0) is None
    assert store.run("default", run.name).status == "running"
    store.finish_attempt(second, Attempt(0, "failed", 1, "exit code 1"), "pending", 5.0)
    assert store.tasks("default", run.name)[1].tries == 1
    assert store.finish_attempt(second, Attempt(0, "failed", 1), "failed", 5.0) is None  # an attempt of before
    again = store.tasks("default", run.name)[1]
    store.finish_attempt(again, Attempt(1, "failed", 7, "exit code 7"), "failed", 6.0)
    ended = store.run("default", run.name)
    assert (ended.status, ended.exit, ended.reason, ended.finished) == ("failed", 7, "exit code 7", 6.0)
    assert store.counts("default") == {run.name: {"succeeded": 1, "failed": 1}}


def test_a_run_that_a_server_of_before_has_begun_goes_on_as_an_array_of_one(path: Path) -> None:
    old = sqlite3.connect(path)
    for step in MIGRATIONS[0]:
        old.execute(step)
    doc = b'{"project": "default", "job": "report", "name": "report-1", "image": "sha256:x", "config": {}, "status": "running"}'
    old.execute("INSERT INTO jobruns VALUES (1, 'default', 'report', 1, 'report-1', 'running', ?)", (doc,))
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    made = Store(path)
    (task,) = made.tasks("default", "report-1")
    assert (task.job, task.index, task.status, task.instance) == ("report", 0, "running", "0-0")
    assert made.open_tasks() == {("default", "report-1"): [task]}
    made.close()


def test_an_app_that_is_being_deleted_takes_no_revision(store: Store) -> None:
    store.accept_revision(revision(), opened(store))
    store.delete_app("default", "shop")
    refusal("E_BUSY", store.accept_revision, revision(), "d1")
    store.forget_app("default", "shop")
    assert store.apps() == ()
    assert uses(store) == ()


def test_old_events_go(store: Store) -> None:
    for number in range(KEEP_EVENTS + 5):
        store.record(Event(number, "default", "shop", "serving"))
    assert [one.at for one in store.events("default", "shop")] == list(range(5, KEEP_EVENTS + 5))


def test_what_happens_often_leaves_what_happens_rarely(store: Store) -> None:
    store.record(Event(0, "default", "shop", "serving"))
    for number in range(KEEP_EVENTS + 5):
        store.record(Event(number, "default", "shop", "scaled"))
    assert [one.what for one in store.events("default", "shop")] == ["serving", *["scaled"] * KEEP_EVENTS]


def test_many_writers_lose_nothing_and_never_find_it_locked(path: Path) -> None:
    failures: list[S2IError] = []

    def write(writer: int) -> None:
        store = Store(path)  # a connection of its own, as another process would have
        try:
            for number in range(40):
                store.record(Event(number, "default", f"app{writer}", "event"))
        except S2IError as error:
            failures.append(error)

    Store(path).close()
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = Store(path)
    assert [len(store.events("default", f"app{writer}")) for writer in range(6)] == [40] * 6


def test_a_database_that_is_removed_under_the_server_takes_no_more_writes(tmp_path: Path) -> None:
    store = Store(tmp_path / "s2i.db")
    (tmp_path / "s2i.db").unlink()
    with pytest.raises(S2IError, match="it was removed or replaced while the server ran"):
        store.delete_app("default", "shop")


def test_a_domain_leads_to_one_app(store: Store) -> None:
    """THREATS T49."""
    for name in ("shop", "mail"):
        store.accept_revision(revision(name), opened(store, name, f"d-{name}"))
    store.map_domain("default", "shop", Domain("a.example.com"))
    with pytest.raises(S2IError) as caught:
        store.map_domain("default", "mail", Domain("a.example.com"))
    assert (caught.value.code, caught.value.exit) == ("E_DOMAIN_TAKEN", 2)
    assert store.map_domain("default", "shop", Domain("a.example.com", "off")).domains == (
        Domain("a.example.com", "off"),
    )
    store.unmap_domain("default", "shop", "a.example.com")
    assert store.map_domain("default", "mail", Domain("a.example.com")).domains == (Domain("a.example.com"),)


def test_what_is_done_as_one_is_taken_back_as_one(store: Store) -> None:
    def fail() -> None:
        with store.as_one():
            store.accept_revision(revision(), opened(store))
            store.record(Event(1.0, "default", "shop", "x"))
            raise E_BUSY(name="shop", holder="a test")

    refusal("E_BUSY", fail)
    assert (store.apps(), store.deployments(), store.events("default", "shop")) == ((), (), ())
    with store.as_one():
        store.accept_revision(revision(), opened(store))
    assert [one.name for one in store.apps()] == ["shop"]


def test_a_project_is_there_when_it_was_made_or_is_used(store: Store) -> None:
    assert store.projects() == (Project("default"),)
    made = store.create_project(Project("b", Amounts(cpu=2.0), 1.0))
    store.accept_job(Job("a", "report", "sha256:a", Config()), "", 1.0, None)
    assert store.projects() == (Project("a"), made, Project("default"))
    assert (store.limits("b"), store.limits("a"), store.limits("none")) == (Amounts(cpu=2.0), Amounts(), Amounts())
    refusal("E_PROJECT", store.create_project, Project("a"))
    refusal("E_PROJECT", store.create_project, Project("default"))
    refusal("E_NO_PROJECT", store.project, "none")
    refusal("E_NO_PROJECT", store.change_project, "none", lambda one: one)


def test_a_database_of_before_has_the_projects_that_were_used(path: Path, store: Store) -> None:
    store.accept_job(Job("a", "report", "sha256:a", Config()), "", 1.0, None)
    store.close()
    with sqlite3.connect(path) as db:
        for table in ("projects", "tokens", "members", "audit", "volumes"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 3")
    db.close()
    again = Store(path)
    assert [one.name for one in again.projects()] == ["a", "default"]
    again.close()


def test_what_is_left_of_a_project_goes_and_of_no_other(store: Store) -> None:
    for project in ("a", "b"):
        store.create_project(Project(project))
        store.record(Event(1.0, project, "shop", "x"))
    store.clear_project("a", forget=True)
    store.clear_project("default", forget=False)
    assert [one.name for one in store.projects()] == ["b", "default"]
    assert (store.events("a", "shop"), len(store.events("b", "shop"))) == ((), 1)
