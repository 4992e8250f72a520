"""The real parts of a server: Docker, Caddy, and the stages from source to image."""

from __future__ import annotations

import contextlib
import threading

from s2i.control import veil
from s2i.control.pipeline import build
from s2i.control.platform import Platform, late, open_store
from s2i.control.tidy import FIRST_SECONDS
from s2i.control.vault import Vault
from s2i.engines.docker import trial
from s2i.engines.docker.engine import DockerEngine
from s2i.router.caddy import CaddyRouter
from s2i.router.desk import Desk

SECOND_SECONDS = 15.0


def assemble() -> Platform:
    """Return the platform of this machine. Raises E_STORE, E_ROUTER; a missing engine is waited for."""
    store = open_store()
    server = store.server
    router = CaddyRouter()
    platform = Platform(store, late(lambda: DockerEngine(server, keep=veil.keeper(Vault(store)))), router, build)
    throttle = platform.throttle
    platform.gate = Desk(router.places.gate, "wake", platform.waker.ask)
    platform.turnstile = Desk(router.places.turnstile, "turn", throttle.ask, throttle.tick, lease=True)
    # What is a second younger than the last that was heard of the engine was made before that.
    platform.loop.returned = lambda gone: _sweep(gone + 1, server)
    # Twice: what a killed server has asked for last, the engine may be about to make.
    for seconds in (FIRST_SECONDS, SECOND_SECONDS):
        later = threading.Timer(seconds, lambda: _sweep(platform.started, server))
        later.daemon = True
        later.start()
    return platform


def _sweep(before: float, server: str) -> None:
    """Remove the proofs that a killed server or engine left; without an engine the next one does."""
    with contextlib.suppress(Exception):
        trial.sweep(before, server)
