"""Requests that nobody should send, and some that somebody sends twice: refused in one form, with nothing begun."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from s2i.api.app import make_app
from s2i.resources.people import SECRET_BYTES
from tests.api.test_projects_api import World

HOST = "s2i.example"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.platform.stop()


@pytest.fixture
def far(world: World) -> Iterator[TestClient]:
    """Return a client on the network, without a token."""
    world.platform.start()
    with TestClient(
        make_app(world.platform, local=False, hosts=frozenset((HOST,))),  # type: ignore[arg-type]
        base_url=f"https://{HOST}",
        raise_server_exceptions=False,
    ) as one:
        yield one


@pytest.fixture
def token(world: World, far: TestClient) -> dict[str, str]:
    _, text = world.platform.people.create("ci", b"x" * SECRET_BYTES, admin=False, seconds=0.0)
    world.platform.store.create_project(_project("p"))
    world.platform.people.join("p", "ci", "writer")
    return {"Authorization": f"Bearer {text}", "Content-Type": "application/json"}


def _project(name: str) -> Any:
    from s2i.resources.project import Project

    return Project(name, created=1.0)


def test_without_a_token_nothing_is_told_of_which_projects_there_are(
    far: TestClient, token: dict[str, str], world: World
) -> None:
    answers = [far.post(f"/v1/projects/{name}/deployments", json={"name": "x"}) for name in ("p", "nowhere")]
    assert [one.status_code for one in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert world.building == []


@pytest.mark.parametrize(
    "body",
    [
        '{"name":"a","name":"b","replicas":NaN}',
        '{"name":"a","timeout":1e400}',
        '{"name":"a","timeout":Infinity}',
        '{"name":' + "[" * 5000 + "]" * 5000 + "}",
        '{"name":"a","unknown":1}',
        '{"name":"\\ud800"}',
        "\x00",
        "[]",
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(
    body: str, far: TestClient, token: dict[str, str], world: World
) -> None:
    answer = far.post("/v1/projects/p/deployments", content=body.encode(), headers=token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "E_REQUEST")
    assert world.building == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/p%2f..%2fother/apps",
        "/v1/projects/p/../other/apps",
        "/v1/projects/other/apps",
        "/v1/projects/p/apps/x%00y",
        "/v1/projects/p/apps/..%2f..%2fserver",
        "/hooks/p/x",
        "//v1/projects/p/apps",
    ],
)
def test_a_path_leads_nowhere_else(path: str, far: TestClient, token: dict[str, str]) -> None:
    assert far.get(path, headers=token).status_code == 404


@pytest.mark.parametrize("query", ["tail=-1", "tail=1&since=99999999999999999999", "tail=x", "since=nan"])
def test_a_log_that_cannot_be_meant_is_refused(query: str, far: TestClient, token: dict[str, str]) -> None:
    answer = far.get(f"/v1/projects/p/apps/x/logs?{query}", headers=token)
    assert answer.status_code in (400, 404)
    assert "error" in answer.json()


def test_a_deployment_with_a_key_begins_once(far: TestClient, token: dict[str, str], world: World) -> None:
    def ask(name: str, key: str) -> Any:
        source = {"type": "git", "url": "https://example.com/shop.git"}
        body = {"source": source, "name": name}
        return far.post("/v1/projects/p/deployments", json=body, headers={**token, "Idempotency-Key": key})

    first, again, other, more = ask("shop", "k1"), ask("shop", "k1"), ask("web", "k1"), ask("web", "k2")
    assert (first.status_code, again.status_code, more.status_code) == (201, 201, 201)
    assert again.json()["id"] == first.json()["id"] != more.json()["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (422, "E_ONCE")
    assert first.json()["id"] in other.json()["error"]["message"]
    assert ask("shop", "k" * 201).status_code == 400
    assert len(far.get("/v1/projects/p/deployments", headers=token).json()) == 2
