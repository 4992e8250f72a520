"""Remove what nothing needs any more: old runs of jobs, images, work folders of processes that were killed."""

from __future__ import annotations

import time

from s2i.control import runs
from s2i.control.beat import Beat
from s2i.control.execute import sweep_images
from s2i.control.world import World
from s2i.sources.workspace import sweep

FIRST_SECONDS = 1.5  # after the start: the last work of a killed server is older than a moment then
EVERY_SECONDS = 3600.0


class Sweeper:
    """Sweeps soon after the server began, and every hour: what a crash left is nobody else's to find."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = False
        self._beat = Beat("sweep", self.step, EVERY_SECONDS)

    def start(self) -> None:
        """Begin."""
        self._beat.start()

    def stop(self) -> None:
        """Sweep no more."""
        self._beat.stop()

    def step(self) -> float:
        """Sweep, but not at once; return the seconds until it is due again."""
        if not self._began:
            self._began = True
            return FIRST_SECONDS
        sweep(time.time())
        for job in self._world.store.jobs():
            runs.forget_old(self._world, job.project, job.name)
        sweep_images(self._world)
        return EVERY_SECONDS
