"""Find out when a started instance can take requests, when it can no more, and when it no longer works.

Without a probe of its own any HTTP answer counts: healthy apps say 302, 401, 404, 422 to ``/``.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from s2i.control.asking import NoAnswer, speaks_http_2, status_of
from s2i.resources.app import Probe

LIMIT_SECONDS = 2.0
PAUSE_SECONDS = 0.02
EAGER_SECONDS = 0.25  # between two probes of an instance that was not ready yet, whatever its interval: somebody waits
LOOK_SECONDS = 1.0  # a thread whose instance is gone sees it within
NEVER = float("inf")


class Watched(msgspec.Struct, frozen=True):
    """A running instance to look at: where it is, and the probes of its revision."""

    address: str
    ready: Probe | None = None
    live: Probe | None = None


class Health(msgspec.Struct, frozen=True):
    """What is known of containers: which are ``ready``, what the last probe ``saw`` of one that is not yet.

    ``dead``: what the liveness probe saw of those that no longer work.
    """

    ready: frozenset[str] = frozenset()
    saw: Mapping[str, str] = {}
    dead: Mapping[str, str] = {}


class _State(msgspec.Struct):
    watched: Watched
    ready: bool = False
    saw: str = ""
    dead: str = ""


class Prober:
    """One small thread per instance that is not ready yet or has a probe, so that a slow one delays no other."""

    def __init__(self, on_change: Callable[[], None], probe: Callable[[str], bool] | None = None) -> None:
        self._on_change = on_change
        self.answers = probe or answers
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}

    def look(self, running: Mapping[str, Watched]) -> Health:
        """Return what is known of ``running`` (by container), and begin to look at those that are new."""
        with self._lock:
            kept = {one: state for one, state in self._states.items() if running.get(one) == state.watched}
            fresh = {one: _State(watched) for one, watched in running.items() if one not in kept}
            self._states = kept | fresh
            ready = frozenset(one for one, state in kept.items() if state.ready)
            saw = {one: state.saw for one, state in kept.items() if state.saw and not state.ready}
            dead = {one: state.dead for one, state in kept.items() if state.dead}
        for one, state in fresh.items():
            name = f"probe {one[:12]}"
            threading.Thread(target=self._watch, args=(one, state), name=name, daemon=True).start()
        return Health(ready, saw, dead)

    def _watch(self, container: str, state: _State) -> None:
        """Probe until the container is gone, or nothing is left to find out."""
        ready, live, address = state.watched.ready, state.watched.live, state.watched.address
        now = time.monotonic()
        next_ready, next_live = now + (ready.initial_delay if ready else 0), NEVER
        failed_ready = failed_live = 0
        while self._states.get(container) is state:
            now = time.monotonic()
            if now >= next_ready:
                why = self._asked(ready, address)
                failed_ready = failed_ready + 1 if why else 0
                was = state.ready
                self._tell(state, ready, why, failed_ready)
                if state.ready and not was and live:  # one that is still starting is not dead
                    next_live = now + live.interval if next_live == NEVER else next_live
                next_ready = _next(now, ready, state)
            if live and now >= next_live:
                why = self._asked(live, address)
                failed_live = failed_live + 1 if why else 0
                next_live = now + live.interval
                if failed_live >= live.failure_threshold:
                    state.dead = why
                    self._on_change()
                    return
            wake = min(next_ready, next_live)
            if wake == NEVER:
                return
            time.sleep(min(max(wake - time.monotonic(), 0.0), LOOK_SECONDS))

    def _tell(self, state: _State, probe: Probe | None, why: str, failures: int) -> None:
        was = state.ready
        if not why:
            state.ready = True
        elif not was or (probe and failures >= probe.failure_threshold):
            state.ready, state.saw = False, why
        if state.ready != was:
            self._on_change()

    def _asked(self, probe: Probe | None, address: str) -> str:
        if probe:
            return ask(probe, address)
        return "" if self.answers(address) else "it gives no HTTP answer"


def _next(now: float, probe: Probe | None, state: _State) -> float:
    if probe is None:
        return NEVER if state.ready else time.monotonic() + PAUSE_SECONDS
    return now + (probe.interval if state.ready else min(probe.interval, EAGER_SECONDS))


def ask(probe: Probe, address: str) -> str:
    """Probe the instance at "ip:port"; return "" when that succeeds, else what was seen."""
    host, _, port = address.rpartition(":")
    number = probe.port or int(port)
    what = f"GET {probe.path}" if probe.type == "http" else "a connection"
    where = f" on port {number}" if probe.port else ""
    try:
        if probe.type == "tcp":
            socket.create_connection((host, number), probe.timeout).close()
            return ""
        status = status_of(host, number, probe.path, probe.timeout)
    except TimeoutError:
        return f"{what}{where} was not answered within {probe.timeout:g} s"
    except ConnectionRefusedError:
        return f"{what}: nothing listens on port {number}"
    except OSError as error:
        return f"{what}{where} failed: {str(error) or type(error).__name__}"
    return "" if 200 <= status < 400 else f"{what}{where} answered {status}"


def answers(address: str) -> bool:
    """Say whether something answers HTTP at "ip:port" within LIMIT_SECONDS."""
    host, _, port = address.rpartition(":")
    try:
        status_of(host, int(port), "/", LIMIT_SECONDS)
    except ConnectionRefusedError:
        return False
    except (NoAnswer, ConnectionError):
        return speaks_http_2(host, int(port), LIMIT_SECONDS)
    except OSError:
        return False
    return True
