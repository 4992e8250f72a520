"""The API: one form of answer, one form of error, nothing that the caller should not see."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from s2i import dirs
from s2i.api.app import BODY_LIMIT, make_app
from s2i.control import kept
from s2i.control.platform import Platform
from s2i.control.task import Built, Task
from s2i.engines.engine import Line
from s2i.errors import E_DOCKER
from s2i.images.runs import shelf
from s2i.resources.app import Deployment, Routing
from s2i.resources.job import Attempt
from tests.control.simulation import Simulation


class World(Simulation):
    """A platform on fakes behind its API."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.platform = Platform(self.store, self.engine, self.router, _build)
        self.platform.loop._prober.answers = self.engine.answers
        self.platform.sweeper.stop()  # the fake has its image before anything needs one


def _build(task: Task) -> Built:
    task.emit({"type": "stage", "name": "plan", "text": "wsgi"})
    return Built("app", "sha256:app")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.platform.stop()


BODY = {"source": {"type": "folder", "path": "/src/shop"}, "name": "shop"}
BASE = "/v1/projects/default"


def test_a_deployment_is_followed_as_lines_to_its_result(client: TestClient) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY)
    assert (begun.status_code, begun.json()["status"]) == (201, "building")
    path = f"{BASE}/deployments/{begun.json()['id']}"
    events = [json.loads(line) for line in client.get(f"{path}/events").text.splitlines()]
    assert events[0] == {"type": "stage", "name": "plan", "text": "wsgi"}
    assert events[-1] == {"type": "result", "url": "http://shop.default.localhost:8080", "app": "shop", "revision": 1}
    assert client.get(path).json()["status"] == "ready"
    later = client.get(f"{path}/events", params={"start": len(events) - 1}).text.splitlines()
    assert [json.loads(line) for line in later] == events[-1:]


def test_an_app_is_listed_shown_and_deleted(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    (listed,) = client.get(f"{BASE}/apps").json()
    assert (listed["name"], listed["status"], listed["revision"]) == ("shop", "ready", 1)
    shown = client.get(f"{BASE}/apps/shop").json()
    assert [one["status"] for one in shown["revisions"]] == ["serving"]
    assert [one["what"] for one in shown["events"]] == ["serving"]
    assert client.delete(f"{BASE}/apps/shop").json() == {"deleted": "shop"}
    assert client.get(f"{BASE}/apps").json() == []
    assert world.engine.containers == {}


def test_how_requests_come_to_an_app_is_changed_in_parts_and_at_once(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json={**BODY, "change": {"routing": {"h2c": True}}}).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    shown = client.get(f"{BASE}/apps/shop").json()
    assert shown["routing"] == {"request_timeout": 300.0, "h2c": True, "visibility": "public", "body_limit": 0}
    client.patch(f"{BASE}/apps/shop/routing", json={"request_timeout": 60})
    changed = client.patch(f"{BASE}/apps/shop/routing", json={"visibility": "private", "h2c": False}).json()
    assert (changed["routing"]["request_timeout"], changed["routing"]["visibility"]) == (60.0, "private")
    assert changed["url"] == ""
    assert world.router.known["default", "shop"].routing == Routing(request_timeout=60.0, visibility="private")


@pytest.mark.parametrize(
    "body", [{"visibility": "all"}, {"request_timeout": 0}, {"body_limit": -1}, {"timeout": 5}, []]
)
def test_routing_that_cannot_be_is_refused(client: TestClient, body: object) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    answer = client.patch(f"{BASE}/apps/shop/routing", json=body)
    assert (answer.status_code, answer.json()["error"]["exit"]) == (400, 2)


def test_a_first_deployment_that_failed_is_seen_and_can_be_deleted(client: TestClient, world: World) -> None:
    world.store.open_deployment(Deployment("d1", "default", "nw", "/src", "building", 1.0))
    assert [(one["name"], one["status"]) for one in client.get(f"{BASE}/apps").json()] == [("nw", "building")]
    error: dict[str, str | int] = {"message": "no Python here", "found": "a.py:1"}
    world.store.change_deployment("d1", status="failed", error=error)
    shown = client.get(f"{BASE}/apps/nw").json()
    assert (shown["status"], shown["reason"], shown["revisions"]) == ("failed", "a.py:1: no Python here", [])
    assert client.delete(f"{BASE}/apps/nw").json() == {"deleted": "nw"}
    assert client.get(f"{BASE}/apps").json() == []


@pytest.mark.parametrize(
    ("built", "advice"),
    [
        (False, "`s2i app get nw` shows what is known of it"),
        (True, "`s2i buildrun logs d1` shows the log of its build"),
    ],
)
def test_the_log_of_what_never_started_is_that_of_its_build(
    client: TestClient, world: World, built: bool, advice: str
) -> None:
    world.store.open_deployment(Deployment("d1", "default", "nw", "/src", "building", 1.0))
    world.store.change_deployment("d1", status="failed", error={"message": "no Python here", "found": "a.py:1"})
    if built:
        (shelf.place() / "d1").mkdir(parents=True)
    answer = client.get(f"{BASE}/apps/nw/logs")
    error = answer.json()["error"]
    assert (404, "E_NEVER_STARTED", advice) == (answer.status_code, error["code"], error["advice"])
    assert error["message"] == "nw never started, so it has no log: a.py:1: no Python here"


def test_a_deployment_that_failed_is_no_trace_of_a_deleted_app(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    world.store.open_deployment(Deployment("d1", "default", "shop", "/src", "building", 1e12))
    world.store.change_deployment("d1", status="failed")
    client.delete(f"{BASE}/apps/shop")
    assert client.get(f"{BASE}/apps").json() == []


def test_the_log_of_an_app_is_one_json_object_a_line(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    (instance,) = [one for one in world.engine.observe() if one.role == "instance"]
    world.engine.say(instance.owner, b"one")
    world.engine.say(instance.owner, b"\x1b[2Jt\xffo")
    head, *lines = [json.loads(line) for line in client.get(f"{BASE}/apps/shop/logs").content.splitlines()]
    assert head == {"instances": ["r1-0"], "ended": []}
    assert [(one["instance"], one["line"]) for one in lines] == [("r1-0", "one"), ("r1-0", "\x1b[2Jt\ufffdo")]
    assert [json.loads(one) for one in client.get(f"{BASE}/apps/shop/logs?tail=1").content.splitlines()][1:] == lines[
        1:
    ]
    client.delete(f"{BASE}/apps/shop")
    assert not (dirs.state() / "logs" / "apps" / "default" / "shop").exists()


def test_what_somebody_does_to_an_app_is_an_event(client: TestClient) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    client.patch(f"{BASE}/apps/shop/scale", json={"max": 3})
    client.put(f"{BASE}/apps/shop/traffic", json={"percents": [[1, 100]]})
    client.put(f"{BASE}/apps/shop/traffic", json={"percents": []})
    client.post(f"{BASE}/apps/shop/stop")
    client.post(f"{BASE}/apps/shop/start")
    found = [(one["what"], one["text"]) for one in client.get(f"{BASE}/apps/shop").json()["events"]]
    assert [one for one in found if one[0] not in ("serving", "scaled")] == [
        ("scale", "0 to 3 instances"),
        ("traffic", "r1=100"),
        ("traffic", "all requests go to the newest that can serve"),
        ("stopped", ""),
        ("started", ""),
    ]


def test_the_log_of_an_engine_that_does_not_answer_is_an_error(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    for _ in range(50):
        world.engine.fail_next("observe", E_DOCKER(socket="x", why="gone"))
    assert client.get(f"{BASE}/apps/shop/logs").json()["error"]["code"] == "E_DOCKER"


def test_the_log_of_an_ended_run_is_read_from_where_it_was_saved(client: TestClient, world: World) -> None:
    run = world.submit()
    (task,) = world.store.tasks("default", run.name)
    world.store.finish_attempt(task, Attempt(0, "succeeded", 0), "succeeded", 1.0)
    shelf = kept.of_run("default", run.name)
    shelf.keep(
        "0-0", "ab" * 32, [Line(f"2026-11-26T04:49:04.00000000{number}Z", b"%d" % number) for number in (1, 2, 3)]
    )
    head, *lines = client.get(f"{BASE}/jobruns/{run.name}/logs?tail=2").content.splitlines()
    assert json.loads(head)["instances"] == ["0-0"]
    assert [json.loads(line)["line"] for line in lines] == ["2", "3"]
    assert client.delete(f"{BASE}/jobruns/{run.name}").json() == {"deleted": run.name}
    assert not shelf.folder.exists()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"{BASE}/apps/nope", None, 404, "E_NOT_FOUND"),
        ("GET", f"{BASE}/jobruns/nope-1", None, 404, "E_NOT_FOUND"),
        ("GET", f"{BASE}/deployments/nope/events", None, 404, "E_NOT_FOUND"),
        ("DELETE", f"{BASE}/apps/nope", None, 404, "E_NOT_FOUND"),
        ("GET", "/v1/nothing", None, 404, "E_REQUEST"),
        ("PUT", f"{BASE}/apps", None, 405, "E_REQUEST"),
        ("GET", f"{BASE}/deployments/x/events?start=many", None, 400, "E_REQUEST"),
        ("POST", f"{BASE}/deployments", b"{", 400, "E_REQUEST"),
        ("POST", f"{BASE}/deployments", b"[]", 400, "E_REQUEST"),
        ("POST", f"{BASE}/deployments", b'{"name": "x"}', 404, "E_NOT_FOUND"),
        ("POST", f"{BASE}/deployments", json.dumps({**BODY, "privileged": True}).encode(), 400, "E_REQUEST"),
        ("POST", f"{BASE}/deployments", json.dumps({**BODY, "name": "a/../b"}).encode(), 400, "E_NAME"),
        ("POST", "/v1/projects/No/deployments", json.dumps(BODY).encode(), 400, "E_NAME"),
        ("POST", f"{BASE}/deployments", b" " * (BODY_LIMIT + 1), 413, "E_REQUEST"),
        ("POST", "/v1/server/stop", b'{"everything": 1}', 400, "E_REQUEST"),
    ],
)
def test_every_refusal_has_one_form(
    client: TestClient, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    answer = client.request(method, path, content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "found", "advice", "exit"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"name":"\xff"}',
        b'{"\xed\xa0\x80":1}',
        b'{"name":"\\ud800"}',
        b"\x00",
        b"9" * 5000,
    ],
    ids=["lists", "objects", "no UTF-8", "a surrogate", "an escaped surrogate", "NUL", "digits"],
)
def test_no_body_breaks_a_route(client: TestClient, world: World, body: bytes) -> None:
    deployed(client)
    world.submit()
    asked = set()
    for route in make_app(world.platform, local=True).api.routes:
        for method in {"POST", "PUT", "PATCH"} & set(getattr(route, "methods", ())):
            path = re.sub(r"{(\w+):str}", lambda found: NAMES[found[1]], route.path)
            for name in ("shop", "report", "report-1"):
                answer = client.request(method, path.replace("NAME", name), content=body)
                assert answer.status_code < 500, (method, path, answer.text)
                asked.add(answer.json()["error"]["code"] if answer.status_code >= 400 else "")
    assert "E_REQUEST" in asked
    assert not world.platform.stopping.is_set()


NAMES = {"project": "default", "name": "NAME", "ident": "nope", "how": "unused"}


@pytest.mark.parametrize("number", [2**63, 10**23, int("9" * 4000)], ids=["65 bits", "77 bits", "4000 digits"])
def test_a_number_that_no_revision_can_have_is_one_that_is_not_there(client: TestClient, number: int) -> None:
    deployed(client)
    for method, verb, body in (
        ("PUT", "traffic", {"tags": {"next": number}}),
        ("PUT", "traffic", {"percents": [[number, 100]]}),
        ("POST", "rollback", {"revision": number}),
    ):
        answer = client.request(method, f"{BASE}/apps/shop/{verb}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "E_NO_SUCH_REVISION")


def deployed(client: TestClient) -> None:
    """Deploy the app shop to its end."""
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")


def test_no_engine_is_a_503_that_says_when_to_come_again(client: TestClient, world: World) -> None:
    world.engine.fail_next("info", E_DOCKER(socket="unix:///x", why="refused"))
    answer = client.post(f"{BASE}/deployments", json=BODY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["error"]["exit"] == 6


def test_a_bug_is_an_id_for_the_caller_and_a_traceback_for_the_log(
    client: TestClient, world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("SELECT secret FROM apps")

    monkeypatch.setattr(world.store, "runs", broken)
    answer = client.get(f"{BASE}/jobruns")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "E_INTERNAL")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    ident = answer.json()["error"]["message"].rpartition(" ")[2]
    (record,) = [one for one in caplog.records if ident in one.getMessage()]
    assert record.exc_info is not None


def test_a_folder_is_taken_from_the_servers_own_user_only(world: World) -> None:
    _, token = world.platform.people.create("ci", bytes(32), admin=True, seconds=0.0)
    with TestClient(make_app(world.platform, local=False, hosts=frozenset({"testserver.local"}))) as client:
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.post(f"{BASE}/deployments", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "E_FORBIDDEN")
    assert world.store.deployments() == ()


def test_an_app_that_never_came_up_does_not_count_as_serving(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    world.store.mark_failed("default", world.deploy("other").app, 1, "it exited")
    about = client.get("/v1/server").json()
    assert (about["apps"], about["serving"]) == (2, 1)


def test_stop_with_all_removes_everything_first(client: TestClient, world: World) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    removed = client.post("/v1/server/stop", json={"all": True}).json()
    assert (removed["apps"], removed["containers"]) == (1, 2)
    assert world.engine.containers == {}
    assert world.router.routes() == {}
    assert world.store.apps() == ()
    assert world.platform.stopping.is_set()


def test_the_images_that_a_server_needs_are_told_and_those_that_it_does_not_go(
    client: TestClient, world: World
) -> None:
    begun = client.post(f"{BASE}/deployments", json=BODY).json()
    client.get(f"{BASE}/deployments/{begun['id']}/events")
    while world.platform.loop._busy:  # a revision that begins to serve sweeps by itself
        time.sleep(0.01)
    world.engine.images.add("sha256:left-over")
    found = client.get("/v1/images").json()
    assert (found["server"], found["building"]) == (world.store.server, False)
    assert [(use["image"], use["name"], use["number"], use["status"]) for use in found["uses"]] == [
        ("sha256:app", "shop", 1, "serving")
    ]
    (dirs.state() / "images" / "left-over").mkdir(parents=True)
    assert client.post("/v1/images/gc").json() == {"removed": ["sha256:left-over"]}
    assert world.engine.images == {"sha256:app"}
    assert not (dirs.state() / "images" / "left-over").exists()
