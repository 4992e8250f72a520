"""Try an image: run it as an instance is run, but with no network, look at it from inside, and leave nothing behind."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import docker.errors
import msgspec

from s2i.engines.docker import connection
from s2i.engines.docker.faults import explained
from s2i.engines.docker.hardening import NOTHING, Declared, container_settings
from s2i.engines.engine import Owner, Workload
from s2i.resources import labels
from s2i.resources.app import Config

OUTPUT_LIMIT = 256 << 10  # bytes that are read of what a container prints
LINE_LIMIT = 16 << 10
ENGINE_SECONDS = 60.0
STALE_SECONDS = 600.0  # no proof takes as long: what is older was left by one that was killed
LOOKER_MEMORY = 64 << 20


class State(msgspec.Struct, frozen=True):
    """How a container is: ``exit`` None while it runs, ``pid`` of its first process on the engine's machine."""

    running: bool
    exit: int | None = None
    oom: bool = False
    pid: int = 0


class Trial:
    """The containers of one trial of ``image`` with ``config``; all are removed at the end of the block.

    ``server`` is the id of the server that asks, "" for a command line. Raises E_DOCKER and its kin, E_CONTAINER,
    E_IMAGE_GONE.
    """

    def __init__(self, image: str, config: Config, owner: Owner, server: str = "") -> None:
        self.image = image
        self._work = Workload(owner, image, config)
        self._server = server
        self._name = f"s2i-proof-{secrets.token_hex(6)}"
        self._made: list[str] = []
        self._api = connection.client(ENGINE_SECONDS).api

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every container of the trial, the newest first. What cannot be removed is left to ``sweep``."""
        while self._made:
            with contextlib.suppress(Exception):
                self._api.remove_container(self._made.pop(), force=True, v=True)

    def start(self) -> None:
        """Start the image as an instance is started."""
        self._run("", self._work, "none")

    def beside(self, image: str, argv: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of ``argv``, run by ``image`` in a container that shares the network of the started one."""
        config = Config(memory=LOOKER_MEMORY, port=self._work.config.port, command=tuple(argv))
        name = self._run("-beside", Workload(self._work.owner, image, config), f"container:{self._name}")
        with explained(name):
            yield from _lines(self._api.logs(name, stdout=True, stderr=True, stream=True, follow=True))

    def run(self, argv: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of ``argv``, run by the image in a container of its own, which has no network either."""
        config = msgspec.structs.replace(self._work.config, command=tuple(argv))
        name = self._run("-apart", msgspec.structs.replace(self._work, config=config), "none")
        with explained(name):
            yield from _lines(self._api.logs(name, stdout=True, stderr=True, stream=True, follow=True))

    def state(self) -> State:
        """Return how the started container is."""
        with explained(self._name):
            found = self._api.inspect_container(self._name)["State"]
        running = bool(found["Running"])
        return State(running, None if running else found["ExitCode"], bool(found["OOMKilled"]), found["Pid"])

    def log(self, tail: int) -> tuple[str, ...]:
        """Return the last lines of what the started container printed."""
        with explained(self._name):
            data: bytes = self._api.logs(self._name, stdout=True, stderr=True, tail=tail)
        return tuple(line.decode("utf-8", "replace")[:LINE_LIMIT] for line in data.split(b"\n") if line.strip())[-tail:]

    def stop(self, grace: float) -> float:
        """End the started container (SIGTERM, ``grace`` seconds, SIGKILL); return the seconds that it took."""
        began = time.monotonic()
        with explained(self._name):
            self._api.stop(self._name, timeout=round(grace))
        return time.monotonic() - began

    def _run(self, suffix: str, work: Workload, network: str) -> str:
        name = self._name + suffix
        with explained(name, work.image):
            body = container_settings(
                "proof", work, server=self._server, image=work.image, network=network, declared=self._declared(work)
            )
            self._made.append(name)  # before it is there: a Ctrl-C in between leaves it behind else
            self._api.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
            self._api.start(name)
        return name

    def _declared(self, work: Workload) -> Declared:
        if work.image != self.image:
            return NOTHING
        config: dict[str, Any] = self._api.inspect_image(work.image)["Config"]  # type: ignore[no-untyped-call]
        return Declared(tuple(config.get("Volumes") or ()), tuple(config.get("Labels") or ()))


def privileges(pid: int) -> str:
    """Return "user 1001, no capabilities" of a process by /proc; "" where that does not show it (another machine)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    rows = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    user, able = rows.get("Uid", "").split("\t")[0], rows.get("CapEff", "").strip("0")
    return f"user {user}, {'capabilities ' + able if able else 'no capabilities'}"


def sweep(now: float) -> int:
    """Remove the containers of trials that were killed; ``now`` in epoch seconds. Returns how many there were."""
    api = connection.client(ENGINE_SECONDS).api
    rows = api.containers(all=True, filters={"label": f"{labels.ROLE}=proof"})
    old = [row["Id"] for row in rows if now - row["Created"] > STALE_SECONDS]
    for container in old:
        with contextlib.suppress(docker.errors.APIError):
            api.remove_container(container, force=True, v=True)
    return len(old)


def base_images() -> tuple[str, ...]:
    """Return the ids of the runtime base images that s2i made here, the newest first."""
    api = connection.client(ENGINE_SECONDS).api
    with explained("base images"):
        rows = api.images(filters={"label": labels.BASE})
    rows.sort(key=lambda row: row["Created"], reverse=True)
    return tuple(r["Id"] for r in rows if any(t.startswith("s2i.local/python:") for t in r["RepoTags"] or ()))


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends, cut at LINE_LIMIT bytes, and no more than OUTPUT_LIMIT in all."""
    rest, size = b"", 0
    for chunk in chunks:
        size += len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line[:LINE_LIMIT]
        rest = rest[:LINE_LIMIT]
        if size > OUTPUT_LIMIT:
            return
    if rest:
        yield rest
