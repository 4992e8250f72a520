"""The Docker Engine as an Engine."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import docker.errors

from s2i.crash import around
from s2i.engines.docker import (
    connection,
    disk,
    firewall,
    hosts,
    inside,
    listing,
    ports,
    sealed,
    trial,
    usage,
    volumes,
)
from s2i.engines.docker.faults import explained
from s2i.engines.docker.hardening import Declared, Role, container_settings
from s2i.engines.docker.output import Output
from s2i.engines.engine import Capacity, EngineInfo, Keep, Lines, Observed, Owner, Usage, Workload, without_network
from s2i.errors import E_CONTAINER, E_DOCKER, E_IMAGE_GONE, S2IError
from s2i.resources import labels
from s2i.wire import Refused

BASES = "s2i.local/"
RUNTIME_BASE = f"{BASES}python:"
_SHIELD_SECONDS = 60.0  # between two looks whether the firewall's rules are there still
_DISK_SECONDS = 60.0  # to count what is in the volumes
_SWEEP_SECONDS = 60.0  # between two looks for files of containers that somebody else has removed
_ATTEMPTS = 3
_NAME_SECONDS, _NAME_PAUSE = 10.0, 0.02  # while a container is made or removed whose name is wanted
_CHANGES = ("start", "die")


class _Shield(NamedTuple):
    """What the firewall was told last: see Engine.shield; when (monotonic), and why it does not hold."""

    ports: tuple[int, ...] = ()
    closed: tuple[str, ...] = ()
    door: str = ""
    at: float = float("-inf")
    why: str = ""


class DockerEngine:
    """Containers of one s2i server on a Docker Engine. Usable from many threads.

    ``sandbox_image`` holds the network of an app; it needs `sleep`. "" takes the newest runtime base of
    `s2i doctor --fix`, else the app's own image. Raises E_DOCKER and its kin when no engine answers.
    """

    def __init__(self, server: str, sandbox_image: str = "", timeout: float = 30, keep: Keep = lambda *_: None) -> None:
        self._server = server
        self._sandbox_image = sandbox_image
        self._keep = keep
        self._api = connection.client(timeout).api
        self._wire = connection.wire(timeout)
        self._networks = threading.Lock()
        self._volumes = threading.Lock()
        self._handed: set[tuple[str, str]] = set()  # volumes that containers can write to, by project and name
        self._joined: set[str] = set()  # projects whose network tasks have lately run in
        self._pids: dict[str, int] = {}  # a process of each container that is measured
        self._known: dict[str, Declared] = {}  # images by id: they never change
        self._layers: dict[str, dict[disk.Layer, int]] = {}  # of images, too
        self._ended: dict[str, Observed] = {}  # containers that exited, by id: their details do not change
        self._swept = float("-inf")  # monotonic
        self._shielding = threading.Lock()
        self._shielded = _Shield()
        self._subnets: dict[str, tuple[str, ...]] = {}  # by project, while its network is not made anew
        self._neighbours: dict[str, tuple[str, ...]] = {}  # by project: the apps that its containers know by name

    def info(self) -> EngineInfo:
        with explained("engine"):
            version = self._api.version()
        parts = {part["Name"]: part["Version"] for part in version.get("Components") or ()}
        return EngineInfo(
            "docker", version["Version"], connection.host(), parts.get("runc", ""), parts.get("containerd", "")
        )

    def capacity(self) -> Capacity:
        with explained("engine"):
            found = self._api.info()
        return Capacity(float(found["NCPU"]), int(found["MemTotal"]))

    def shield(self, ports: Sequence[int], closed: Sequence[str] = (), door: str = "") -> str:
        with self._shielding:  # who changes a project does not wait for the loop
            known = self._shielded
            wanted = _Shield(tuple(ports), tuple(closed), door, known.at, known.why)
            if wanted != known or time.monotonic() - known.at >= _SHIELD_SECONDS:
                why = firewall.shut(self._server, ports, closed, self._gateways() if door else {}, door)
                self._shielded = wanted._replace(at=time.monotonic(), why=why)
            return self._shielded.why

    def introduce(self, project: str, names: Sequence[str]) -> None:
        before, known = self._neighbours.get(project), tuple(names)
        if before != known:
            self._neighbours[project] = known
            try:
                self._write_hosts(project)
            except S2IError:
                self._neighbours.pop(project)  # to be tried again
                raise

    def usage(self, containers: Sequence[str]) -> dict[str, Usage]:
        self._pids = {one: pid for one, pid in self._pids.items() if one in containers}
        found = {}
        for one in containers:
            used = usage.read(self._pids[one], one) if one in self._pids else None
            if used is None and (details := self._find(one)) is not None:
                self._pids[one] = int(details["State"]["Pid"])
                used = usage.read(self._pids[one], one)
            if used is not None:
                found[one] = used
        return found

    def observe(self) -> tuple[Observed, ...]:
        with explained("containers"):
            rows = self._api.containers(all=True, filters={"label": f"{labels.SERVER}={self._server}"})
        rows = sorted(filter(self._is_ours, rows), key=lambda row: row["Names"][0])
        self._sweep_files(rows)
        found = [one for row in rows if (one := listing.observed(row)) is not None]
        gone = self._ended.keys() - {one.id for one in found if one.state == "exited"}
        for container in gone:
            self._ended.pop(container, None)
        return without_network(tuple(self._with_end(one) for one in found))

    def changes(self) -> Iterator[None]:
        wanted = {"type": ["container"], "event": list(_CHANGES), "label": [f"{labels.SERVER}={self._server}"]}
        events = connection.wire().follow("/events", {"filters": json.dumps(wanted)})
        yield None
        try:
            for _ in events:
                yield None
        except (OSError, Refused) as error:
            raise E_DOCKER(socket=connection.host(), why=error) from None

    def start_instance(self, work: Workload) -> str:
        declared = self._declared(work.image)
        box = self._running_sandbox(work)
        current = self._find(self._name(work.owner, "instance"))
        if not _serves(current, box):
            if current is not None and not _is_parked(current, box):
                self._end(current, 0, work.owner)
                current = None
            if current is None:
                self._create("instance", work, work.image, f"container:{box['Id']}", declared)
            else:
                sealed.lay(_plain(current["Name"]), sealed.files_of(work.config))  # they are gone after a reboot
                self._hosts(work)
            with around("start-instance"):
                self._start(self._name(work.owner, "instance"), work)
        return listing.address(box["NetworkSettings"], box["Config"]["Labels"])

    def start_sandbox(self, work: Workload) -> None:
        self._running_sandbox(work)

    def park(self, work: Workload, grace: float) -> None:
        declared = self._declared(work.image)
        name = self._name(work.owner, "instance")
        box, current = self._find(self._name(work.owner, "sandbox")), self._find(name)
        if box is not None and current is not None and _is_parked(current, box):
            return
        if current is not None:
            self._end(current, grace, work.owner)
        if box is not None and box["State"]["Running"]:
            self._create("instance", work, work.image, f"container:{box['Id']}", declared)

    def accepted(self, owner: Owner) -> int | None:
        box = self._find(self._name(owner, "sandbox"))
        return ports.accepted(box["State"]["Pid"]) if box is not None and box["State"]["Running"] else None

    def start_task(self, work: Workload) -> None:
        project = work.owner.project
        if project in self._joined:
            try:
                return self._run_task(work)
            except S2IError as error:
                if error.kind is not E_CONTAINER:
                    raise
                self._joined.discard(project)  # somebody may have removed the network
        self._network(project)
        self._run_task(work)
        self._joined.add(project)
        return None

    def _run_task(self, work: Workload) -> None:
        name, network = self._name(work.owner, "task"), self._name_of_network(work.owner.project)
        made = self._create("task", work, work.image, network, self._declared(work.image))
        current = None if made else self._find(name)
        if current is None or current["State"]["Status"] == "created":
            self._start(name, work)

    def stop(self, owner: Owner, grace: float) -> None:
        for role in _roles(owner):
            found = self._find(self._name(owner, role))
            if found is not None and role == "sandbox":
                self._drop(found)
            elif found is not None:
                self._end(found, grace, owner)

    def end(self, container: str, grace: float) -> None:
        if self._find(container) is not None:
            with explained(container), contextlib.suppress(docker.errors.NotFound):
                self._api.stop(container, timeout=round(grace))

    def remove(self, container: str) -> None:
        if (found := self._find(container)) is not None:
            self._drop(found)

    def logs(self, container: str, *, follow: bool = False, tail: int | None = None, since: str = "") -> Lines:
        self._find(container)  # of another's nothing is read
        return Output(self._wire, container, follow=follow, tail=tail, since=since)

    def listening(self, owner: Owner) -> tuple[tuple[str, int], ...]:
        box = self._find(self._name(owner, "task" if owner.kind == "job" else "sandbox"))
        return ports.listening(box["State"]["Pid"]) if box is not None and box["State"]["Running"] else ()

    def image_exists(self, image: str) -> bool:
        return self._image(image) is not None

    def image_ids(self) -> tuple[str, ...]:
        with explained("images"):
            rows = self._api.images(filters={"label": [f"{labels.SERVER}={self._server}", labels.PROJECT]}, all=False)
        return tuple(row["Id"] for row in rows if _is_nameless(row))

    def disk(self, project: str) -> int:
        tags = [f"{labels.SERVER}={self._server}", f"{labels.PROJECT}={project}"]
        with explained("images"):
            own = [row["Id"] for row in self._api.images(filters={"label": tags}, all=False)]
            bases = [row["Id"] for row in self._api.images(filters={"label": labels.BASE}) if _is_base(row)]
            for image in {*own, *bases} - self._layers.keys():
                with contextlib.suppress(docker.errors.NotFound):  # it has just gone
                    self._layers[image] = disk.layers(self._api.history(image))  # type: ignore[no-untyped-call]
        return disk.taken(*([self._layers.get(one, {}) for one in each] for each in (own, bases)))

    def remove_image(self, image: str) -> None:
        with explained(image):
            _each(lambda one: self._api.remove_image(one, force=False), image)
        self._layers.pop(image, None)

    def subnets(self, project: str) -> tuple[str, ...]:
        if found := self._subnets.get(project):
            return found
        rows = [
            part for row in self._networks_of(f"{labels.PROJECT}={project}") for part in row["IPAM"]["Config"] or ()
        ]
        found = tuple(row["Subnet"] for row in rows) + tuple(f"!{row['Gateway']}" for row in rows if "Gateway" in row)
        self._subnets[project] = found
        return found

    def run_in(self, container: str, command: tuple[str, ...], out: Callable[[bytes], object]) -> tuple[int, str]:
        self._find(container)  # in another's nothing is run
        return inside.run(self._wire, container, command, out)

    def put_file(self, container: str, directory: str, name: str, size: int, pieces: Iterable[bytes]) -> None:
        self._find(container)
        with explained(container):
            self._api.put_archive(container, directory, inside.archive(name, size, pieces))

    def make_volume(self, project: str, name: str) -> None:
        volumes.make(self._wire, self._server, project, name)

    def remove_volume(self, project: str, name: str) -> None:
        volumes.remove(self._wire, self._server, project, name)
        self._handed.discard((project, name))

    def volume_sizes(self, project: str) -> dict[str, int]:
        return volumes.sizes(connection.wire(_DISK_SECONDS), self._server, project)

    def remove_project(self, project: str, *, images: bool = True, volumes: bool = False) -> None:
        self._sweep(f"{labels.PROJECT}={project}", with_images=images)
        self._subnets.pop(project, None)
        self._neighbours.pop(project, None)
        hosts.forget(project)
        if volumes:
            self._sweep_volumes(project)

    def remove_all(self, *, volumes: bool = False) -> dict[str, int]:
        counts = self._sweep()
        self._subnets.clear()
        self._neighbours.clear()
        hosts.forget_all()
        firewall.open_again(self._server)
        return counts | ({"volumes": self._sweep_volumes()} if volumes else {})

    # Containers

    def _running_sandbox(self, work: Workload) -> dict[str, Any]:
        """Return the details of the owner's sandbox, made or started when it does not run."""
        name = self._name(work.owner, "sandbox")
        for _ in range(_ATTEMPTS):
            box = self._find(name)
            # One that was made before the plan was known may carry another port.
            fits = box is not None and box["Config"]["Labels"].get(labels.PORT) == str(work.config.port)
            if box is not None and box["State"]["Running"] and fits:
                return box
            if box is not None and (box["State"]["Status"] != "created" or not fits):
                self._drop(box)  # its instance's network died with it; start_instance sees that
                box = None
            if box is None:
                image = self._image_of_sandboxes(work.image)
                self._create("sandbox", work, image, self._network(work.owner.project), self._declared(image))
            self._start(name)
        raise E_CONTAINER(name=name, why="it ends as soon as it is started")

    def _create(self, role: Role, work: Workload, image: str, network: str, declared: Declared) -> bool:
        """Make a container; say whether it was this call that made it."""
        name = self._name(work.owner, role)
        files = () if role == "sandbox" else sealed.files_of(work.config)
        sealed.lay(name, files)
        body = container_settings(
            role,
            work,
            server=self._server,
            image=image,
            network=network,
            declared=declared,
            sealed=sealed.sources(name, files),
            hosts=None if role == "sandbox" else self._hosts(work),
        )
        until = time.monotonic() + _NAME_SECONDS
        with around(f"create-{role}"), explained(name, image):
            while True:
                try:
                    self._api.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
                    return True
                except docker.errors.APIError as error:
                    if error.status_code != 409:
                        raise
                    # Somebody (a call of ours that timed out, another thread) was faster: what is there is adopted.
                    if self._find(name) is not None:
                        return False
                    # The name is taken before the container can be seen, and still when it no longer can.
                    if time.monotonic() > until:
                        raise
                time.sleep(_NAME_PAUSE)

    def _start(self, name: str, work: Workload | None = None) -> None:
        """Start a container; what it is to write to is given to it first."""
        if work and work.config.volumes:
            self._hand_over(work)
        with explained(name):
            self._api.start(name)

    def _end(self, found: dict[str, Any], grace: float, owner: Owner) -> None:
        """End a container, keep what an instance wrote, and remove it; one that never ran is only removed."""
        container = found["Id"]
        if found["State"]["Status"] != "created":
            with explained(container), contextlib.suppress(docker.errors.NotFound):
                self._api.stop(container, timeout=round(grace))
            if owner.kind == "app":
                self._keep(owner, container, Output(self._wire, container))
        self._drop(found)

    def _drop(self, found: dict[str, Any]) -> None:
        """Remove a container, by its details or its row of a list, with the files that were mounted in it."""
        container = found["Id"]
        with explained(container):
            _each(lambda ident: self._api.remove_container(ident, force=True, v=True), container)
        for name in (found["Name"],) if "Name" in found else found["Names"]:
            sealed.forget(_plain(name))

    def _find(self, container: str) -> dict[str, Any] | None:
        """Return the details of a container of ours, None when there is none. Raises E_CONTAINER for another's."""
        with explained(container):
            try:
                details: dict[str, Any] = self._api.inspect_container(container)
            except docker.errors.NotFound:
                return None
        if (details["Config"]["Labels"] or {}).get(labels.SERVER) != self._server:
            raise E_CONTAINER(name=container, why="it was not made by this s2i server")
        return details

    def _with_end(self, one: Observed) -> Observed:
        if one.state != "exited":
            return one
        if one.id not in self._ended:
            details = self._find(one.id)
            self._ended[one.id] = listing.ended(one, details) if details else one
        return self._ended[one.id]

    def _is_ours(self, row: dict[str, Any]) -> bool:
        """Say whether a container is one that we made: a label can come with an image that somebody runs by hand."""
        return any(name.startswith((f"/s2i-{self._server}.", f"/{trial.PREFIX}")) for name in row["Names"] or ())

    def _sweep_files(self, rows: Sequence[dict[str, Any]]) -> None:
        if time.monotonic() - self._swept >= _SWEEP_SECONDS:
            self._swept = time.monotonic()
            names = [_plain(name) for row in rows for name in row["Names"]]
            sealed.sweep(f"s2i-{self._server}.", names, time.time())

    def _name(self, owner: Owner, role: Role) -> str:
        parts = (f"s2i-{self._server}", owner.project, owner.run or owner.name, owner.instance)
        return ".".join((*filter(None, parts), *(("sandbox",) if role == "sandbox" else ())))

    # Networks, volumes and images

    def _hand_over(self, work: Workload) -> None:
        """Let a container write to its volumes; of each that is done once."""
        project = work.owner.project
        with self._volumes:
            new = [one.name for one in work.config.volumes if (project, one.name) not in self._handed]
            if new:
                volumes.hand_over(self._wire, self._server, project, work.image, new)
                self._handed.update((project, one) for one in new)

    def _sweep_volumes(self, project: str = "") -> int:
        self._handed = {one for one in self._handed if project and one[0] != project}
        return volumes.sweep(self._wire, self._server, project)

    def _network(self, project: str) -> str:
        name = self._name_of_network(project)
        tags = {labels.SERVER: self._server, labels.PROJECT: project}
        # The engine looks for another of that name, and then makes it: two at once would get two.
        with self._networks, explained(name), _unless_conflict():
            bridge = {"com.docker.network.bridge.name": firewall.bridge(self._server, project)}
            self._api.create_network(name, driver="bridge", options=bridge, check_duplicate=True, labels=tags)
            self._subnets.pop(project, None)
            self._write_hosts(project)
            with self._shielding:
                self._shielded = known = self._shielded._replace(at=float("-inf"))
            if known.door:  # the door of this network is not there yet
                self.shield(*known[:3])
        return name

    def _hosts(self, work: Workload) -> Path | None:
        """Return where the names for a container are, None where no name could lead anywhere."""
        return None if firewall.hindrance() else self._write_hosts(work.owner.project)

    def _write_hosts(self, project: str) -> Path:
        """Write down which neighbours the containers of a project know; return where. Raises E_CONTAINER."""
        gateway = next((one[1:] for one in self.subnets(project) if one.startswith("!")), "")
        try:
            return hosts.write(project, gateway, self._neighbours.get(project, ()))
        except OSError as error:
            name = self._name_of_network(project)
            raise E_CONTAINER(name=name, why=f"{hosts.path(project)}: {error.strerror or error}") from None

    def _gateways(self) -> dict[str, str]:
        """Return the IPv4 gateway of each project's network."""
        return {
            row["Labels"][labels.PROJECT]: part["Gateway"]
            for row in self._networks_of()
            for part in row["IPAM"]["Config"] or ()
            if "." in part.get("Gateway", "")
        }

    def _networks_of(self, *more: str) -> list[dict[str, Any]]:
        with explained("networks"):
            rows: list[dict[str, Any]] = self._api.networks(
                filters={"label": [f"{labels.SERVER}={self._server}", labels.PROJECT, *more]}
            )
        return rows

    def _name_of_network(self, project: str) -> str:
        return f"s2i-{self._server}-{project}"

    def _image(self, image: str) -> dict[str, Any] | None:
        with explained(image, image):
            try:
                details: dict[str, Any] = self._api.inspect_image(image)  # type: ignore[no-untyped-call]
            except docker.errors.NotFound:
                return None
        return details

    def _declared(self, image: str) -> Declared:
        """Return what the image would hand down to a container. Raises E_IMAGE_GONE."""
        if image in self._known:
            return self._known[image]
        details = self._image(image)
        if details is None:
            raise E_IMAGE_GONE(image=image)
        found = Declared(tuple(details["Config"].get("Volumes") or ()), tuple(details["Config"].get("Labels") or ()))
        if image == details["Id"]:
            self._known[image] = found
        return found

    def _image_of_sandboxes(self, own: str) -> str:
        if self._sandbox_image:
            return self._sandbox_image
        with explained("base images"):
            bases = self._api.images(filters={"label": labels.BASE})
        bases.sort(key=lambda image: image["Created"], reverse=True)
        runtime = (image["Id"] for image in bases if any(t.startswith(RUNTIME_BASE) for t in image["RepoTags"] or ()))
        return next(runtime, own)

    def _sweep(self, *more: str, with_images: bool = True) -> dict[str, int]:
        """Remove the containers, networks and images that carry the labels; return how many there were of each."""
        filters = {"label": [f"{labels.SERVER}={self._server}", *more]}
        with explained("what this server made"):
            boxes = [row for row in self._api.containers(all=True, filters=filters) if self._is_ours(row)]
            # Sandboxes last: an instance that outlives its network logs nothing but failures.
            for row in sorted(boxes, key=lambda row: row["Labels"].get(labels.ROLE) == "sandbox"):
                self._drop(row)
            networks = self._api.networks(filters=filters)
            for row in networks:
                _each(self._api.remove_network, row["Id"])
            found = self._api.images(filters=filters) if with_images else ()
            images = [row for row in found if _is_nameless(row)]
            for row in images:
                _each(lambda image: self._api.remove_image(image, force=True), row["Id"])
        return {"containers": len(boxes), "networks": len(networks), "images": len(images)}


def _plain(name: str) -> str:
    """Return the name of a container as it was given: the engine puts a slash before it."""
    return name.removeprefix("/")


def _is_base(row: dict[str, Any]) -> bool:
    """Say whether an image is a base image, and not one made of it: labels are handed down."""
    return any(tag.startswith(BASES) for tag in row.get("RepoTags") or ())


def _is_nameless(row: dict[str, Any]) -> bool:
    """Say whether nobody has given an image a name: one that has it is theirs to remove."""
    return set(row.get("RepoTags") or ()) <= {"<none>:<none>"}


def _roles(owner: Owner) -> tuple[Role, ...]:
    return ("task",) if owner.kind == "job" else ("instance", "sandbox")


def _serves(instance: dict[str, Any] | None, box: dict[str, Any]) -> bool:
    """Say whether the instance runs in this very run of the sandbox: a restart of it makes a new network."""
    return (
        instance is not None
        and instance["State"]["Running"]
        and instance["HostConfig"]["NetworkMode"] == f"container:{box['Id']}"
        and listing.epoch(instance["State"]["StartedAt"]) >= listing.epoch(box["State"]["StartedAt"])
    )


def _is_parked(instance: dict[str, Any], box: dict[str, Any]) -> bool:
    """Say whether the instance has never been started, and would run in this sandbox."""
    mode = instance["HostConfig"]["NetworkMode"]
    return bool(instance["State"]["Status"] == "created" and mode == f"container:{box['Id']}")


@contextlib.contextmanager
def _unless_conflict() -> Iterator[None]:
    """Go on when the engine says 409: the thing is there already, is going already, or somebody else uses it."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code != 409:
            raise


def _each(remove: Callable[[str], object], what: str) -> None:
    with contextlib.suppress(docker.errors.NotFound), _unless_conflict():
        remove(what)
