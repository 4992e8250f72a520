"""Where actions have their effect."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from s2i.control.store import Store
from s2i.control.vault import Vault
from s2i.engines.engine import Engine
from s2i.errors import S2IError
from s2i.resources.app import Event
from s2i.router.router import Router


class World(msgspec.Struct, frozen=True):
    """The engine, the router and the store of one server. ``now`` gives epoch seconds."""

    engine: Engine
    router: Router
    store: Store
    now: Callable[[], float]

    @property
    def vault(self) -> Vault:
        """Its secrets and configmaps."""
        return Vault(self.store)

    def record(self, project: str, name: str, what: str, text: str) -> None:
        """Record an event of an app or a job, or of a job run (see run_events)."""
        self.store.record(Event(self.now(), project, name, what, text))


def run_events(run: str) -> str:
    """Return under which name the events of a job run are kept: no app or job can have it."""
    return f"run:{run}"


def engine_down(error: S2IError) -> bool:
    """Say whether ``error`` is the engine's absence, which passes, rather than a fault of what was to be run."""
    return error.code in ("E_DOCKER", "E_DOCKER_PERMISSION", "E_DOCKER_INSECURE")
