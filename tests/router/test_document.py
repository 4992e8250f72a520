from __future__ import annotations

from pathlib import Path
from typing import Any

from s2i.router.document import Places, document

PLACES = Places(Path("/r/slots"), Path("/r/caddy.sock"), Path("/r/wake.sock"), Path("/s/caddy.log"))


def _server(*apps: tuple[str, str]) -> dict[str, Any]:
    server: dict[str, Any] = document(apps, "127.0.0.1:8080", "localhost", PLACES)["apps"]["http"]["servers"]["apps"]
    return server


def test_the_admin_api_is_a_private_socket() -> None:
    """THREATS T63."""
    whole = document((), "127.0.0.1:8080", "localhost", PLACES)
    assert whole["admin"] == {"listen": "unix//r/caddy.sock|0600", "config": {"persist": False}}


def test_an_app_has_one_route_by_its_host() -> None:
    first, last = _server(("shop", "web"))["routes"]
    assert (first["@id"], first["match"]) == ("route-web.shop", [{"host": ["web.shop.localhost"]}])
    assert "match" not in last
    assert last["handle"][0]["status_code"] == 404


def test_a_route_names_slot_files_and_no_address() -> None:
    proxy = _server(("shop", "web"))["routes"][0]["handle"][-1]
    assert proxy["upstreams"] == [{"dial": f"{{file./r/slots/shop/web/cur/{slot}}}"} for slot in range(20)]


def test_what_a_client_could_forge_goes_before_the_proxy_adds_its_own() -> None:
    """THREATS T50."""
    handlers = [one["handler"] for one in _server(("shop", "web"))["routes"][0]["handle"]]
    assert handlers == ["vars", "headers", "reverse_proxy"]


def test_the_order_of_the_apps_does_not_matter() -> None:
    assert _server(("b", "x"), ("a", "y")) == _server(("a", "y"), ("b", "x"))


def test_the_server_listens_where_it_was_told_without_certificates() -> None:
    server = _server()
    assert (server["listen"], server["automatic_https"]) == (["127.0.0.1:8080"], {"disable": True})
    assert "trusted_proxies" not in server


def test_only_a_request_that_was_never_sent_is_asked_for_again() -> None:
    wake, rest = _server()["errors"]["routes"]
    assert "startsWith('dial ')" in wake["match"][0]["expression"]
    assert "match" not in rest
