"""Projects over HTTP: what each may have, uses and may come to; what is refused leaves nothing, what ends ends alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from s2i.control import aside, projects
from s2i.control.execute import sweep_images
from s2i.control.journal import Journal
from s2i.control.platform import Platform
from s2i.control.task import Built, Task
from s2i.errors import E_DOCKER
from s2i.resources.job import Execution, Job, Schedule
from s2i.resources.project import FIELDS, KEPT_SECONDS
from tests.control.simulation import Simulation


class World(Simulation):
    """A platform on fakes behind its API; a source called "once" makes a job."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.platform = Platform(self.store, self.engine, self.router, self._build)
        self.building: list[str] = []
        self.may_build = threading.Event()
        self.may_build.set()
        self.platform.loop._prober.answers = self.engine.answers
        self.platform.sweeper.stop()

    def _build(self, task: Task) -> Built:
        self.building.append(task.request.name)
        assert self.may_build.wait(10)
        return Built("job" if task.request.name == "once" else "app", "sha256:app")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.platform.stop()


def deploy(client: TestClient, project: str, name: str = "shop", **more: object) -> Any:
    """Deploy, and return the deployment at its end, or the error that refused it."""
    body = {"source": {"type": "folder", "path": "/src"}, "name": name, **more}
    begun = client.post(f"/v1/projects/{project}/deployments", json=body)
    if begun.status_code != 201:
        return begun.json()["error"]
    at = f"/v1/projects/{project}/deployments/{begun.json()['id']}"
    list(client.get(f"{at}/events").iter_lines())
    return client.get(at).json()


def scale(most: int) -> dict[str, object]:
    return {"change": {"scale": {"max": most, "min": 1}, "config": {"memory": 64 << 20}}}


def limited(client: TestClient, name: str = "a", **limits: object) -> Any:
    answer = client.post("/v1/projects", json={"name": name, "limits": limits})
    assert answer.status_code == 201, answer.text
    return answer.json()


def names(client: TestClient) -> list[str]:
    return [one["name"] for one in client.get("/v1/projects").json()]


def begun(client: TestClient, project: str, name: str) -> str:
    body = {"source": {"type": "folder", "path": "/src"}, "name": name}
    return str(client.post(f"/v1/projects/{project}/deployments", json=body).json()["id"])


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_builds_beyond_the_limit_wait_in_their_order_and_say_so(client: TestClient, world: World) -> None:
    limited(client, builds=1)
    world.may_build.clear()
    first = begun(client, "a", "one")
    until(lambda: world.building == ["one"])
    second, _, third = (begun(client, "a", name) for name in ("two", "gone", "three"))
    begun(client, "b", "other")
    until(lambda: sorted(world.building) == ["one", "other"])
    until(lambda: "the project builds 1 at once" in b"".join(Journal(third).read(0)[0]).decode())
    assert client.get("/v1/projects/a").json()["used"]["builds"] == 1
    client.delete("/v1/projects/a/apps/gone")
    world.may_build.set()
    for ident in (first, second, third):
        at = f"/v1/projects/a/deployments/{ident}"
        until(lambda at=at: client.get(at).json()["status"] == "ready")
    assert [name for name in world.building if name != "other"] == ["one", "two", "three"]
    assert client.get("/v1/projects/a").json()["used"]["builds"] == 0


def test_a_project_whose_disk_of_images_is_full_builds_nothing_more(client: TestClient, world: World) -> None:
    limited(client, images=1 << 30)
    world.engine.bytes_of_images["a"] = 1 << 29
    assert deploy(client, "a")["status"] == "ready"
    assert client.get("/v1/projects/a").json()["used"]["images"] == 1 << 29
    world.engine.bytes_of_images["a"] = (1 << 30) + 1
    error = deploy(client, "a", "web")
    assert (error["code"], error["message"]) == (
        "E_QUOTA",
        'the project "a" is limited to 1G of images: it comes to 1025M of images now, and to more with a build of web',
    )
    assert error["advice"] == (
        "delete apps and jobs that are not needed (ten revisions of an app are kept), or raise the limit: "
        "`s2i project update a --limit-images 3G`"
    )
    world.engine.fail_next("disk", E_DOCKER(socket="x", why="y"))
    assert client.get("/v1/projects/a").json()["used"]["images"] == -1


def test_a_project_is_made_shown_and_changed(client: TestClient) -> None:
    assert names(client) == ["default"]
    made = limited(client, cpu=4, memory=1 << 30)
    assert (made["limits"]["cpu"], made["limits"]["memory"], made["created"] > 0) == (4.0, 1 << 30, True)
    changed = client.patch("/v1/projects/a", json={"limits": {"cpu": 0, "apps": 3}}).json()
    assert {field: value for field, value in changed["limits"].items() if value} == {"memory": 1 << 30, "apps": 3}
    assert client.get("/v1/projects/a").json() == changed
    assert names(client) == ["a", "default"]


def test_a_project_is_there_by_its_first_use(client: TestClient) -> None:
    assert client.get("/v1/projects/b").status_code == 404
    deploy(client, "b", **scale(2))
    shown = client.get("/v1/projects/b").json()
    assert (shown["holds"], shown["created"]) == (["app shop"], 0.0)
    assert shown["forecast"] == dict(zip(FIELDS, (2.0, 128 << 20, 2, 1, 0, 0, 0, 0, 0), strict=True))
    until = time.monotonic() + 10
    while client.get("/v1/projects/b").json()["used"]["instances"] != 1:
        assert time.monotonic() < until
    assert client.get("/v1/projects/b").json()["used"]["cpu"] == 1.0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "", {"name": "default"}, 400, "E_PROJECT"),
        ("POST", "", {"name": "A b"}, 400, "E_NAME"),
        ("POST", "", {"name": "x", "limits": {"disk": 1}}, 400, "E_REQUEST"),
        ("POST", "", {"name": "x", "limits": {"cpu": -1}}, 400, "E_LIMIT"),
        ("POST", "", {"name": "x", "limits": {"memory": "8G"}}, 400, "E_REQUEST"),
        ("POST", "", {}, 400, "E_REQUEST"),
        ("PATCH", "/none", {"limits": {"cpu": 1}}, 404, "E_NO_PROJECT"),
        ("PATCH", "/default", {"limit": {"cpu": 1}}, 400, "E_REQUEST"),
        ("DELETE", "/none/force", None, 404, "E_NO_PROJECT"),
        ("DELETE", "/default/unused", None, 400, "E_PROJECT"),
        ("DELETE", "/default/force", None, 400, "E_PROJECT"),
        ("DELETE", "/none/hard", None, 404, "E_NO_PROJECT"),
        ("POST", "/none/restore", None, 404, "E_NO_PROJECT"),
        ("POST", "/default/restore", None, 400, "E_PROJECT"),
        ("DELETE", "/default/now", None, 400, "E_REQUEST"),
    ],
)
def test_what_cannot_be_is_refused(
    client: TestClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = client.request(method, f"/v1/projects{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert names(client) == ["default"]


@pytest.mark.parametrize("more", [{"expect": "new"}, {}])
def test_an_app_beyond_the_limit_is_refused_and_nothing_of_it_is_there(
    client: TestClient, world: World, more: dict[str, object]
) -> None:
    limited(client, cpu=3)
    ended = deploy(client, "a", **scale(4), **more)
    error = ended if more else ended["error"]  # what may turn out to be a job is built first
    assert (error["code"], error["exit"]) == ("E_QUOTA", 2)
    assert error["message"] == (
        'the project "a" is limited to 3 CPUs: it comes to 0 CPUs now, and to 4 CPUs with the app shop'
    )
    assert (world.store.apps(), world.engine.containers) == ((), {})
    assert deploy(client, "a", **scale(3), **more)["status"] == "ready"


def test_no_change_of_an_app_goes_beyond_the_limit(client: TestClient, world: World) -> None:
    limited(client, cpu=3)
    deploy(client, "a", **scale(2))
    at = "/v1/projects/a/apps/shop"
    before = client.get(at).json()["scale"]
    for answer in (
        client.patch(f"{at}/scale", json={"max": 4}),
        client.post(f"{at}/fits", json={"change": {"scale": {"max": 4}}}),
        client.post(f"{at}/fits", json={"change": {"config": {"cpu": 2.0}}, "revision": True}),
        client.post("/v1/projects/a/apps/new/fits", json={"revision": True}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "E_QUOTA")
    assert client.get(at).json()["scale"] == before
    assert client.post(f"{at}/fits", json={"change": {"scale": {"max": 3}}}).json() == {"fits": "shop"}
    assert deploy(client, "a", change={"config": {"cpu": 2.0}})["code"] == "E_QUOTA"
    assert len(world.store.revisions("a", "shop")) == 1


def test_a_split_and_tags_count_and_are_set_together_or_not_at_all(client: TestClient, world: World) -> None:
    limited(client, cpu=3)
    deploy(client, "a", **scale(2))
    deploy(client, "a", change={"env": [["A", "1"]]})
    at = "/v1/projects/a/apps/shop"
    split = client.put(f"{at}/traffic", json={"percents": [[1, 50], [2, 50]], "tags": {"new": 2}})
    assert (split.status_code, split.json()["error"]["code"]) == (403, "E_QUOTA")
    assert client.put(f"{at}/traffic", json={"tags": {"old": 1}}).status_code == 403
    assert (world.store.app("a", "shop").traffic, world.store.app("a", "shop").tags) == ((), ())
    client.patch("/v1/projects/a", json={"limits": {"cpu": 4}})
    assert client.put(f"{at}/traffic", json={"percents": [[1, 50], [2, 50]], "tags": {"new": 2}}).status_code == 200


def test_a_run_that_waits_says_for_what(client: TestClient) -> None:
    limited(client, cpu=1)
    deploy(client, "a", "once", kind="job", submit=False, change={"config": {"memory": 64 << 20}})
    name = client.post("/v1/projects/a/jobs/once/runs", json={"execution": {"array": "0-2"}}).json()["name"]
    until, found = time.monotonic() + 10, {}
    while not found.get("waits"):
        assert time.monotonic() < until
        found = client.get(f"/v1/projects/a/jobruns/{name}").json()
    assert found["waits"] == "the project's 1 CPU is taken"
    assert [one["waits"] for one in client.get("/v1/projects/a/jobruns").json()] == [found["waits"]]


def fill(client: TestClient, world: World) -> None:
    """Make two projects with an app, a job, a schedule and a secret each."""
    for project in ("a", "b"):
        deploy(client, project, **scale(2))
        world.store.accept_job(
            Job(project, "report", "sha256:app", world.store.revisions(project, "shop")[0].config), "", 1.0, Execution()
        )
        world.store.change_job(project, "report", lambda job: _scheduled(job))
        client.post(f"/v1/projects/{project}/secrets", json={"name": "db", "values": {"A": "Yg=="}})


@pytest.mark.parametrize("before", ["", "force"])
def test_a_project_with_something_in_it_is_removed_by_hard_alone_and_no_other_with_it(
    client: TestClient, world: World, before: str
) -> None:
    fill(client, world)
    refused = client.delete("/v1/projects/a/unused")
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        409,
        'the project "a" still has app shop, job report, secret db',
    )
    if before:
        assert client.delete("/v1/projects/a/force").json()["until"] > 0
    assert client.delete("/v1/projects/a/hard").json() == {"deleted": "a", "until": 0.0}
    assert client.get("/v1/projects?deleted=true").json() == []
    assert world.store.revisions("a", "shop") == ()
    assert names(client) == ["b", "default"]
    assert {one.owner.project for one in world.engine.observe()} == {"b"}
    assert {project for project, _ in world.router.routes()} == {"b"}
    assert client.get("/v1/projects/b").json()["holds"] == ["app shop", "job report", "secret db"]
    assert [one.name for one in world.store.jobs() if one.schedule] == ["report"]
    assert world.engine.networks == {"b"}


def test_a_deleted_project_is_hidden_takes_nothing_and_comes_back_as_it_was(client: TestClient, world: World) -> None:
    limited(client, apps=3)
    fill(client, world)
    client.post("/v1/projects/a/jobs/report/runs", json={})
    shown = client.get("/v1/projects/a/apps/shop").json()
    until = client.delete("/v1/projects/a/force").json()["until"]
    assert until == pytest.approx(time.time() + KEPT_SECONDS, abs=60)
    assert {one.owner.project for one in world.engine.observe()} == {"b"}
    assert {project for project, _ in world.router.routes()} == {"b"}
    assert (world.engine.networks, names(client)) == ({"b"}, ["b", "default"])
    assert [one.project for one in world.store.jobs() if one.schedule] == ["b"]
    assert [one for one in world.store.open_runs() if one.project == "a"] == []
    (gone,) = client.get("/v1/projects?deleted=true").json()
    assert (gone["name"], gone["until"], gone["holds"]) == ("a", until, ["app shop", "job report", "secret db"])
    for method, path, body in (
        ("POST", "", {"name": "a"}),
        ("GET", "/a", None),
        ("PATCH", "/a", {"limits": {"cpu": 1}}),
        ("DELETE", "/a/unused", None),
        ("DELETE", "/a/force", None),
        ("GET", "/a/apps", None),
        ("GET", "/a/secrets/db/values", None),
        ("POST", "/a/secrets", {"name": "new", "values": {"A": "Yg=="}}),
        ("POST", "/a/deployments", {"source": {"type": "folder", "path": "/src"}, "name": "shop"}),
        ("POST", "/a/jobs/report/runs", {}),
    ):
        answer = client.request(method, f"/v1/projects{path}", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["exit"]) == (409, "E_PROJECT_DELETED", 2), (method, path)
    assert "`s2i project restore a`" in error["advice"]
    assert "--hard" in error["advice"]
    sweep_images(world.world)
    assert "sha256:app" in world.engine.images
    assert client.post("/v1/projects/a/restore").json() == {"restored": "a", "lost": []}
    assert client.get("/v1/projects/a").json()["limits"]["apps"] == 3
    assert client.get("/v1/projects/a/secrets/db/values").json()["values"] == {"A": "Yg=="}
    assert client.get("/v1/projects/a/jobs/report").json()["schedule"]["cron"] == "0 0 1 1 *"
    end = time.monotonic() + 10
    while (found := client.get("/v1/projects/a/apps/shop").json())["running"] != 1:
        assert time.monotonic() < end
    assert [found[key] for key in ("revision", "image", "scale")] == [
        shown[key] for key in ("revision", "image", "scale")
    ]
    assert ("a", "shop") in world.router.routes()


def test_what_was_lost_meanwhile_is_told(client: TestClient, world: World) -> None:
    fill(client, world)
    client.delete("/v1/projects/a/force")
    world.engine.images.clear()
    assert client.post("/v1/projects/a/restore").json()["lost"] == ["shop"]


def test_after_a_week_a_deleted_project_ends(client: TestClient, world: World) -> None:
    fill(client, world)
    until = client.delete("/v1/projects/a/force").json()["until"]
    for now, left in ((until - 1, ["a"]), (until, [])):
        world.platform.world = msgspec.structs.replace(world.platform.world, now=lambda now=now: now)
        projects.end_old(world.platform)
        assert [one.name for one in world.store.deleted_projects()] == left
    assert (world.store.apps("a"), world.store.bundles("a", "secret"), world.store.revisions("a", "shop")) == (
        (),
        (),
        (),
    )
    assert len(world.store.apps("b")) == 1
    assert client.post("/v1/projects", json={"name": "a"}).status_code == 201


def test_a_server_that_died_while_a_project_ended_goes_on_with_that(client: TestClient, world: World) -> None:
    fill(client, world)
    client.post("/v1/projects/a/jobs/report/runs", json={})
    world.store.hide_project("a", world.platform.world.now())  # and no more
    projects.end_old(world.platform)
    assert {one.owner.project for one in world.engine.observe()} == {"b"}
    assert {project for project, _ in world.router.routes()} == {"b"}
    assert [one for one in world.store.open_runs() if one.project == "a"] == []


def test_a_sweep_leaves_a_project_alone_that_was_restored_meanwhile(client: TestClient, world: World) -> None:
    fill(client, world)
    client.delete("/v1/projects/a/force")
    client.post("/v1/projects/a/restore")
    aside.end(world.platform, "a")
    assert {project for project, _ in world.router.routes()} == {"a", "b"}
    assert "a" in names(client)


def test_an_empty_project_is_removed_at_once(client: TestClient) -> None:
    limited(client)
    assert client.delete("/v1/projects/a/force").json() == {"deleted": "a", "until": 0.0}
    assert client.get("/v1/projects?deleted=true").json() == []


def test_the_egress_of_a_project_is_closed_before_it_is_said_to_be(client: TestClient, world: World) -> None:
    limited(client)
    assert client.get("/v1/projects/a").json()["egress"] == "all"
    assert client.patch("/v1/projects/a", json={"egress": "none"}).json()["egress"] == "none"
    assert world.engine.closed == ("a",)
    assert client.patch("/v1/projects/a", json={"limits": {"cpu": 1}}).json()["egress"] == "none"
    assert client.post("/v1/projects", json={"name": "b", "egress": "none"}).json()["egress"] == "none"
    world.platform.loop.look()
    assert world.engine.closed == ("a", "b")
    assert client.patch("/v1/projects/a", json={"egress": "all"}).json()["egress"] == "all"
    assert world.engine.closed == ("b",)
    assert client.patch("/v1/projects/a", json={"egress": "some"}).json()["error"]["code"] == "E_REQUEST"


def test_without_a_firewall_no_project_is_closed(client: TestClient, world: World) -> None:
    limited(client)
    world.engine.unshielded = "it takes root"
    for answer in (
        client.patch("/v1/projects/a", json={"egress": "none", "limits": {"cpu": 1}}),
        client.post("/v1/projects", json={"name": "b", "egress": "none"}),
    ):
        error = answer.json()["error"]
        assert (error["code"], error["exit"], "it takes root" in error["message"]) == ("E_EGRESS", 6, True)
    shown = client.get("/v1/projects/a").json()
    assert (shown["egress"], shown["limits"]["cpu"], names(client)) == ("all", 0.0, ["a", "default"])
    assert client.patch("/v1/projects/a", json={"limits": {"cpu": 1}}).status_code == 200


def test_the_default_project_is_emptied_and_stays_with_its_limits(client: TestClient) -> None:
    client.patch("/v1/projects/default", json={"limits": {"apps": 2}})
    deploy(client, "default", **scale(2))
    assert client.delete("/v1/projects/default/hard").status_code == 200
    shown = client.get("/v1/projects/default").json()
    assert (shown["holds"], shown["limits"]["apps"]) == ([], 2)
    assert client.get("/v1/projects/default/deployments").json() == []


def _scheduled(job: Job) -> Job:
    return msgspec.structs.replace(job, schedule=Schedule("0 0 1 1 *", since=1000.0))
