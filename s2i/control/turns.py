"""Turns of builds: how many of a project's are under way at once, in the order in which they came."""

from __future__ import annotations

import collections
import threading


class Turns:
    """Who builds, and who waits for that, by deployment. Usable from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._building: collections.defaultdict[str, set[str]] = collections.defaultdict(set)
        self._waiting: collections.defaultdict[str, list[str]] = collections.defaultdict(list)

    def take(self, project: str, ident: str, limit: int) -> bool:
        """Say whether a build may begin now, at most ``limit`` at once (0: any number); it waits from then on if not.

        Who is told so asks again, or gives up with ``leave``.
        """
        with self._lock:
            building, waiting = self._building[project], self._waiting[project]
            if ident not in waiting:
                waiting.append(ident)
            if limit and waiting.index(ident) >= limit - len(building):
                return False
            waiting.remove(ident)
            building.add(ident)
            return True

    def leave(self, project: str, ident: str) -> None:
        """End the turn of a build, or its wait. Idempotent."""
        with self._lock:
            self._building[project].discard(ident)
            if ident in self._waiting[project]:
                self._waiting[project].remove(ident)

    def under_way(self, project: str) -> int:
        """Return how many builds of a project are under way."""
        with self._lock:
            return len(self._building[project])
