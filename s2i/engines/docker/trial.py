"""Try an image: run it as an instance is run, but with no network, look at it from beside, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from s2i.engines.docker import connection, netns, sealed
from s2i.engines.docker.hardening import NOTHING, Declared, container_settings
from s2i.engines.engine import Owner, Workload
from s2i.errors import E_CONTAINER, E_DISK, E_DOCKER, E_IMAGE_GONE
from s2i.resources import labels
from s2i.resources.app import Config
from s2i.wire import Refused

OUTPUT_LIMIT = 256 << 10  # bytes that are read of what a container prints
LINE_LIMIT = 16 << 10
ENGINE_SECONDS = 60.0
STALE_SECONDS = 180.0  # no proof takes as long: what is older was left by one that was killed
LOOKER_MEMORY = 64 << 20
PREFIX = "s2i-proof-"  # of the names of all containers of trials
OURS = f"{PREFIX}{secrets.token_hex(3)}-"  # of this process


class State(msgspec.Struct, frozen=True):
    """How a container is: ``exit`` None while it runs, ``pid`` of its first process on the engine's machine."""

    running: bool
    exit: int | None = None
    oom: bool = False
    pid: int = 0


class Trial:
    """The containers of one trial of ``image`` with ``config``; all are removed at the end of the block.

    ``server`` is the id of the server that asks, "" for a command line. Usable from many threads. Raises E_DOCKER and
    its kin, E_CONTAINER, E_DISK, E_IMAGE_GONE.
    """

    def __init__(self, image: str, config: Config, owner: Owner, server: str = "") -> None:
        self.image = image
        self._work = Workload(owner, image, config)
        self._server = server
        self._name = f"{OURS}{secrets.token_hex(6)}"
        self._made: list[str] = []
        self._engine = connection.wire(ENGINE_SECONDS)
        self._declares: Declared | None = None
        self._created, self._started = threading.Event(), threading.Event()
        self.is_closed = False

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every container of the trial, the newest first. What cannot be removed is left to ``sweep``."""
        self.is_closed = True
        while self._made:
            _forget(self._engine.delete, self._made.pop())

    def start(self) -> None:
        """Start the image as an instance is started."""
        try:
            self._create("", self._work, "none")
            self._created.set()
            self._begin(self._name)
        finally:
            self._created.set()
            self._started.set()

    def enter(self) -> bool:
        """Put the calling thread into the network of the started container for good, where this machine allows it.

        Waits for the start.
        """
        if not netns.is_possible():
            return False
        self._started.wait(ENGINE_SECONDS)
        with self._meant():
            found = self._engine.get(f"/containers/{self._name}/json")
        return netns.enter(found["State"]["Pid"], found["Id"])

    def beside(self, image: str, argv: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of ``argv``, run by ``image`` in a container that shares the network of the started one.

        It may be called before ``start``, from another thread: most of its work is done when that returns.
        """
        self._created.wait(ENGINE_SECONDS)
        config = Config(memory=LOOKER_MEMORY, port=self._work.config.port, command=tuple(argv))
        name = self._create("-beside", Workload(self._work.owner, image, config), f"container:{self._name}")
        self._started.wait(ENGINE_SECONDS)
        self._begin(name)
        yield from self._lines(name)

    def run(self, argv: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of ``argv``, run by the image in a container of its own, which has no network either."""
        config = msgspec.structs.replace(self._work.config, command=tuple(argv))
        name = self._create("-apart", msgspec.structs.replace(self._work, config=config), "none")
        self._begin(name)
        yield from self._lines(name)

    def state(self) -> State:
        """Return how the started container is."""
        with self._meant():
            found = self._engine.get(f"/containers/{self._name}/json")["State"]
        running = bool(found["Running"])
        return State(running, None if running else found["ExitCode"], bool(found["OOMKilled"]), found["Pid"])

    def log(self, tail: int) -> tuple[str, ...]:
        """Return the last lines of what the started container printed."""
        query = {"stdout": "1", "stderr": "1", "tail": str(tail)}
        with self._meant():
            whole = list(_lines(_unframed(self._engine.follow(f"/containers/{self._name}/logs", query))))
        return tuple(line.decode("utf-8", "replace") for line in whole if line.strip())[-tail:]

    def stop(self, grace: float) -> float:
        """End the started container (SIGTERM, ``grace`` seconds, SIGKILL); return the seconds that it took."""
        began = time.monotonic()
        with self._meant():
            self._engine.post(f"/containers/{self._name}/stop", {"t": str(round(grace))})
        return time.monotonic() - began

    def _create(self, suffix: str, work: Workload, network: str) -> str:
        name = self._name + suffix
        declared = self._declared() if work.image == self.image else NOTHING
        files = sealed.files_of(work.config)
        body = container_settings(
            "proof",
            work,
            server=self._server,
            image=work.image,
            network=network,
            declared=declared,
            sealed=sealed.sources(name, files),
        )
        self._made.append(name)  # before it is there: a Ctrl-C in between would leave it behind else
        sealed.lay(name, files)
        with self._meant():
            self._engine.post("/containers/create", {"name": name}, body)
        if self.is_closed:  # another thread has put everything away meanwhile
            _forget(self._engine.delete, name)
        return name

    def _begin(self, name: str) -> None:
        with self._meant():
            self._engine.post(f"/containers/{name}/start")

    def _lines(self, name: str) -> Iterator[bytes]:
        query = {"stdout": "1", "stderr": "1", "follow": "1"}
        with self._meant():
            yield from _lines(_unframed(self._engine.follow(f"/containers/{name}/logs", query)))

    def _declared(self) -> Declared:
        if self._declares is None:
            with self._meant():
                config: dict[str, Any] = self._engine.get(f"/images/{self.image}/json")["Config"]
            self._declares = Declared(tuple(config.get("Volumes") or ()), tuple(config.get("Labels") or ()))
        return self._declares

    @contextlib.contextmanager
    def _meant(self) -> Iterator[None]:
        """Turn what the engine says into errors of ours."""
        try:
            yield
        except Refused as refusal:
            low = str(refusal).lower()
            if "no such image" in low:
                raise E_IMAGE_GONE(image=self.image) from None
            raise (E_DISK if "no space left" in low else _no_container(self._name))(why=str(refusal)) from None
        except OSError as error:
            raise E_DOCKER(socket=connection.host(), why=f"it stopped answering: {error}") from None


def privileges(pid: int) -> str:
    """Return "user 1001, no capabilities" of a process by /proc; "" where that does not show it (another machine)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    rows = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    user, able = rows.get("Uid", "").split("\t")[0], rows.get("CapEff", "").strip("0")
    return f"user {user}, {'capabilities ' + able if able else 'no capabilities'}"


def sweep(before: float, server: str | None = None) -> int:
    """Remove what trials that were killed have left: made ``before`` (epoch seconds), of one server or of everybody.

    There is one process of a server at a time: of one, those of other processes go whenever they were made.
    Returns how many containers there were.
    """
    engine = connection.wire(ENGINE_SECONDS)
    wanted = [f"{labels.ROLE}=proof", *(() if server is None else (f"{labels.SERVER}={server}",))]
    rows = engine.get("/containers/json", {"all": "1", "filters": json.dumps({"label": wanted})})
    old = []
    for row in rows:
        # A label can come with an image that somebody runs by hand: a name cannot.
        names = [name[1:] for name in row["Names"] or () if name.startswith(f"/{PREFIX}")]
        strange = server is not None and not any(name.startswith(OURS) for name in names)
        if names and (strange or row["Created"] < int(before)):  # the engine says whole seconds
            old += names[:1]
    for container in old:
        _forget(engine.delete, container)
    sealed.sweep(PREFIX, [name[1:] for row in rows for name in row["Names"] or ()], time.time())
    return len(old)


def base_images() -> tuple[str, ...]:
    """Return the ids of the runtime base images that s2i made here, the newest first."""
    # By name and label: every image that is built on one of them inherits its label.
    wanted = {"label": [labels.BASE], "reference": ["s2i.local/python"]}
    rows = connection.wire().get("/images/json", {"filters": json.dumps(wanted)})
    rows.sort(key=lambda row: row["Created"], reverse=True)
    return tuple(str(r["Id"]) for r in rows if any(t.startswith("s2i.local/python:") for t in r["RepoTags"] or ()))


def _no_container(name: str) -> Callable[..., Exception]:
    return lambda **facts: E_CONTAINER(name=name, **facts)


def remove(delete: Callable[..., Any], container: str) -> None:
    """Remove a container by name or ID, running or not; one that cannot be removed is left to ``sweep``."""
    with contextlib.suppress(Refused, OSError):
        delete(f"/containers/{container}", {"force": "true", "v": "true"})


def _forget(delete: Callable[..., Any], name: str) -> None:
    remove(delete, name)
    sealed.forget(name)


def _unframed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what both streams of a container hold: each frame has a head of 8 bytes, of which the last 4 are its size.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """
    held = b""
    for piece in pieces:
        held += piece
        while len(held) >= 8 and len(held) >= (end := 8 + int.from_bytes(held[4:8], "big")):
            yield held[8:end]
            held = held[end:]


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends, cut at LINE_LIMIT bytes, and no more than OUTPUT_LIMIT in all."""
    rest, size = b"", 0
    for piece in pieces:
        size += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line[:LINE_LIMIT]
        rest = rest[:LINE_LIMIT]
        if size > OUTPUT_LIMIT:
            return
    if rest:
        yield rest
