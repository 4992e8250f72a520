"""Each hour: copy what is known, remove old runs, deleted projects, images, work folders of killed processes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping

from s2i import dirs
from s2i.control import backup, runs
from s2i.control.beat import Beat
from s2i.control.execute import sweep_images
from s2i.control.world import World
from s2i.errors import S2IError
from s2i.resources.audit import KEPT_DAYS, LEAST_DAYS
from s2i.sources import upload
from s2i.sources.workspace import sweep

FIRST_SECONDS = 1.5  # after the start: the last work of a killed server is older than a moment then
EVERY_SECONDS = 3600.0
DAY_SECONDS = 86400.0

log = logging.getLogger("s2i")


def audit_days(environment: Mapping[str, str]) -> int:
    """Return for how many days the audit log is kept: S2I_AUDIT_DAYS, LEAST_DAYS at least."""
    given = environment.get("S2I_AUDIT_DAYS", "")
    days = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else KEPT_DAYS
    return max(days, LEAST_DAYS)


class Sweeper:
    """Sweeps soon after the server began, and every hour: what a crash left is nobody else's to find."""

    def __init__(self, world: World, more: Callable[[], None] = lambda: None) -> None:
        """``more`` is done at each sweep, before images are removed."""
        self._world, self._more = world, more
        self._began = False
        self._kept: object = None  # the state of the database at the last backup
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
        self._back_up()
        sweep(time.time())
        upload.sweep(time.time())
        self._forget_deeds()
        for job in self._world.store.jobs():
            runs.forget_old(self._world, job.project, job.name)
        self._more()
        sweep_images(self._world)
        return EVERY_SECONDS

    def _forget_deeds(self) -> None:
        """Let go of the audit log what is older than it is to be."""
        try:
            self._world.store.forget_deeds(time.time() - audit_days(os.environ) * DAY_SECONDS)
        except S2IError as error:
            log.warning("%s", error)

    def _back_up(self) -> None:
        """Keep a copy of what is known, when that is another than at the last one."""
        if (state := self._world.store.state()) != self._kept:
            try:
                backup.keep(dirs.state(), time.time())
                self._kept = state
            except S2IError as error:  # the disk is full, say: the rest is swept all the same
                log.warning("%s", error)
