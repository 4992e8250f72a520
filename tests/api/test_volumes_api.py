"""Volumes over HTTP: made and removed by name alone, refused where they are not there, left by every other end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from s2i.errors import E_CONTAINER
from tests.api.test_projects_api import World, deploy

AT = "/v1/projects/default/volumes"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.platform.stop()


def make(client: TestClient, name: str = "data", project: str = "default") -> Any:
    return client.post(f"/v1/projects/{project}/volumes", json={"name": name})


def mounting(*names: str) -> dict[str, object]:
    return {"change": {"volumes": [{"name": name, "directory": f"/{name}"} for name in names]}}


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def test_a_volume_is_made_listed_and_deleted(world: World, client: TestClient) -> None:
    assert make(client).status_code == 201
    assert (code(make(client)), make(client, "Data").json()["error"]["code"]) == ("E_VOLUME", "E_NAME")
    assert [(one["name"], one["users"], one["bytes"]) for one in client.get(AT).json()] == [("data", [], None)]
    assert client.get(f"{AT}/data?size=true").json()["bytes"] == 0
    assert client.delete(f"{AT}/data").json() == {"deleted": "data"}
    assert (client.get(AT).json(), world.engine.volumes) == ([], set())
    assert (client.get(f"{AT}/data").status_code, code(client.delete(f"{AT}/data"))) == (404, "E_NO_VOLUME")


@pytest.mark.parametrize("name", ["/", "..", "../x", "/var/run/docker.sock", "a/b", ""])
def test_no_path_makes_a_volume(world: World, client: TestClient, name: str) -> None:
    """THREATS T42."""
    assert make(client, name).status_code == 400
    body = {"volumes": [{"name": name, "directory": "/data"}]}
    assert deploy(client, "default", change=body)["code"] == "E_MOUNT"
    assert world.engine.volumes == set()


@pytest.mark.parametrize("more", [{"driver": "x"}, {"driver_opts": {"device": "/"}}, {"options": {}}])
def test_a_volume_takes_no_options_of_a_driver(client: TestClient, more: dict[str, object]) -> None:
    """THREATS T43."""
    answer = client.post(AT, json={"name": "data", **more})
    assert (answer.status_code, code(answer)) == (400, "E_REQUEST")


def test_what_mounts_a_volume_that_is_not_there_is_refused_with_the_command_that_makes_it(client: TestClient) -> None:
    refused = deploy(client, "bank", **mounting("data"))
    assert refused["code"] == "E_NO_VOLUME"
    assert refused["advice"] == "`s2i volume create data --project bank` makes it"
    make(client, project="default")
    assert deploy(client, "bank", **mounting("data"))["code"] == "E_NO_VOLUME"
    deploy(client, "default", name="once", submit=False)
    change = {"change": mounting("none")["change"]}
    assert code(client.patch("/v1/projects/default/jobs/once/settings", json=change)) == "E_NO_VOLUME"
    assert code(client.post("/v1/projects/default/jobs/once/runs", json=change)) == "E_NO_VOLUME"


def test_a_volume_in_use_is_not_deleted_and_its_users_are_named(world: World, client: TestClient) -> None:
    make(client)
    assert deploy(client, "default", **mounting("data"))["status"] == "ready"
    deploy(client, "default", name="once", submit=False, **mounting("data"))
    refused = client.delete(f"{AT}/data")
    assert (refused.status_code, code(refused)) == (409, "E_VOLUME_USED")
    assert refused.json()["error"]["message"] == "the volume data is used by app shop, job once"
    client.delete("/v1/projects/default/jobs/once")
    client.delete("/v1/projects/default/apps/shop")
    assert ("default", "data") in world.engine.volumes
    assert client.delete(f"{AT}/data").status_code == 200


def test_a_volume_stays_recorded_when_the_engine_does_not_remove_it(world: World, client: TestClient) -> None:
    make(client)
    world.engine.fail_next("remove_volume", E_CONTAINER(name="data", why="no"))
    assert client.delete(f"{AT}/data").status_code == 500
    assert [one["deleting"] for one in client.get(AT).json()] == [False]


def test_what_a_killed_server_began_to_delete_takes_nothing_new_and_goes_when_asked_again(
    world: World, client: TestClient
) -> None:
    make(client)
    world.store.put_volume(msgspec.structs.replace(world.store.volume("default", "data"), deleting=True))
    assert deploy(client, "default", **mounting("data"))["code"] == "E_NO_VOLUME"
    assert "it is just being deleted" in make(client).json()["error"]["message"]
    assert client.delete(f"{AT}/data").status_code == 200


def test_volumes_count_against_the_limit_of_their_project(world: World, client: TestClient) -> None:
    client.post("/v1/projects", json={"name": "a", "limits": {"volumes": 1}})
    assert make(client, project="a").status_code == 201
    refused = make(client, "more", "a").json()["error"]
    assert (refused["code"], refused["message"]) == (
        "E_QUOTA",
        'the project "a" is limited to 1 volume: it comes to 1 volume now, and to 2 volumes with the volume more',
    )
    found = client.get("/v1/projects/a").json()
    assert (found["used"]["volumes"], found["holds"], world.engine.volumes) == (1, ["volume data"], {("a", "data")})


def test_a_volume_that_the_engine_cannot_make_is_not_recorded(world: World, client: TestClient) -> None:
    world.engine.fail_next("make_volume", E_CONTAINER(name="data", why="no"))
    assert make(client).status_code == 500
    assert client.get(AT).json() == []


def test_a_deleted_project_keeps_its_volumes_until_it_is_removed_for_good(world: World, client: TestClient) -> None:
    for project in ("a", "b"):
        make(client, project=project)
    assert client.delete("/v1/projects/a/unused").json()["error"]["code"] == "E_PROJECT_USED"
    assert client.delete("/v1/projects/a/force").status_code == 200
    assert ("a", "data") in world.engine.volumes
    client.post("/v1/projects/a/restore")
    assert [one["name"] for one in client.get("/v1/projects/a/volumes").json()] == ["data"]
    assert client.delete("/v1/projects/a/hard").status_code == 200
    assert world.engine.volumes == {("b", "data")}
    assert [one["name"] for one in client.get("/v1/projects").json()] == ["b", "default"]


@pytest.mark.parametrize(("volumes", "left"), [(False, {("default", "data")}), (True, set())])
def test_removing_all_leaves_volumes_unless_that_is_said(
    world: World, client: TestClient, volumes: bool, left: set[tuple[str, str]]
) -> None:
    make(client)
    world.platform.remove_all(volumes=volumes)
    assert world.engine.volumes == left
    assert {(one.project, one.name) for one in world.store.volumes()} == left
