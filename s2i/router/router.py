"""The Router protocol: what the control plane needs of whatever carries requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from s2i.resources.app import App, Routing

SLOTS = 20  # a share of traffic is a number of slots: steps of 5 %


class Route(msgspec.Struct, frozen=True, array_like=True):
    """How requests reach one app.

    ``limited``: each is granted its instance by the turnstile, which counts them. ``networks``: the subnets of the
    project's containers, and the addresses in them that are not a container's ("!172.18.0.1"): these ask for it as
    ``http://APP``, and with visibility "project" nobody else may.
    ``domains``: host names of its own, each with where its certificate comes from (see resources.app.Domain).
    """

    project: str
    app: str
    routing: Routing = Routing()
    limited: bool = False
    networks: tuple[str, ...] = ()
    domains: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """Whose it is: project, app."""
        return self.project, self.app


def route_of(app: App, networks: tuple[str, ...] = ()) -> Route:
    """Return the route that ``app`` is to have."""
    domains = tuple((one.host, one.tls) for one in app.domains)
    return Route(app.project, app.name, app.routing, app.scale.concurrency > 0, networks, domains)


def door_of(listen: str) -> str:
    """Return where containers are led that ask for a neighbour, by where HTTP is spoken: "ip:port" of IPv4, or ""."""
    host, _, port = listen.rpartition(":")
    if ":" in host:
        return ""
    everywhere = host in ("0.0.0.0", "", "localhost")  # noqa: S104 - it is read here, not bound
    return f"{'127.0.0.1' if everywhere else host}:{port}"


class Router(Protocol):
    """Routes ``APP.PROJECT.<domain>`` and domains of its own to the addresses in the app's slots.

    ``port`` of HTTP, ``tls_port`` of HTTPS (0: there is none). ``open_ports``: those of them that are open to other
    addresses than this machine's own. ``door``: where HTTP is spoken, "ip:port" of IPv4, "" where it is not.
    """

    port: int
    tls_port: int

    @property
    def open_ports(self) -> tuple[int, ...]: ...

    @property
    def door(self) -> str: ...

    def ensure(self) -> None:
        """Make sure that the proxy runs and has every route; idempotent, cheap when all is well."""

    def add(self, route: Route) -> None:
        """Add the route of an app (its slots first), or change it. Idempotent.

        This, ``remove`` and ``clear`` are all that changes the proxy's config, and a change can cost requests that are
        under way.
        """

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the routes by project and app."""

    def remove(self, project: str, app: str) -> None:
        """Remove the route and the slots. Idempotent."""

    def clear(self) -> None:
        """Remove all routes and slots, with one change of the config. Idempotent."""

    def point(self, project: str, app: str, shares: Mapping[str, int]) -> None:
        """Send the app's requests to addresses by share: ``{"172.18.0.2:8080": 20}``. No reload; {} closes it.

        Shares are slots and sum up to SLOTS (or nothing).
        """

    def pointed(self, project: str, app: str) -> dict[str, int]:
        """Return the shares that are in force, read from the slots themselves."""

    def in_flight(self) -> dict[str, int]:
        """Return the number of requests under way by address ("ip:port")."""

    def url(self, project: str, app: str) -> str:
        """Return ``http://APP.PROJECT.localhost:PORT``."""

    def authority(self) -> str:
        """Return the root certificate of the local CA as PEM. Raises E_ROUTER."""

    def stop(self) -> None:
        """End the proxy."""
