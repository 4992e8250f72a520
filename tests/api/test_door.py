"""The door of the listener on TCP: tokens, hosts, limits, and what leaves no trace where it should not."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from litestar.testing import TestClient

from s2i import dirs
from s2i.api.access import NEEDS
from s2i.api.app import make_app
from s2i.api.door import Door, Gate, _hurried
from s2i.api.strikes import ADDRESSES, MOST, Strikes
from s2i.errors import S2IError
from s2i.resources.people import text_of
from tests.api.peopled import HOST, Peopled, ask


def bearer(peopled: Peopled, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {peopled.tokens[who]}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic czJpOnMyaQ=="},
        {"Authorization": "Bearer s2i_short"},
        {"Authorization": f"Bearer {text_of(b'z' * 32)}"},
        {"Cookie": "token=s2i_x"},
    ],
)
def test_who_has_no_good_token_is_told_how_one_is_sent(door: TestClient, headers: dict[str, str]) -> None:
    for path in ("/v1/server", "/v1/nosuch", "/"):
        answer = door.get(path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["error"]["code"] == "E_TOKEN"


@pytest.mark.parametrize("name", ["token", "access_token", "x"])
def test_a_token_in_a_url_is_refused_also_with_a_good_one_in_the_header(
    door: TestClient, peopled: Peopled, name: str
) -> None:
    token = peopled.tokens["admin"]
    answer = door.get(f"/v1/server?{name}={token}", headers=bearer(peopled, "admin"))
    assert answer.status_code == 401
    assert token not in answer.text


def test_a_revoked_token_is_refused_at_once(door: TestClient, peopled: Peopled) -> None:
    assert door.get("/v1/server", headers=bearer(peopled, "reader")).status_code == 200
    assert door.delete("/v1/tokens/reader", headers=bearer(peopled, "admin")).json() == {"revoked": "reader"}
    assert door.get("/v1/server", headers=bearer(peopled, "reader")).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "", "testserver.local.evil.example", "[::1]:8443"])
def test_a_server_answers_to_its_own_names_alone(door: TestClient, peopled: Peopled, host: str) -> None:
    answer = door.get("/v1/server", headers={**bearer(peopled, "admin"), "Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "E_HOST")


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE", "CONNECT", "X"])
def test_no_other_method_reaches_a_route(door: TestClient, peopled: Peopled, method: str) -> None:
    assert door.request(method, "/v1/server", headers=bearer(peopled, "admin")).status_code == 400


def test_too_many_bad_tokens_are_told_to_wait_and_a_good_one_is_served(
    door: TestClient, peopled: Peopled, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "s2i"):
        answers = [ask(door, peopled, "GET /v1/server", "unknown") for _ in range(200)]
    assert [one.status_code for one in answers] == [401] * MOST + [429] * (200 - MOST)
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert ask(door, peopled, "GET /v1/server", "reader").status_code == 200
    told = [one.getMessage() for one in caplog.records if "no good token" in one.getMessage()]
    assert len(told) == 2
    assert peopled.tokens["unknown"] not in caplog.text
    assert ask(door, peopled, "GET /v1/server", "admin").json()["refused"] == 200
    assert peopled.store.deeds() == ()


def test_bad_tokens_are_counted_by_address_in_bounded_memory() -> None:
    strikes = Strikes(most=2, seconds=60.0)
    assert [strikes.add("10.0.0.1", 0.0), strikes.wait("10.0.0.1", 1.0)] == [True, 0]
    assert [strikes.add("10.0.0.1", 1.0), strikes.wait("10.0.0.1", 1.5)] == [True, 59]
    assert (strikes.wait("10.0.0.2", 1.5), strikes.wait("10.0.0.1", 60.0)) == (0, 0)
    strikes.add("2001:db8::1", 0.0)
    strikes.add("2001:db8::ffff:1", 0.0)
    assert (strikes.wait("2001:db8::2", 0.0), strikes.wait("2001:db8:0:1::1", 0.0)) == (60, 0)
    told = sum(strikes.add(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 2.0) for n in range(3 * ADDRESSES))
    assert len(strikes) == ADDRESSES
    assert told < 12


def test_a_reader_sees_of_the_server_what_is_the_same_for_everybody(door: TestClient, peopled: Peopled) -> None:
    about = door.get("/v1/server?full=true", headers=bearer(peopled, "reader")).json()
    assert (about["pid"], about["id"], about["apps"], about["engine"]) == (0, "", 0, None)
    assert door.get("/v1/server", headers=bearer(peopled, "admin")).json()["pid"] > 0


def test_a_fault_of_the_machine_is_told_from_afar_by_an_id_alone(
    door: TestClient, peopled: Peopled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    peopled.store._path = Path("/nowhere/s2i.db")
    answer = door.put("/v1/projects/shop/members/reader", headers=bearer(peopled, "manager"), json={"role": "writer"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "E_INTERNAL")
    assert "nowhere" not in answer.text
    ident = answer.json()["error"]["message"].rpartition(" ")[2]
    assert any(ident in one.getMessage() and "/nowhere" in one.getMessage() for one in caplog.records)


def test_members_are_added_listed_and_removed_by_a_manager(door: TestClient, peopled: Peopled) -> None:
    at, headers = "/v1/projects/shop/members", bearer(peopled, "manager")
    made = door.put(f"{at}/stranger", headers=headers, json={"role": "reader"})
    assert made.json() == {"project": "shop", "token": "stranger", "role": "reader"}
    assert door.get("/v1/projects/shop", headers=bearer(peopled, "stranger")).status_code == 200
    assert [one["token"] for one in door.get(at, headers=headers).json()] == ["manager", "reader", "stranger", "writer"]
    door.delete(f"{at}/stranger", headers=headers)
    assert door.get("/v1/projects/shop", headers=bearer(peopled, "stranger")).status_code == 404
    found = [(one.verb, one.name, one.before, one.after) for one in peopled.store.deeds("shop")]
    assert found == [
        ("member add", "stranger", {}, {"role": "reader"}),
        ("member remove", "stranger", {"role": "reader"}, {}),
    ]


def test_a_role_that_is_none_and_fields_that_are_none_are_refused(door: TestClient, peopled: Peopled) -> None:
    headers = bearer(peopled, "manager")
    for body in ({"role": "admin"}, {"role": "reader", "admin": True}, {}):
        assert door.put("/v1/projects/shop/members/reader", headers=headers, json=body).status_code == 400
    answer = door.post("/v1/tokens", headers=bearer(peopled, "admin"), json={"name": "x", "digest": "0"})
    assert answer.status_code == 400


def test_the_audit_log_tells_what_changed_and_no_secret(door: TestClient, peopled: Peopled) -> None:
    headers = bearer(peopled, "admin")
    door.patch("/v1/projects/shop", headers=headers, json={"limits": {"cpu": 4}})
    door.post("/v1/projects/shop/secrets", headers=headers, json={"name": "k", "values": {"A": "Y2FuYXJ5LTE="}})
    made = door.post("/v1/tokens", headers=headers, json={"name": "new", "seconds": 60}).json()
    deeds = door.get("/v1/audit", headers=headers).json()
    limits, secret, token = deeds
    assert (limits["before"]["limits"]["cpu"], limits["after"]["limits"]["cpu"]) == (0.0, 4.0)
    assert (secret["name"], secret["after"]) == ("k", {"version": 1, "keys": ["A"]})
    assert (token["verb"], token["name"], token["after"]["admin"]) == ("token create", "new", False)
    assert made["token"].startswith("s2i_")
    assert (limits["who"], limits["where"]) == ("admin", "testclient")
    text = json.dumps(deeds)
    assert ("canary" in text, "Y2Fu" in text, made["token"] in text) == (False, False, False)


def test_the_api_describes_itself_and_every_route_of_it(door: TestClient, peopled: Peopled) -> None:
    found = ask(door, peopled, "GET /v1/openapi.json", "reader").json()
    told = {f"{method.upper()} {path}" for path, methods in found["paths"].items() for method in methods}
    assert {one for one in told if not one.startswith("OPTIONS")} == NEEDS.keys() - {"GET /v1/openapi.json"}
    assert found["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_the_owner_on_the_socket_may_do_everything_and_is_in_the_audit_log(peopled: Peopled) -> None:
    with TestClient(make_app(peopled.platform, local=True)) as client:
        assert client.post("/v1/projects", json={"name": "new"}).status_code == 201
        (deed,) = client.get("/v1/audit").json()
    assert (deed["who"], deed["where"], deed["verb"], deed["name"]) == ("owner", "unix", "project create", "new")


def test_a_body_that_does_not_come_in_time_is_given_up_and_who_only_waits_is_not() -> None:
    async def slow() -> dict[str, Any]:
        await asyncio.sleep(30)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def dribble() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def body_of(receive: Any) -> str:
        hurried = _hurried(receive, 0.1)
        try:
            while True:
                await hurried()
        except S2IError as error:
            return error.code

    async def whole() -> str:
        messages = [{"type": "http.request", "body": b"x", "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> dict[str, Any]:
            if len(messages) == 1:
                await asyncio.sleep(0.3)  # longer than a body may take
            return messages.pop(0)

        hurried = _hurried(receive, 0.1)
        await hurried()
        return str((await hurried())["type"])

    assert asyncio.run(body_of(slow)) == asyncio.run(body_of(dribble)) == "E_SLOW"
    assert asyncio.run(whole()) == "http.disconnect"


def test_a_websocket_is_closed_and_reaches_nothing(peopled: Peopled) -> None:
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    app = make_app(peopled.platform, local=False)
    asyncio.run(app({"type": "websocket", "path": "/v1/server", "headers": []}, receive, send))
    assert said == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("end", ["revoked", "removed"])
def test_who_follows_a_log_is_cut_off_when_the_token_or_the_role_is_gone(peopled: Peopled, end: str) -> None:
    people, said = peopled.platform.people, []

    async def api(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        scope["path_params"] = {"project": "shop"}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(10):
            if number == 2:
                people.revoke("reader") if end == "revoked" else people.leave("shop", "reader")
            await send({"type": "http.response.body", "body": b"line", "more_body": True})

    async def send(message: dict[str, Any]) -> None:
        said.append(message.get("body"))

    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {peopled.tokens['reader']}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": ("10.0.0.9", 1)}
    door = Door(api, peopled.platform, Gate(frozenset({HOST})))  # type: ignore[arg-type]
    asyncio.run(door(scope, None, send))  # type: ignore[arg-type]
    assert said == [None, b"line", b"line", b""]


TRICKS = (
    "shop%2f..%2fother",
    "other%2f..%2fshop",
    "..",
    "%2e%2e",
    "shop%00",
    "SHOP",
    "shop%20",
    "shop%2f",
    "*",
    "%ff",
)


@pytest.mark.parametrize("trick", TRICKS)
def test_no_spelling_of_a_project_leads_into_another_one(door: TestClient, peopled: Peopled, trick: str) -> None:
    for path in (f"/v1/projects/{trick}", f"/v1/projects/{trick}/apps", f"/v1/projects/{trick}/secrets/db/values"):
        answer = door.get(path, headers=bearer(peopled, "stranger"), follow_redirects=False)
        assert (answer.status_code, "canary" in answer.text) == (404, False), path


def test_whatever_is_asked_no_answer_tells_of_a_path_a_query_or_a_traceback(door: TestClient, peopled: Peopled) -> None:
    choose, routes = random.Random(7), sorted(NEEDS)
    odd = [
        "",
        "{",
        "[]",
        "null",
        "1e400",
        '{"name": 5}',
        '{"name": "\\u0000"}',
        "[" * 5000,
        "\x00",
        "x" * 3000,
        '{"a": 1, "a": 2}',
    ]
    words = ["shop", "nothing", "%00", "'; DROP TABLE apps --", "../../etc/passwd", "a" * 300, "\u202e", "-1", "db"]
    queries = ["", "?tail=-1", "?since=99999999999999999999", "?since=nan", "?most=x", "?full=maybe", "?start=-5"]
    statuses = set()
    for _ in range(500):
        method, _, template = choose.choice(routes).partition(" ")
        if template in ("/v1/server/stop", "/v1/projects/{project}/{how}") or "events" in template:
            continue
        path = template.replace("{project}", choose.choice(["shop", "shop", *words]))
        for part in ("{name}", "{ident}", "{how}"):
            path = path.replace(part, choose.choice(words))
        content = choose.choice(odd).encode() if method != "GET" else None
        url = quote(path, safe="/%") + choose.choice(queries)
        answer = door.request(
            method, url, headers=bearer(peopled, choose.choice(["manager", "admin"])), content=content
        )
        statuses.add(answer.status_code)
        told = answer.text
        assert not any(word in told for word in ("Traceback", str(dirs.state()), "sqlite", "SELECT ", 'File "')), (
            url,
            told,
        )
        assert answer.status_code != 500, (method, url, content, told)
    assert {200, 400, 404} <= statuses


def test_of_a_change_that_is_very_long_the_audit_log_keeps_that_it_was(door: TestClient, peopled: Peopled) -> None:
    values = {f"KEY_{number}": "eA==" for number in range(900)}
    body = {"name": "many", "values": {f"{key}_{'x' * 30}": value for key, value in values.items()}}
    made = door.post("/v1/projects/shop/configmaps", headers=bearer(peopled, "writer"), json=body)
    assert made.status_code == 201, made.text
    (deed,) = peopled.store.deeds()
    assert deed.after == {"version": 1, "keys": "too long to be kept here"}
