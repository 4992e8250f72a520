"""Whose log it is: an app, or a job run; which containers are its own, and where what ended is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from s2i.control import kept
from s2i.engines.engine import Observed


class Subject(msgspec.Struct, frozen=True):
    """An app by its instances, or a job run by its tasks."""

    project: str
    name: str
    role: Literal["instance", "task"]

    @property
    def shelf(self) -> kept.Shelf:
        """Where what its containers wrote is kept."""
        return (kept.of_app if self.role == "instance" else kept.of_run)(self.project, self.name)

    def containers(self, every: Iterable[Observed], wish: str = "") -> list[Observed]:
        """Return its containers that have been started; of what ``wish`` names: "r3-0", or "r3" for all of these."""
        return [
            one
            for one in every
            if (one.role, one.owner.project, one.owner.run or one.owner.name) == (self.role, self.project, self.name)
            and one.state != "created"
            and _is_wished(one.owner.instance, wish)
        ]

    def kept(self, wish: str = "") -> tuple[kept.Kept, ...]:
        """Return what is kept of its containers that ended, in that order; of what ``wish`` names."""
        return tuple(one for one in self.shelf.every() if _is_wished(one.instance, wish))


def _is_wished(instance: str, wish: str) -> bool:
    return wish in ("", instance) or instance.startswith(f"{wish}-")
