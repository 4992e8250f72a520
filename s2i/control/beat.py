"""Do things in threads of their own: once, or over and over, whatever becomes of it once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from s2i.errors import S2IError

STOP_SECONDS = 5.0

log = logging.getLogger("s2i")


def in_thread(work: Callable[[], None]) -> None:
    """Do ``work`` beside everything else, once."""
    threading.Thread(target=work, daemon=True).start()


class Beat:
    """Calls ``step``, which returns the seconds until its next call, or sooner when it is kicked.

    One that fails is told in the log as ``name``, and called again after ``fault`` seconds.
    """

    def __init__(self, name: str, step: Callable[[], float], fault: float) -> None:
        self._name, self._step, self._fault = name, step, fault
        self._kicked, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def kick(self) -> None:
        """Call it now."""
        self._kicked.set()

    def stop(self) -> bool:
        """End after the call that is under way; say whether there was anything to end."""
        self._ended.set()
        self._kicked.set()
        ran = self._thread.is_alive()
        if ran:
            self._thread.join(STOP_SECONDS)
        return ran

    def _run(self) -> None:
        while not self._ended.is_set():
            self._kicked.clear()
            pause = self._fault
            try:
                pause = self._step()
            except S2IError as error:
                log.warning("%s: %s", self._name, error)
            except Exception:
                log.exception("the %s stumbled", self._name)
            if not self._ended.is_set():  # its kick may have been cleared above
                self._kicked.wait(pause)
