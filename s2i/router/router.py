"""The Router protocol: what the control plane needs of whatever carries requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

SLOTS = 20  # a share of traffic is a number of slots: steps of 5 %


class Router(Protocol):
    """Routes ``APP.PROJECT.<domain>`` to the addresses in the app's slots."""

    port: int

    def ensure(self) -> None:
        """Make sure that the proxy runs and has every route; idempotent, cheap when all is well."""

    def add(self, project: str, app: str) -> None:
        """Add the route of an app (its slots first). Idempotent. The one event that changes the proxy's config."""

    def remove(self, project: str, app: str) -> None:
        """Remove the route and the slots. Idempotent."""

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

    def stop(self) -> None:
        """End the proxy."""
