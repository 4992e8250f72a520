"""Caddy's whole config as one value, made from the routes. It changes only when one comes, goes, or is set otherwise.

Requests reach instances through slot files (see slots.py), never through a change of config: Caddy drops requests
when it reloads (golang/go#65802).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from s2i.router import tls
from s2i.router.handlers import Places, failures, handlers, no_tunnel, text, undotted, unforged
from s2i.router.router import Route, door_of
from s2i.router.tls import Acme

SERVER = "apps"
HEADER_BYTES = 64 << 10
LOG_MEGABYTES, LOG_FILES = 10, 2
LOOPBACK = "127.0.0.0/8"
NO_ACME = Acme()


def document(
    routes: Iterable[Route], listen: tuple[str, ...], domain: str, places: Places, acme: Acme = NO_ACME
) -> dict[str, Any]:
    """Return the config that serves each app as APP.PROJECT.DOMAIN, and by its own domains.

    ``listen``: where HTTP is spoken ("127.0.0.1:8080"), and where HTTPS, if anywhere.
    Its server has an ``@id`` that no other config has, so that whose config is in force can be asked for.
    """
    whole = _document(tuple(routes), listen, domain, places, acme)
    digest = hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()
    whole["apps"]["http"]["servers"][SERVER]["@id"] = f"config-{digest[:32]}"
    return whole


def _document(
    unsorted: tuple[Route, ...], listen: tuple[str, ...], domain: str, places: Places, acme: Acme
) -> dict[str, Any]:
    routes = sorted(unsorted, key=lambda one: one.name)
    ports = tuple(int(one.rpartition(":")[2]) for one in listen)
    secure = len(ports) == 2
    h2c = ["h2c"] if any(one.routing.h2c for one in routes) else []
    return {
        "admin": {"listen": f"unix/{places.admin}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": _log(places.log)}},
        "apps": {
            **(tls.apps(routes, domain, acme, (ports[0], ports[1])) if secure else {}),
            "http": {
                # With policies of TLS every address is HTTPS but that of this port.
                **({"http_port": ports[0], "https_port": ports[1]} if secure else {}),
                "servers": {
                    SERVER: {
                        "listen": list(listen),
                        "protocols": ["h1", *(["h2"] if secure else []), *h2c],
                        "automatic_https": {"disable": True},  # no redirect; certificates are named in "tls"
                        **({"tls_connection_policies": [{}]} if secure else {}),
                        "max_header_bytes": HEADER_BYTES,
                        "read_header_timeout": "10s",
                        "idle_timeout": "2m",
                        "routes": [
                            # Once for all: an app's own copy costs each change a tenth of a ms.
                            {
                                "handle": [
                                    undotted(),
                                    no_tunnel(),
                                    unforged(),
                                    *_neighbours(routes, door_of(listen[0]), domain),
                                ]
                            },
                            *(_route(one, domain, places) for one in routes if _is_open(one)),
                            {"handle": [_nobody()]},
                        ],
                        "errors": {"routes": failures(routes, places)},
                    }
                },
            },
        },
    }


def _route(route: Route, domain: str, places: Places) -> dict[str, Any]:
    match: dict[str, Any] = {"host": [f"{route.app}.{route.project}.{domain}", *(host for host, _ in route.domains)]}
    if route.routing.visibility == "project":
        match |= _from(route.networks)
    return {
        "@id": f"route-{route.app}.{route.project}",
        "match": [match],
        "terminal": True,
        "handle": handlers(route, places),
    }


def _neighbours(routes: Iterable[Route], door: str, domain: str) -> list[dict[str, Any]]:
    """Return the handler by which a container asks for ``http://APP``: that is the app of the container's own project.

    Through a ``door`` at a loopback address, where only this machine is, a container asks for nothing else. At another
    one it may ask for whole names, too, as everybody does.
    """
    projects = {route.project: route.networks for route in routes if route.networks}
    if not projects or not door:
        return []
    host = door.rpartition(":")[0]
    short = [
        {
            "group": "neighbours",  # at most one of these
            "match": [{"host": ["*"], **_from(networks)}],
            "handle": [_host(f"{{http.request.host}}.{name}.{domain}")],
        }
        for name, networks in projects.items()
    ]
    if not host.startswith(LOOPBACK[:4]):
        return [{"handler": "subroute", "routes": short}]
    came = {"vars": {"{http.request.local.host}": [host]}, "not": [{"remote_ip": {"ranges": [LOOPBACK]}}]}
    inside = {"handler": "subroute", "routes": [*short, {"group": "neighbours", "handle": [_nobody()]}]}
    return [{"handler": "subroute", "routes": [{"match": [came], "handle": [inside]}]}]


def _nobody() -> dict[str, Any]:
    return text(404, "No app has this address.\n")


def _host(name: str) -> dict[str, Any]:
    return {"handler": "headers", "request": {"set": {"Host": [name]}}}


def _from(networks: Iterable[str]) -> dict[str, Any]:
    """Return what a request matches that comes from a container of ``networks`` (see Route)."""
    others = [address[1:] for address in networks if address.startswith("!")]
    inside = [network for network in networks if not network.startswith("!")]
    return {"remote_ip": {"ranges": inside}, **({"not": [{"remote_ip": {"ranges": others}}]} if others else {})}


def _is_open(route: Route) -> bool:
    """Say whether anybody may ask; who may not gets what a name gets that no app has: 403 would tell that it exists."""
    return route.routing.visibility == "public" or (route.routing.visibility == "project" and bool(route.networks))


def _log(path: Path) -> dict[str, Any]:
    return {
        "writer": {
            "output": "file",
            "filename": str(path),
            "mode": "0600",
            "roll_size_mb": LOG_MEGABYTES,
            "roll_keep": LOG_FILES,
        },
        "level": "WARN",
        "exclude": ["http.log.error"],  # one line a wake, otherwise
    }
