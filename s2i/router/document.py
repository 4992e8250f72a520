"""Caddy's whole config as one value, made from the apps. It changes only when an app comes or goes.

Requests reach instances through slot files (see slots.py), never through a change of config: Caddy drops requests
when it reloads (golang/go#65802).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from s2i.router.router import SLOTS
from s2i.router.slots import CURRENT

SERVER = "apps"
HEADER_BYTES = 64 << 10
LOG_MEGABYTES, LOG_FILES = 10, 2
RETRY_AFTER = "2"  # seconds

# What a client could claim to be, and what Caddy says instead (X-Forwarded-For, -Proto and -Host). Names with an
# underscore go too: WSGI cannot tell X_Forwarded_For from X-Forwarded-For.
FORGEABLE = (
    "X-Forwarded",
    "X-Forwarded-*",
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
    "X-Original-*",
    "X-Rewrite-Url",
    "X-Remote-*",
    "Remote-User",
    "X-Auth-Request-*",
    "True-Client-Ip",
    "Cf-Connecting-Ip",
    "X-Upstream",
    "Proxy",
    "*_*",
)

# Only a connection that was never made is asked for again; a reset after sending must stay an error.
NEVER_SENT = "{http.error.status_code} == 502 && {http.error.message}.startsWith('dial ')"


class Places(NamedTuple):
    """Where things are: the folder of the slots, the sockets of Caddy's admin API and of the gate, the log."""

    slots: Path
    admin: Path
    gate: Path
    log: Path


def document(apps: Iterable[tuple[str, str]], listen: str, domain: str, places: Places) -> dict[str, Any]:
    """Return the config that serves each (project, app) as APP.PROJECT.DOMAIN on ``listen`` ("127.0.0.1:8080").

    Its server has an ``@id`` that no other config has, so that whose config is in force can be asked for.
    """
    whole = _document(apps, listen, domain, places)
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    whole["apps"]["http"]["servers"][SERVER]["@id"] = f"config-{digest[:32]}"
    return whole


def _document(apps: Iterable[tuple[str, str]], listen: str, domain: str, places: Places) -> dict[str, Any]:
    return {
        "admin": {"listen": f"unix/{places.admin}|0600", "config": {"persist": False}},
        "logging": {"logs": {"default": _log(places.log)}},
        "apps": {
            "http": {
                "servers": {
                    SERVER: {
                        "listen": [listen],
                        "protocols": ["h1"],
                        "automatic_https": {"disable": True},
                        "max_header_bytes": HEADER_BYTES,
                        "read_header_timeout": "10s",
                        "idle_timeout": "2m",
                        "routes": [
                            *(route(project, app, domain, places.slots) for project, app in sorted(apps)),
                            {"handle": [_text(404, "No app has this address.\n")]},
                        ],
                        "errors": {"routes": [_wake(places.gate), {"handle": [_failed()]}]},
                    }
                }
            }
        },
    }


def route(project: str, app: str, domain: str, slots: Path) -> dict[str, Any]:
    """Return the route of one app."""
    current = slots / project / app / CURRENT
    return {
        "@id": f"route-{app}.{project}",
        "match": [{"host": [f"{app}.{project}.{domain}"]}],
        "terminal": True,
        "handle": [
            {"handler": "vars", "project": project, "app": app},
            {"handler": "headers", "request": {"delete": list(FORGEABLE)}},
            {
                "handler": "reverse_proxy",
                "upstreams": [{"dial": f"{{file.{current}/{slot}}}"} for slot in range(SLOTS)],
                "load_balancing": {"selection_policy": {"policy": "least_conn"}, "retries": 2},
                **_transport(),
            },
        ],
    }


def _transport() -> dict[str, Any]:
    return {
        # gunicorn's threads close an idle connection after 2 s: reusing it at that moment loses the request.
        "transport": {"protocol": "http", "dial_timeout": "2s", "keep_alive": {"idle_timeout": "1s"}},
        "stream_close_delay": "24h",  # without it a change of the config cuts every WebSocket
    }


def _wake(gate: Path) -> dict[str, Any]:
    """Return the error route that asks the gate for an address, without the body, and sends the request there."""
    ask = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{gate}"}],
        "rewrite": {"method": "GET", "uri": "/wake/{http.vars.project}/{http.vars.app}"},
        "headers": {"request": {"delete": ["Connection", "Upgrade", "Sec-Websocket-*", "Content-*", "Expect"]}},
        "load_balancing": {"try_duration": "3s", "try_interval": "50ms"},  # a restart of the server is waited for
        "handle_response": [
            {
                "match": {"status_code": [200]},
                "routes": [
                    {
                        "handle": [
                            {
                                "handler": "reverse_proxy",
                                "upstreams": [{"dial": "{http.reverse_proxy.header.X-Upstream}"}],
                                "load_balancing": {"try_duration": "1s", "try_interval": "50ms"},
                                **_transport(),
                            }
                        ]
                    }
                ],
            },
            {"routes": [{"handle": [_not_ready()]}]},
        ],
    }
    # An error inside an error route would be a bare 502: the subroute has an error route of its own.
    handled = {
        "handler": "subroute",
        "routes": [{"handle": [ask]}],
        "errors": {
            "routes": [{"match": [{"expression": NEVER_SENT}], "handle": [_not_ready()]}, {"handle": [_failed()]}]
        },
    }
    return {"match": [{"expression": NEVER_SENT}], "handle": [handled]}


def _not_ready() -> dict[str, Any]:
    words = "The app {http.vars.app} of the project {http.vars.project} has no ready instance. Try again soon.\n"
    return _text(503, words, {"Retry-After": [RETRY_AFTER]})


def _failed() -> dict[str, Any]:
    return _text("{http.error.status_code}", "{http.error.status_code} {http.error.status_text}\n")


def _text(status: int | str, body: str, headers: dict[str, list[str]] | None = None) -> dict[str, Any]:
    kind = {"Content-Type": ["text/plain; charset=utf-8"]}
    return {"handler": "static_response", "status_code": status, "headers": kind | (headers or {}), "body": body}


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
