"""What Caddy does with a request of an app, as values: where it sends it, and what when that fails."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from s2i.resources.app import Routing
from s2i.router.router import SLOTS, Route
from s2i.router.slots import CURRENT

RETRY_AFTER = "2"  # seconds

# What a client could claim to be: where it comes from and how (instead of which Caddy says X-Forwarded-For, -Proto and
# -Host), who it is, and what its certificate says. Names with an underscore go too: WSGI cannot tell X_Forwarded_For
# from X-Forwarded-For. X-Method-Override stays: it is a wish, which clients do send, and no claim. A pattern is held
# against every header of every request, a whole name is looked up: few patterns.
FORGEABLE = (
    "X-Forward*",
    "Forwarded",
    "Via",
    "Client-Ip",
    "X-Originating-Ip",
    "X-Proxyuser-Ip",
    "Fastly-Client-Ip",
    "X-Azure-Clientip",
    "X-Script-Name",
    "X-Http-Method-Override",
    "X-Real-Ip",
    "X-Client-Ip",
    "X-Cluster-Client-Ip",
    "X-Envoy-External-Address",
    "X-Host",
    "X-Scheme",
    "X-Url-Scheme",
    "Front-End-Https",
    "X-Original-*",
    "X-Rewrite-Url",
    "X-User",
    "X-Remote-*",
    "Remote-User",
    "X-Auth-Request-*",
    "X-Client-Verify",
    "*Ssl-Client*",
    "*Client-Cert*",  # RFC 9440, and what came before it
    "True-Client-Ip",
    "Cf-Connecting-Ip",
    "Cf-Connecting-Ipv6",
    "X-Upstream",
    "Proxy",
    "*_*",
)

# Only a connection that was never made is asked for again; a reset after sending must stay an error. A dial that takes
# too long (a 504) is one as well: nothing has the address of a container that is gone, not even a refusal. This is no
# expression: each of those takes Caddy 0.2 MB.
NEVER_SENT = {"vars_regexp": {"{http.error.message}": {"pattern": "^dial "}}}
NEVER_ANSWERED = {"vars": {"sent": ["no"]}}  # whoever was asked for an address may have died meanwhile


class Places(NamedTuple):
    """Where things are: the folder of the slots, the sockets (Caddy's admin API, gate, turnstile), the log."""

    slots: Path
    admin: Path
    gate: Path
    turnstile: Path
    log: Path


def unforged() -> dict[str, Any]:
    """Return the handler that removes what a client could claim to be."""
    return {"handler": "headers", "request": {"delete": list(FORGEABLE)}}


def undotted() -> dict[str, Any]:
    """Return the handler that takes the dot of the root from the end of a host: "shop.example.com.:80" is a name too.

    Routes match whole hosts; once for all, since another host for each would make each change of them take longer.
    """
    dot = {"search_regexp": r"\.(:[0-9]+)?$", "replace": "$1"}
    return {"handler": "headers", "request": {"replace": {"Host": [dot]}}}


def no_tunnel() -> dict[str, Any]:
    """Return the handler that lets a client ask for no other protocol than WebSocket.

    What goes through a connection that became HTTP/2 (h2c) nobody looks at: neither headers nor limits would hold.
    """
    other = {"not": [{"header_regexp": {"Upgrade": {"pattern": "(?i)^websocket$"}}}]}
    delete = {"handler": "headers", "request": {"delete": ["Upgrade", "Http2-Settings"]}}
    return {"handler": "subroute", "routes": [{"match": [other], "handle": [delete]}]}


def handlers(route: Route, places: Places) -> list[dict[str, Any]]:
    """Return what is done with a request of ``route``."""
    routing = route.routing
    known = {"handler": "vars", "project": route.project, "app": route.app, "wire": wire(routing)}
    limit = [{"handler": "request_body", "max_size": routing.body_limit}] if routing.body_limit else []
    return [
        known,
        *limit,
        _by_turn(places, routing) if route.limited else _by_slots(route, places),
    ]


def failures(routes: Iterable[Route], places: Places) -> list[dict[str, Any]]:
    """Return what is done with a request that failed."""
    kinds = {wire(route.routing): route.routing for route in routes if not route.limited}
    return [*(_wake(places.gate, kinds[name]) for name in sorted(kinds)), {"handle": [_failed()]}]


def wire(routing: Routing) -> str:
    """Return a name for how an app is spoken to: apps that are spoken to alike share what is done about failures."""
    return f"{'h2c' if routing.h2c else 'http1'} {routing.request_timeout:g}s"


def text(status: int | str, body: str, headers: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Return the handler that answers with ``body``."""
    kind = {"Content-Type": ["text/plain; charset=utf-8"]}
    return {"handler": "static_response", "status_code": status, "headers": kind | (headers or {}), "body": body}


def _by_slots(route: Route, places: Places) -> dict[str, Any]:
    current = str(places.slots / route.project / route.app / CURRENT)
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"{{file.{current}/{slot}}}"} for slot in range(SLOTS)],
        "load_balancing": {
            "selection_policy": {"policy": "least_conn"},
            "retries": 2,
            # By itself Caddy sends a GET again that was not answered in time: three instances would work on it.
            "try_duration": f"{route.routing.request_timeout:g}s",
            "try_interval": "1us",
        },
        **_transport(route.routing),
    }


def _transport(routing: Routing) -> dict[str, Any]:
    found: dict[str, Any] = {
        "protocol": "http",
        "dial_timeout": "2s",
        "response_header_timeout": f"{routing.request_timeout:g}s",
        # gunicorn's threads close an idle connection after 2 s: reusing it at that moment loses the request.
        "keep_alive": {"idle_timeout": "1s"},
    }
    if routing.h2c:
        found["versions"] = ["h2c", "2"]
    return {
        "transport": found,
        "stream_close_delay": "24h",  # without it a change of the config cuts every WebSocket
    }


def _by_turn(places: Places, routing: Routing) -> dict[str, Any]:
    """Return the handler that asks the turnstile for an instance with room, once more when that one is gone.

    The turnstile leaves its answer unfinished: Caddy keeps that open until the request itself is over, and closes it
    then, whatever became of it. So the turnstile knows exactly which requests are under way.
    """
    at = "/turn/{http.vars.project}/{http.vars.app}"
    first = _asked(places.turnstile, at, routing)
    again = _asked(places.turnstile, f"{at}/{{http.reverse_proxy.header.X-Upstream}}", routing)
    return _attempt(first, _attempt(again, _not_ready()))


def _wake(gate: Path, routing: Routing) -> dict[str, Any]:
    """Return the error route that asks the gate for an address, and sends the request there."""
    asked = _asked(gate, "/wake/{http.vars.project}/{http.vars.app}", routing)
    match = {**NEVER_SENT, "vars": {"wire": [wire(routing)]}}
    return {"match": [match], "handle": [_attempt(asked, _not_ready())]}


def _attempt(handler: dict[str, Any], otherwise: dict[str, Any]) -> dict[str, Any]:
    """Return ``handler``, which asks for an address, and ``otherwise`` when that could not send the request.

    A subroute: an error inside an error route would be a bare 502.
    """
    return {
        "handler": "subroute",
        "routes": [{"handle": [{"handler": "vars", "sent": "no"}, handler]}],
        "errors": {"routes": [{"match": [NEVER_SENT, NEVER_ANSWERED], "handle": [otherwise]}, {"handle": [_failed()]}]},
    }


def _asked(socket: Path, uri: str, routing: Routing) -> dict[str, Any]:
    """Return the handler that asks at ``socket`` for an address, without the body, and sends the request there."""
    send = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": "{http.reverse_proxy.header.X-Upstream}"}],
        "load_balancing": {"try_duration": "1s", "try_interval": "50ms"},
        **_transport(routing),
    }
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{socket}"}],
        "rewrite": {"method": "GET", "uri": uri},
        "headers": {"request": {"delete": ["Connection", "Upgrade", "Sec-Websocket-*", "Content-*", "Expect"]}},
        "load_balancing": {"try_duration": "3s", "try_interval": "50ms"},  # a restart of the server is waited for
        "handle_response": [
            {"match": {"status_code": [200]}, "routes": [{"handle": [{"handler": "vars", "sent": "yes"}, send]}]},
            {"routes": [{"handle": [_not_ready()]}]},
        ],
    }


def _not_ready() -> dict[str, Any]:
    words = "The app {http.vars.app} of the project {http.vars.project} has no ready instance. Try again soon.\n"
    return text(503, words, {"Retry-After": [RETRY_AFTER]})


def _failed() -> dict[str, Any]:
    return text("{http.error.status_code}", "{http.error.status_code} {http.error.status_text}\n")
