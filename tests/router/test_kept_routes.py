from __future__ import annotations

import json

from s2i import dirs
from s2i.resources.app import Routing
from s2i.router.caddy import CaddyRouter
from s2i.router.router import Route


def test_routes_that_an_older_server_kept_are_read() -> None:
    path = dirs.make_private(dirs.state()) / "routes.json"
    path.write_text(json.dumps({"port": 8081, "first": 8080, "routes": [["shop", "web"], ["bank", "web"]]}))
    router = CaddyRouter()
    assert router.port == 8081
    assert router.routes() == {("shop", "web"): Route("shop", "web"), ("bank", "web"): Route("bank", "web")}


def test_routes_are_kept_with_their_settings() -> None:
    route = Route("shop", "web", Routing(60.0, True, "project", 1000), True, ("172.20.0.0/16", "!172.20.0.1"))
    first = CaddyRouter()
    first._keep({route.name: route})
    assert CaddyRouter().routes() == {route.name: route}
