"""A Router in memory. It passes tests/router/contract.py."""

from __future__ import annotations

from collections.abc import Mapping

from s2i.router.router import SLOTS, Route


class FakeRouter:
    """Routes as values. ``history`` has every switch in order; ``busy`` is what in_flight() answers."""

    def __init__(self, port: int = 8080) -> None:
        self.port, self.tls_port = port, 8443
        self.running = False
        self.known: dict[tuple[str, str], Route] = {}
        self.slots: dict[tuple[str, str], dict[str, int]] = {}
        self.busy: dict[str, int] = {}
        self.history: list[tuple[str, str, dict[str, int]]] = []

    @property
    def open_ports(self) -> tuple[int, ...]:
        return ()

    @property
    def door(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ensure(self) -> None:
        self.running = True

    def add(self, route: Route) -> None:
        self.known[route.name] = route
        self.slots.setdefault(route.name, {})

    def routes(self) -> dict[tuple[str, str], Route]:
        return dict(self.known)

    def remove(self, project: str, app: str) -> None:
        self.known.pop((project, app), None)
        self.slots.pop((project, app), None)

    def clear(self) -> None:
        self.known.clear()
        self.slots.clear()

    def point(self, project: str, app: str, shares: Mapping[str, int]) -> None:
        if sum(shares.values()) not in (0, SLOTS):
            raise ValueError(f"shares sum up to {sum(shares.values())}, not {SLOTS}")
        if min(shares.values(), default=0) < 0:
            raise ValueError(f"shares cannot be negative: {dict(shares)}")
        self.slots[project, app] = {address: n for address, n in shares.items() if n}
        self.history.append((project, app, dict(shares)))

    def pointed(self, project: str, app: str) -> dict[str, int]:
        return dict(self.slots.get((project, app), {}))

    def in_flight(self) -> dict[str, int]:
        return dict(self.busy)

    def url(self, project: str, app: str) -> str:
        return f"http://{app}.{project}.localhost:{self.port}"

    def authority(self) -> str:
        return "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"

    def stop(self) -> None:
        self.running = False
