"""Every route and every role: who gets in, generated from the routes and held against the table of the product.

The expected table is written out once more, by hand: a row that is changed in one place alone fails.
"""

from __future__ import annotations

import pytest
from litestar.testing import TestClient

from s2i.api import access
from s2i.api.access import check_complete, routes_of
from s2i.api.app import make_app
from tests.api.peopled import CALLERS, Peopled, ask
from tests.api.routes import WHO

# By what a route takes: which of CALLERS get past the door, and what the others are told.
LEVELS = {"any": 0, "reader": 1, "writer": 2, "manager": 3, "admin": 4}
RANKS = {"stranger": 0, "reader": 1, "writer": 2, "manager": 3, "admin": 4}


def test_every_route_has_a_row_and_every_row_has_a_route(peopled: Peopled) -> None:
    routes = set(routes_of(make_app(peopled.platform, local=False).api))
    assert routes == set(access.NEEDS)
    assert routes == set(WHO)
    assert {route: need.who for route, need in access.NEEDS.items()} == WHO


def test_a_server_with_a_route_that_has_no_row_does_not_begin() -> None:
    with pytest.raises(RuntimeError, match="GET /v1/new: see"):
        check_complete(["GET /v1/server", "GET /v1/new"])


def test_every_call_that_can_change_something_has_a_verb() -> None:
    silent = {route for route, need in access.NEEDS.items() if not need.verb and not route.startswith("GET ")}
    assert silent == {"POST /v1/projects/{project}/apps/{name}/fits"}


@pytest.mark.parametrize("route", sorted(WHO))
def test_a_route_lets_in_whom_it_should_and_nobody_else(door: TestClient, peopled: Peopled, route: str) -> None:
    needs, in_project = WHO[route], "{project}" in route
    found, expected = {}, {}
    for who in CALLERS:
        if who == "admin" and route in ("POST /v1/server/stop",):
            continue  # it ends the platform, and with it the test
        answer = ask(door, peopled, route, who)
        code = answer.json()["error"]["code"] if answer.status_code >= 400 else ""
        shut = {(401, "E_TOKEN"): "401", (404, "E_NO_PROJECT"): "404", (403, "E_ROLE"): "403"}
        found[who] = shut.get((answer.status_code, code), "in")
        if who in ("none", "expired"):
            expected[who] = "401"
        elif in_project and who == "stranger":
            expected[who] = "404"
        elif RANKS[who] >= LEVELS[needs]:
            expected[who] = "in"
        else:
            expected[who] = "403"
        if who == "manager" and route.startswith("DELETE /v1/projects/{project}/{how}"):
            peopled.make("shop")
            for role in ("reader", "writer", "manager"):
                peopled.platform.people.join("shop", role, role)  # type: ignore[arg-type]
    assert found == expected


@pytest.mark.parametrize("route", sorted(route for route in WHO if "{project}" in route))
def test_a_project_of_others_answers_as_one_that_is_not_there(door: TestClient, peopled: Peopled, route: str) -> None:
    there, gone = (ask(door, peopled, route, "stranger", project) for project in ("shop", "nosuch"))
    assert (there.status_code, gone.status_code) == (404, 404)
    assert there.text.replace("shop", "nosuch") == gone.text
    assert there.headers.keys() == gone.headers.keys()


def test_lists_of_all_projects_tell_a_token_of_its_own_alone(door: TestClient, peopled: Peopled) -> None:
    def names(who: str) -> list[str]:
        return [one["name"] for one in ask(door, peopled, "GET /v1/projects", who).json()]

    assert (names("reader"), names("stranger")) == (["shop"], ["other"])
    assert names("admin") == ["default", "other", "shop"]


def test_the_values_of_a_secret_are_told_to_managers_and_that_leaves_a_line(door: TestClient, peopled: Peopled) -> None:
    path = "/v1/projects/shop/secrets/db/values"
    for who, status in (("reader", 403), ("writer", 403), ("stranger", 404), ("manager", 200)):
        answer = door.get(path, headers={"Authorization": f"Bearer {peopled.tokens[who]}"})
        assert answer.status_code == status
        assert ("Y2FuYXJ5" in answer.text) is (status == 200)
    assert [(one.who, one.verb, one.status) for one in peopled.store.deeds()] == [
        ("reader", "secret decode", 403),
        ("writer", "secret decode", 403),
        ("stranger", "secret decode", 404),
        ("manager", "secret decode", 200),
    ]


@pytest.mark.parametrize("route", sorted(route for route, need in access.NEEDS.items() if need.verb))
def test_a_call_that_changes_something_leaves_one_line_also_when_it_is_refused(
    door: TestClient, peopled: Peopled, route: str
) -> None:
    need = access.NEEDS[route]
    for who in ("none", "expired"):
        ask(door, peopled, route, who)
    assert peopled.store.deeds() == ()
    for number, who in enumerate(("stranger", "reader", "manager"), 1):
        status = ask(door, peopled, route, who).status_code
        found = peopled.store.deeds()
        assert len(found) == number
        assert (found[-1].who, found[-1].verb, found[-1].status) == (who, need.verb, status)
        assert (found[-1].code != "") is (status >= 400)


def test_a_call_that_changes_nothing_leaves_no_line(door: TestClient, peopled: Peopled) -> None:
    for route, need in access.NEEDS.items():
        if not need.verb and "events" not in route and "logs" not in route:
            ask(door, peopled, route, "admin")
    assert peopled.store.deeds() == ()
