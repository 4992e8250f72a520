"""A network with nobody in it, made ahead of the trial that will be in it."""

from __future__ import annotations

import secrets
import threading

from s2i.engines.docker import connection
from s2i.engines.docker.hardening import container_settings
from s2i.engines.docker.trial import ENGINE_SECONDS, LOOKER_MEMORY, base_images, remove
from s2i.engines.engine import Owner, Workload
from s2i.resources.app import Config
from s2i.wire import Refused


class Silence:
    """A network with nobody in it, held by a container that sleeps: making it takes longer than joining it.

    Begun while an image is built; the trial of that image takes it over. ``close`` may be called at any time, by
    anybody, more than once. Raises nothing: without it a trial makes a network of its own.
    """

    def __init__(self, owner: Owner, server: str = "") -> None:
        self._name = f"s2i-proof-{secrets.token_hex(6)}-silence"
        self._engine = connection.wire(ENGINE_SECONDS)
        self._lock, self._runs, self._closed = threading.Lock(), False, False
        self._thread = threading.Thread(target=self._begin, args=(owner, server), name="proof silence", daemon=True)
        self._thread.start()

    def container(self) -> str:
        """Return the name of the container whose network is to be joined, once it runs; "" when it does not."""
        self._thread.join()
        return self._name if self._runs else ""

    def close(self) -> None:
        """Remove it. Whoever has joined its network stays in that."""
        with self._lock:
            self._closed, runs, self._runs = True, self._runs, False
        if runs:
            remove(self._engine.delete, self._name)

    def _begin(self, owner: Owner, server: str) -> None:
        image = next(iter(base_images()), "")
        if not image:
            return
        work = Workload(owner, image, Config(memory=LOOKER_MEMORY, command=("sleep", "infinity")))
        body = container_settings("proof", work, server=server, image=image, network="none")
        try:
            self._engine.post("/containers/create", {"name": self._name}, body)
            self._engine.post(f"/containers/{self._name}/start")
        except (Refused, OSError):
            remove(self._engine.delete, self._name)
            return
        with self._lock:
            self._runs = not self._closed
        if not self._runs:
            remove(self._engine.delete, self._name)
