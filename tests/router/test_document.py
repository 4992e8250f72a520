from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import pytest

from s2i.resources.app import Routing
from s2i.router.document import document
from s2i.router.handlers import FORGEABLE, Places
from s2i.router.router import Route

PLACES = Places(
    Path("/r/slots"), Path("/r/caddy.sock"), Path("/r/wake.sock"), Path("/r/turn.sock"), Path("/s/caddy.log")
)
WEB = Route("shop", "web")


def _server(*routes: Route) -> dict[str, Any]:
    server: dict[str, Any] = document(routes, ("127.0.0.1:8080",), "localhost", PLACES)["apps"]["http"]["servers"][
        "apps"
    ]
    return server


def test_the_admin_api_is_a_private_socket() -> None:
    """THREATS T63."""
    whole = document((), ("127.0.0.1:8080",), "localhost", PLACES)
    assert whole["admin"] == {"listen": "unix//r/caddy.sock|0600", "config": {"persist": False}}


def test_an_app_has_one_route_by_its_host() -> None:
    _all, first, last = _server(WEB)["routes"]
    assert (first["@id"], first["match"]) == ("route-web.shop", [{"host": ["web.shop.localhost"]}])
    assert "match" not in last
    assert last["handle"][0]["status_code"] == 404


def test_a_route_names_slot_files_and_no_address() -> None:
    proxy = _server(WEB)["routes"][1]["handle"][-1]
    assert proxy["upstreams"] == [{"dial": f"{{file./r/slots/shop/web/cur/{slot}}}"} for slot in range(20)]


def test_what_a_client_could_forge_goes_before_the_proxy_adds_its_own() -> None:
    """THREATS T50."""
    every, app, _none = _server(WEB)["routes"]
    _dot, tunnel, forged = every["handle"]
    assert forged == {"handler": "headers", "request": {"delete": list(FORGEABLE)}}
    assert tunnel["routes"][0]["handle"] == [
        {"handler": "headers", "request": {"delete": ["Upgrade", "Http2-Settings"]}}
    ]
    assert [one["handler"] for one in app["handle"]] == ["vars", "reverse_proxy"]


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        *((name, True) for name in (
            "X-Forwarded", "X-Forwarded-For", "X-Forward-For", "X_Forwarded_For", "Forwarded", "X-Real-IP", "Client-IP",
            "X-SSL-Client-Verify", "X-SSL-Client-Cert", "X_SSL_CLIENT_S_DN", "SSL-Client-Cert", "Client-Cert-Chain",
            "X-Client-Cert", "X-Client-Verify", "X-User", "X-Remote-User", "X_User", "X-Scheme", "X-Url-Scheme",
            "Front-End-Https", "X-Original-URL", "X-Rewrite-URL", "X-Host", "True-Client-IP", "CF-Connecting-IP",
            "X-Cluster-Client-IP", "X-ProxyUser-Ip", "X-Envoy-External-Address",
        )),
        *((name, False) for name in (
            "Host", "Cookie", "Authorization", "Origin", "X-Client-Version", "X-User-Agent", "X-Method-Override", "Cf-Ray",
            "X-Requested-With", "X-Request-Id", "X-Auth-Token", "X-Csrf-Token", "Upgrade",
        )),
    ],
)  # fmt: skip
def test_a_name_that_could_be_forged_goes_and_one_of_an_app_stays(name: str, goes: bool) -> None:
    """THREATS T50."""
    assert any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in FORGEABLE) is goes


def test_the_order_of_the_apps_does_not_matter() -> None:
    assert _server(Route("b", "x"), Route("a", "y")) == _server(Route("a", "y"), Route("b", "x"))


def test_the_server_listens_where_it_was_told_without_certificates() -> None:
    server = _server()
    assert (server["listen"], server["automatic_https"]) == (["127.0.0.1:8080"], {"disable": True})
    assert "trusted_proxies" not in server


def test_only_a_request_that_was_never_sent_is_asked_for_again() -> None:
    wake, rest = _server(WEB, Route("shop", "api"))["errors"]["routes"]
    assert wake["match"][0]["vars_regexp"] == {"{http.error.message}": {"pattern": "^dial "}}
    assert "match" not in rest


def _proxies(value: object) -> list[dict[str, Any]]:
    """Return every proxy in a config, wherever it is."""
    if isinstance(value, list):
        return [found for one in value for found in _proxies(one)]
    if not isinstance(value, dict):
        return []
    mine = [value] if value.get("handler") == "reverse_proxy" else []
    return mine + [found for one in value.values() for found in _proxies(one)]


def _to_apps(server: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in _proxies(server) if not one["upstreams"][0]["dial"].startswith("unix/")]


def test_apps_that_are_spoken_to_alike_share_what_is_done_about_failures() -> None:
    alike, other = Routing(), Routing(request_timeout=60)
    server = _server(WEB, Route("shop", "api", alike), Route("shop", "slow", other), Route("a", "one", limited=True))
    *wakes, _rest = server["errors"]["routes"]
    assert [one["match"][0]["vars"]["wire"] for one in wakes] == [["http1 300s"], ["http1 60s"]]


def test_the_settings_hold_on_every_way_to_an_instance() -> None:
    routing = Routing(request_timeout=5, h2c=True)
    for route in (Route("shop", "web", routing), Route("shop", "web", routing, limited=True)):
        found = _to_apps(_server(route))
        assert len(found) == 2
        for one in found:
            assert one["transport"]["response_header_timeout"] == "5s"
            assert one["transport"]["versions"] == ["h2c", "2"]
            # A request that was not answered in time is not sent again.
            assert one["load_balancing"]["try_duration"] in ("5s", "1s")


def test_a_limited_app_is_reached_through_the_turnstile_alone() -> None:
    server = _server(Route("shop", "web", limited=True))
    first = server["routes"][1]["handle"]
    assert [one["handler"] for one in first] == ["vars", "subroute"]
    assert {one["upstreams"][0]["dial"] for one in _proxies(server)} == {
        "unix//r/turn.sock",
        "{http.reverse_proxy.header.X-Upstream}",
    }


def test_http_2_is_spoken_in_front_only_where_an_app_speaks_it() -> None:
    assert _server(WEB)["protocols"] == ["h1"]
    assert _server(WEB, Route("shop", "api", Routing(h2c=True)))["protocols"] == ["h1", "h2c"]


def test_a_body_limit_comes_before_the_proxy() -> None:
    handlers = _server(Route("shop", "web", Routing(body_limit=1000)))["routes"][1]["handle"]
    assert handlers[-2] == {"handler": "request_body", "max_size": 1000}


ONE = Route("one", "web", networks=("172.18.0.0/16", "!172.18.0.1"))
TWO = Route("two", "web", networks=("172.19.0.0/16",))
FROM_ONE = {"remote_ip": {"ranges": ["172.18.0.0/16"]}, "not": [{"remote_ip": {"ranges": ["172.18.0.1"]}}]}
FROM_TWO = {"remote_ip": {"ranges": ["172.19.0.0/16"]}}


def _neighbours(*routes: Route, listen: str = "127.0.0.1:8080") -> list[Any]:
    server = document(routes, (listen,), "localhost", PLACES)["apps"]["http"]["servers"]["apps"]
    return list(server["routes"][0]["handle"][3:])


def _renamed(project: str, came: dict[str, Any]) -> dict[str, Any]:
    host = {"set": {"Host": [f"{{http.request.host}}.{project}.localhost"]}}
    handle = [{"handler": "headers", "request": host}]
    return {"group": "neighbours", "match": [{"host": ["*"], **came}], "handle": handle}


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "0.0.0.0:8080", ":8080", "localhost:8080"])
def test_a_container_asks_at_the_door_for_an_app_of_its_project_and_for_nothing_else(listen: str) -> None:
    same = Route("one", "api", networks=ONE.networks)
    (made,) = _neighbours(ONE, same, TWO, Route("far", "web"), listen=listen)
    (way,) = made["routes"]
    came = {"vars": {"{http.request.local.host}": ["127.0.0.1"]}, "not": [{"remote_ip": {"ranges": ["127.0.0.0/8"]}}]}
    assert way["match"] == [came]
    *short, last = way["handle"][0]["routes"]
    assert short == [_renamed("one", FROM_ONE), _renamed("two", FROM_TWO)]
    assert (last["group"], last["handle"][0]["status_code"], "match" in last) == ("neighbours", 404, False)


def test_where_others_ask_as_well_a_container_asks_for_whole_names_too() -> None:
    (made,) = _neighbours(ONE, TWO, listen="10.0.0.5:8080")
    assert made["routes"] == [_renamed("one", FROM_ONE), _renamed("two", FROM_TWO)]


def test_without_a_network_or_a_door_there_are_no_neighbours() -> None:
    assert _neighbours(Route("far", "web")) == _neighbours(ONE, listen="[::1]:8080") == []


def test_a_private_app_has_no_route() -> None:
    assert _server(Route("shop", "web", Routing(visibility="private")))["routes"] == _server()["routes"]


def test_an_app_of_a_project_has_a_route_for_its_network_alone() -> None:
    own = Route("shop", "web", Routing(visibility="project"), networks=("172.20.0.0/16", "!172.20.0.1"))
    assert _server(own)["routes"][1]["match"] == [
        {
            "host": ["web.shop.localhost"],
            "remote_ip": {"ranges": ["172.20.0.0/16"]},
            "not": [{"remote_ip": {"ranges": ["172.20.0.1"]}}],
        }
    ]
    nowhere = Route("shop", "web", Routing(visibility="project"))
    assert _server(nowhere)["routes"] == _server()["routes"]
