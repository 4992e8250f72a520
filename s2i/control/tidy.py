"""Remove what nothing needs any more: old runs of jobs, deleted projects, images, work folders of killed processes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from s2i.control import runs
from s2i.control.execute import sweep_images
from s2i.control.world import World
from s2i.errors import S2IError
from s2i.sources.workspace import sweep

FIRST_SECONDS = 1.5  # after the start: the last work of a killed server is older than a moment then
EVERY_SECONDS = 3600.0

log = logging.getLogger("s2i")


class Sweeper:
    """Sweeps soon after the server began, and every hour: what a crash left is nobody else's to find."""

    def __init__(self, world: World, more: Callable[[], None] = lambda: None) -> None:
        """``more`` is done at each sweep, before images are removed."""
        self._world, self._more = world, more
        self._timer: threading.Timer | None = None
        self._stopped = False

    def start(self, delay: float = FIRST_SECONDS) -> None:
        """Sweep in ``delay`` seconds, and every hour from then on."""
        if self._stopped:
            return
        self._timer = threading.Timer(delay, self._sweep)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Sweep no more."""
        self._stopped = True
        if self._timer:
            self._timer.cancel()

    def _sweep(self) -> None:
        try:
            sweep(time.time())
            for job in self._world.store.jobs():
                runs.forget_old(self._world, job.project, job.name)
            self._more()
            sweep_images(self._world)
        except S2IError as error:
            log.warning("not swept: %s", error)
        except Exception:
            log.exception("the sweep stumbled")
        self.start(EVERY_SECONDS)
