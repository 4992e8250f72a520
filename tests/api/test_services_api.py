"""Services over HTTP: a daemon with a secret and a volume of its own, that nothing of a job's can be done to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from s2i.control import dumps
from s2i.errors import E_DISK, S2IError
from tests.api.test_projects_api import World, deploy

P = "/v1/projects/default"
AT = f"{P}/services"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("s2i.images.services.ensure", lambda kind: "sha256:app")
    made = World(tmp_path)
    yield made
    made.platform.stop()


def make(client: TestClient, name: str = "db", kind: str = "postgres", project: str = "default", **more: Any) -> Any:
    return client.post(f"/v1/projects/{project}/services", json={"name": name, "kind": kind, **more})


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def runs(world: World, name: str = "db") -> bool:
    return any(one.owner.name == name and one.state == "running" for one in world.engine.observe())


def bind(*names: str) -> dict[str, object]:
    every = [
        {"kind": "secret", "name": f"{one}-service", "key": key, "variable": variable}
        for one in names
        for key, variable in (("url", f"{one.upper()}_URL"), ("services", "CE_SERVICES"))
    ]
    return {"change": {"env_from": every, "scale": {"min": 1}}}


def test_a_service_is_a_daemon_with_a_secret_and_a_volume_and_shows_no_credentials(
    world: World, client: TestClient
) -> None:
    made = make(client)
    assert (made.status_code, made.json()["host"], made.json()["port"]) == (201, "db", 5432)
    eventually(lambda: runs(world))
    (work,) = [one for one in world.engine.works.values() if one.owner.name == "db"]
    assert work.alias == "db"
    password = world.world.vault.values(world.store.bundle("default", "secret", "db-service"))["password"].decode()
    assert len(password) == 48
    assert not [value for _, value in work.config.env if password in value]
    assert world.engine.volumes == {("default", "db")}
    for text in (client.get(AT).text, client.get(f"{AT}/db").text, made.text, client.get(f"{P}/jobs/db").text):
        assert password not in text
    assert client.get(f"{AT}/none").status_code == 404


def test_it_answers_when_it_listens_where_its_apps_ask(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    assert client.get(f"{AT}/db").json()["answers"] is False
    (box,) = [one for one in world.engine.observe() if one.owner.name == "db"]
    world.engine.ports[box.owner] = (("0.0.0.0", 5432),)
    assert client.get(f"{AT}/db").json()["answers"] is True


def test_a_name_that_is_taken_makes_nothing(world: World, client: TestClient) -> None:
    deploy(client, "default", name="shop")
    deploy(client, "default", name="once", submit=False)
    for name in ("shop", "once"):
        assert code(make(client, name)) == "E_TAKEN"
    client.post(f"{P}/secrets", json={"name": "db-service", "values": {"A": "MQ=="}})
    assert code(make(client)) == "E_TAKEN"
    assert code(make(client, "Db")) == "E_NAME"
    assert (world.engine.volumes, client.get(AT).json()) == (set(), [])


def test_what_fails_halfway_leaves_nothing(world: World, client: TestClient) -> None:
    client.post("/v1/projects", json={"name": "a", "limits": {"jobs": 1, "volumes": 1}})
    deploy(client, "a", name="once", submit=False)
    assert code(make(client, project="a")) == "E_QUOTA"
    world.engine.fail_next("make_volume", E_DISK(why="full"))
    assert code(make(client)) == "E_DISK"
    assert world.engine.volumes == set()
    assert [world.store.bundles(one, "secret") for one in ("a", "default")] == [(), ()]
    assert [client.get(f"/v1/projects/{one}/volumes").json() for one in ("a", "default")] == [[], []]


def test_nothing_of_a_job_can_be_done_to_it(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    refused = (
        client.post(f"{P}/jobs/db/runs", json={}),
        client.patch(f"{P}/jobs/db/settings", json={}),
        client.put(f"{P}/jobs/db/schedule", json={"cron": "@daily"}),
        client.delete(f"{P}/jobs/db"),
        client.post(f"{P}/jobruns/db-1/cancel", json={}),
        client.delete(f"{P}/jobruns/db-1"),
    )
    assert [code(one) for one in refused] == ["E_SERVICE"] * len(refused)
    assert deploy(client, "default", name="db")["error"]["code"] == "E_TAKEN"
    assert code(client.delete(f"{P}/volumes/db")) == "E_VOLUME_USED"
    assert runs(world)


def test_one_that_ends_is_started_again(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    (box,) = [one for one in world.engine.observe() if one.owner.name == "db"]
    world.engine.exit(box.owner, 137)
    eventually(lambda: "exit code 137" in client.get(f"{AT}/db").json()["reason"] or runs(world))
    assert client.get(f"{AT}/db").json()["status"] in ("pending", "running")


def test_one_that_is_bound_is_not_deleted_and_its_users_are_named(world: World, client: TestClient) -> None:
    make(client)
    make(client, "cache", "redis")
    assert deploy(client, "default", name="shop", **bind("db", "cache"))["status"] == "ready"
    (work,) = [one for one in world.engine.works.values() if one.owner.name == "shop"]
    env = dict(work.config.env)
    assert env["DB_URL"].startswith("postgresql://app:")
    assert ('"db"' in env["CE_SERVICES"], '"cache"' in env["CE_SERVICES"]) == (True, True)
    refused = client.delete(f"{AT}/db/all")
    assert (code(refused), refused.json()["error"]["message"]) == (
        "E_SERVICE_USED",
        "the service db is bound to app shop",
    )
    client.delete(f"{P}/apps/shop")
    assert client.delete(f"{AT}/db/all").status_code == 200
    assert client.delete(f"{AT}/cache/keep-volume").status_code == 200
    assert world.engine.volumes == {("default", "cache")}
    assert (client.get(AT).json(), world.store.bundles("default", "secret"), runs(world)) == ([], (), False)
    world.engine.images.add("sha256:app")  # that of the app, which went with it
    assert make(client, "cache", "redis").status_code == 201


def test_one_whose_volume_somebody_else_mounts_is_not_deleted_with_it(world: World, client: TestClient) -> None:
    make(client)
    deploy(client, "default", name="once", submit=False, change={"volumes": [{"name": "db", "directory": "/db"}]})
    refused = client.delete(f"{AT}/db/all")
    assert (code(refused), refused.json()["error"]["message"]) == ("E_VOLUME_USED", "the volume db is used by job once")
    assert client.get(f"{AT}/db").status_code == 200
    assert client.delete(f"{AT}/db/keep-volume").status_code == 200


def test_one_of_a_restored_project_runs_again(world: World, client: TestClient) -> None:
    make(client, project="a")
    eventually(lambda: runs(world))
    assert client.get("/v1/projects/a").json()["holds"] == ["service db", "secret db-service", "volume db"]
    assert client.delete("/v1/projects/a/force").status_code == 200
    assert not runs(world)
    client.post("/v1/projects/a/restore")
    eventually(lambda: runs(world))


def test_a_backup_is_what_its_program_writes_and_a_foreign_file_changes_nothing(
    world: World, client: TestClient, tmp_path: Path
) -> None:
    make(client)
    eventually(lambda: runs(world))
    world.engine.answer = lambda script: (0, b"PGDMP and more", "") if "pg_dump" in script else (0, b"", "")
    found = client.get(f"{AT}/db/backup")
    assert (found.status_code, found.content) == (200, b"PGDMP and more")
    before = len(world.engine.calls)
    for content in (b"", b"REDIS0011", b"#!/bin/sh"):
        assert code(client.post(f"{AT}/db/restore", content=content)) == "E_DUMP"
    assert world.engine.calls[before:] == []
    assert client.post(f"{AT}/db/restore", content=found.content).json() == {"restored": "db"}
    assert world.engine.files["/data/.restore"] == found.content


def test_a_torn_file_is_found_before_anything_is_put_back(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    world.engine.answer = lambda script: (1, b"", "it ends too early\n") if "/dev/null" in script else (0, b"", "")
    refused = client.post(f"{AT}/db/restore", content=b"PGDMP")
    assert refused.json()["error"]["message"] == "the service db cannot be restored: it ends too early"
    scripts = [script for verb, script in world.engine.calls if verb == "run_in"]
    assert [script for script in scripts if "--clean" in script] == []
    assert "rm -f /data/.restore" in scripts[-1]


def test_a_dump_that_fails_is_told(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    world.engine.answer = lambda script: (1, b"", "no space\n")
    assert client.get(f"{AT}/db/backup").json()["error"]["message"] == "the service db cannot be backed up: no space"


@pytest.mark.parametrize("kind", dumps.PROGRAMS)
def test_no_command_of_a_backup_has_a_password_among_its_words(kind: Any) -> None:
    programs = dumps.PROGRAMS[kind]
    for script in (programs.dump, programs.check, programs.restore):
        assert not any(word in script for word in ("-a ", "--pass", "PGPASSWORD", "://"))


def test_one_that_does_not_run_cannot_be_backed_up(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    job = world.store.job("default", "db")
    world.platform.loop.stop()
    world.engine.containers.clear()
    with pytest.raises(S2IError, match="it does not run"):
        dumps.write(world.world, job, Path("/nowhere"))


def test_its_secret_goes_with_it_and_not_before(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    for how in ("unused", "force"):
        assert code(client.delete(f"{P}/secrets/db-service/{how}")) == "E_SERVICE"
    assert [one.name for one in world.store.bundles("default", "secret")] == ["db-service"]


def test_a_variable_of_ones_own_does_not_hide_that_of_a_service(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    assert deploy(client, "default", **bind("db"))["status"] == "ready"
    error = deploy(client, "default", change={"config": {}, "env": [["DB_URL", "x"]]})
    assert (error["code"], "it is that of the service db" in error["message"]) == ("E_ENV", True)


def test_a_file_that_is_no_backup_is_the_senders_fault(world: World, client: TestClient) -> None:
    make(client)
    eventually(lambda: runs(world))
    answer = client.post(f"{AT}/db/restore", content=b"REDIS0011")
    assert (answer.status_code, code(answer)) == (422, "E_DUMP")
