"""The Engine protocol: what the control plane needs of whatever runs containers.

tests/engines/contract.py is run by every implementation and by the fake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import msgspec

from s2i.resources.app import Config

State = Literal["created", "running", "exited"]


class EngineInfo(msgspec.Struct, frozen=True):
    """What answers: its name ("docker"), version, socket, and the versions of runc and containerd."""

    name: str
    version: str
    socket: str
    runc: str = ""
    containerd: str = ""


class Capacity(msgspec.Struct, frozen=True):
    """What the machine of an engine has: cores, and bytes of memory."""

    cpus: float
    memory: int


class Usage(msgspec.Struct, frozen=True):
    """What a container has used since it began: seconds of a core, bytes of memory now, bytes received and sent."""

    cpu: float
    memory: int
    received: int
    sent: int


class Owner(msgspec.Struct, frozen=True):
    """Whose a container is. ``kind`` app: ``number`` is the revision. ``kind`` job: ``run`` names the job run.

    ``instance``: unique per replica slot ("r3-0"), and per attempt at an index of a job run ("7-0").
    """

    project: str
    kind: Literal["app", "job"]
    name: str
    number: int = 0
    run: str = ""
    instance: str = ""


class Observed(msgspec.Struct, frozen=True):
    """One container as the engine reports it. ``address`` is "ip:port" of a running sandbox, else ""."""

    id: str
    role: Literal["sandbox", "instance", "task"]
    owner: Owner
    state: State
    address: str = ""
    exit: int | None = None
    oom: bool = False
    started: float = 0.0
    finished: float = 0.0


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line that a container wrote, without its end; ``at`` is "2026-11-26T04:49:04.123456789Z", so times sort.

    ``stream``: 1 for its standard output, 2 for its standard error. ``cut``: it goes on in the next one of the stream,
    if that has come.
    """

    at: str
    text: bytes
    stream: int = 1
    cut: bool = False


class Lines(Protocol):
    """Lines to be read once; ``close`` ends whoever waits for the next one, and may be called from any thread."""

    def __iter__(self) -> Iterator[Line]: ...

    def close(self) -> None:
        """End the lines."""


Keep = Callable[[Owner, str, Iterable[Line]], None]  # an instance, its container by id, and all that it wrote


class Workload(msgspec.Struct, frozen=True):
    """One container to run: whose, which image (by id), how; ``alias``: a name of its own in its project's network."""

    owner: Owner
    image: str
    config: Config
    alias: str = ""


def without_network(every: tuple[Observed, ...]) -> tuple[Observed, ...]:
    """Return ``every`` with each instance whose sandbox does not run marked as exited: nothing can reach it."""
    alive = {one.owner for one in every if one.role == "sandbox" and one.state == "running"}
    return tuple(
        msgspec.structs.replace(one, state="exited")
        if one.role == "instance" and one.state == "running" and one.owner not in alive
        else one
        for one in every
    )


class Engine(Protocol):
    """Containers, networks and images of one s2i server; never anything that lacks its label.

    What an instance wrote is handed to a Keep after its end, before its container is removed.
    """

    def info(self) -> EngineInfo:
        """Return what answers. Raises E_DOCKER."""

    def capacity(self) -> Capacity:
        """Return what the engine's machine has. Raises E_DOCKER."""

    def shield(self, ports: Sequence[int], closed: Sequence[str] = (), door: str = "") -> str:
        """Keep containers from this machine's own services, but these TCP ``ports``, and from link-local addresses.

        Those of the projects ``closed`` reach nothing beyond their own network but these ports. ``door``, "ip:port" of
        this machine, is port 80 of the names of introduce ("": there is none).
        Returns why that cannot be, "" when it holds. Cheap when it was done lately.
        """

    def introduce(self, project: str, names: Sequence[str]) -> None:
        """Have the containers of a project, also those that run, find these names: port 80 of each is the ``door``.

        Cheap when nothing has changed. Raises E_DOCKER.
        """

    def usage(self, containers: Sequence[str]) -> dict[str, Usage]:
        """Return what each of these containers has used, by id; without those of which that is not known."""

    def observe(self) -> tuple[Observed, ...]:
        """Return every container of this server, in the order of their names. One call whatever their number."""

    def changes(self) -> Iterator[None]:
        """Yield at once, and whenever a container of ours has begun or ended; for ever. Raises E_DOCKER."""

    def start_instance(self, work: Workload) -> str:
        """Run an app's instance in its sandbox (made first, with the project's network, when it is not there).

        Idempotent: an instance that runs already is left as it is. Returns the sandbox's "ip:port".
        """

    def start_sandbox(self, work: Workload) -> None:
        """Run the sandbox of an app's instance, which start_instance then finds. Idempotent."""

    def park(self, work: Workload, grace: float) -> None:
        """End an app's instance (as ``stop`` does), leave its sandbox, and make the next one without starting it.

        Idempotent; start_instance then takes it. Without a sandbox that runs nothing is made.
        """

    def accepted(self, owner: Owner) -> int | None:
        """Return how many connections the instance's network has accepted so far; None where that is not known."""

    def start_task(self, work: Workload) -> None:
        """Run a job's task once, without a sandbox, in the project's network. Idempotent by its owner."""

    def stop(self, owner: Owner, grace: float) -> None:
        """End the instance or task (SIGTERM, ``grace`` seconds, SIGKILL) and remove it with its sandbox."""

    def end(self, container: str, grace: float) -> None:
        """End what runs in a container of ours (SIGTERM, ``grace`` seconds, SIGKILL); what it was stays to be seen.

        One that is gone is no error.
        """

    def remove(self, container: str) -> None:
        """Remove one container of ours by id, running or not. A container that is gone is no error."""

    def logs(self, container: str, *, follow: bool = False, tail: int | None = None, since: str = "") -> Lines:
        """Return the output, or its last ``tail`` lines, or those from the time ``since`` on.

        With ``follow`` it goes on until the container ends. A line that is very long comes as several.
        """

    def listening(self, owner: Owner) -> tuple[tuple[str, int], ...]:
        """Return the addresses and TCP ports on which something listens inside the network of an instance or a task."""

    def image_ids(self) -> tuple[str, ...]:
        """Return the ids of the images that this server built for apps and jobs, and that nobody has given a name."""

    def disk(self, project: str) -> int:
        """Return the bytes on disk of a project's built images, what they share once, base images not.

        Raises E_DOCKER.
        """

    def remove_image(self, image: str) -> None:
        """Remove an image of ours by id. One that is gone, or in use by a container, is no error: it stays."""

    def image_exists(self, image: str) -> bool:
        """Say whether the image (id or name) is here."""

    def subnets(self, project: str) -> tuple[str, ...]:
        """Return the subnets of the project's network ("172.18.0.0/16"), and with a "!" this machine's addresses there.

        () while there is no such network.
        """

    def run_in(self, container: str, command: tuple[str, ...], out: Callable[[bytes], object]) -> tuple[int, str]:
        """Run a program beside what runs in a container of ours, as its user; give ``out`` what it writes.

        Returns its exit status, and the end of what it wrote to its standard error.
        """

    def put_file(self, container: str, directory: str, name: str, size: int, pieces: Iterable[bytes]) -> None:
        """Put a file of ``size`` bytes into a folder of a container of ours, which has to be a volume."""

    def make_volume(self, project: str, name: str) -> None:
        """Make a volume of the project on the engine's own disk. Idempotent: what is in it stays."""

    def remove_volume(self, project: str, name: str) -> None:
        """Remove a volume with all that is in it. One that is gone is no error. Raises E_VOLUME while it is mounted."""

    def volume_sizes(self, project: str) -> dict[str, int]:
        """Return the bytes in each volume of the project, by its name. It may take seconds: the engine counts them."""

    def remove_project(self, project: str, *, images: bool = True, volumes: bool = False) -> None:
        """Remove the project's containers and network, its images unless these are to stay, its volumes if they go."""

    def remove_all(self, *, volumes: bool = False) -> dict[str, int]:
        """Remove everything that carries this server's label, volumes only if they go as well.

        Returns counts by "containers", "networks", "images", and "volumes" where these go.
        """
