"""An Engine in memory, with the faults of a real one on demand. It passes tests/engines/contract.py."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from s2i.engines.engine import (
    Capacity,
    EngineInfo,
    Keep,
    Line,
    Lines,
    Observed,
    Owner,
    Usage,
    Workload,
    without_network,
)
from s2i.errors import E_IMAGE_GONE, E_VOLUME_USED


class FakeEngine:
    """Containers as values. Tests inject what happens to them; ``calls`` names every change asked for, in order.

    ``images`` are the images that exist. ``mute`` are addresses that do not answer (see ``answers``).
    """

    def __init__(
        self,
        images: tuple[str, ...] = ("sha256:app",),
        now: Callable[[], float] = lambda: 0.0,
        keep: Keep = lambda *_: None,
    ) -> None:
        self.images = set(images)
        self.containers: dict[str, Observed] = {}
        self.works: dict[str, Workload] = {}
        self.networks: set[str] = set()
        self.files: dict[str, bytes] = {}  # that were put onto volumes
        self.answer: Callable[[str], tuple[int, bytes, str]] = lambda _: (0, b"", "")  # of what runs inside
        self.volumes: set[tuple[str, str]] = set()  # project, name
        self.output: defaultdict[str, list[Line]] = defaultdict(list)
        self.spoken = threading.Condition()
        self._lines = self._breaks = 0
        self.mute: set[str] = set()
        self.ports: dict[Owner, tuple[tuple[str, int], ...]] = {}
        self.connections: dict[Owner, int] = {}
        self.used: dict[str, Usage] = {}
        self.unshielded = ""  # why it cannot keep containers from anything
        self.closed: tuple[str, ...] = ()
        self.bytes_of_images: dict[str, int] = {}
        self.neighbours: dict[str, tuple[str, ...]] = {}  # the names that the containers of a project know
        self.has = Capacity(4.0, 16 << 30)
        self.calls: list[tuple[str, str]] = []
        self._now, self._keep = now, keep
        self._ids = itertools.count(1)
        self._faults: defaultdict[str, list[BaseException]] = defaultdict(list)

    # What a test injects

    def fail_next(self, verb: str, error: BaseException) -> None:
        """Make the next call of ``verb`` ("start_instance", "observe" ...) raise ``error``; may be queued up."""
        self._faults[verb].append(error)

    def exit(self, owner: Owner, code: int = 0, *, oom: bool = False) -> None:
        """End the owner's instance or task by itself."""
        found = self._of(owner, "instance") or self._of(owner, "task")
        assert found is not None, f"nothing of {owner} to end"
        self._put(msgspec.structs.replace(found, state="exited", exit=code, oom=oom, finished=self._now()))

    def lose_sandbox(self, owner: Owner) -> None:
        """End the owner's sandbox: the network of its instance is dead from now on."""
        found = self._of(owner, "sandbox")
        assert found is not None, f"no sandbox of {owner}"
        self._put(msgspec.structs.replace(found, state="exited", address="", exit=137))

    def say(self, owner: Owner, line: bytes) -> None:
        """Add one line (without its newline) to the output of the owner's container."""
        found = self._of(owner, "instance") or self._of(owner, "task")
        assert found is not None, f"nothing of {owner} to speak"
        self.tell(found.id, line)

    def tell(self, container: str, line: bytes) -> None:
        """Add one line to the output of a container."""
        with self.spoken:
            self._lines += 1
            self.output[container].append(Line(_stamp(self._now(), self._lines), line))
            self.spoken.notify_all()

    def break_logs(self) -> None:
        """End every log that is followed, as an engine that restarts does."""
        with self.spoken:
            self._breaks += 1
            self.spoken.notify_all()

    def answers(self, address: str) -> bool:
        """Say whether a request to ``address`` is answered: its instance runs in a live sandbox, and is not mute."""
        if address in self.mute:
            return False
        for box in self.containers.values():
            if box.role == "sandbox" and box.address == address:
                instance = self._of(box.owner, "instance")
                return instance is not None and instance.state == "running"
        return False

    # The protocol

    def info(self) -> EngineInfo:
        self._fault("info")
        return EngineInfo("fake", "1.0", "memory")

    def shield(self, ports: Sequence[int], closed: Sequence[str] = (), door: str = "") -> str:
        self.open_ports, self.closed, self.door = tuple(ports), tuple(closed), door
        return self.unshielded

    def introduce(self, project: str, names: Sequence[str]) -> None:
        self._fault("introduce")
        self.neighbours[project] = tuple(names)

    def capacity(self) -> Capacity:
        self._fault("capacity")
        return self.has

    def usage(self, containers: Sequence[str]) -> dict[str, Usage]:
        self._fault("usage")
        return {one: self.used[one] for one in containers if one in self.used}

    def observe(self) -> tuple[Observed, ...]:
        self._fault("observe")
        return without_network(tuple(sorted(self.containers.values(), key=lambda one: (_name(one.owner), one.role))))

    def changes(self) -> Iterator[None]:
        self._fault("changes")
        return iter(())

    def start_instance(self, work: Workload) -> str:
        self._enter("start_instance", work.owner)
        self._need(work.image)
        self.networks.add(work.owner.project)
        box, instance = self._of(work.owner, "sandbox"), self._of(work.owner, "instance")
        if box is None or box.state != "running" or not box.address.endswith(f":{work.config.port}"):
            box, instance = self._new_sandbox(work, box, instance), None
        if instance is None or instance.state != "running":
            parked = instance if instance is not None and instance.state == "created" else None
            if parked is None:
                self._drop(instance)
            ident = parked.id if parked else self._id()
            self._put(Observed(ident, "instance", work.owner, "running", started=self._now()))
            self.works[ident] = work
        return box.address

    def park(self, work: Workload, grace: float) -> None:
        self._enter("park", work.owner)
        self._need(work.image)
        box, instance = self._of(work.owner, "sandbox"), self._of(work.owner, "instance")
        if instance is not None and instance.state == "created":
            return
        self._drop(instance)
        if box is not None and box.state == "running":
            made = Observed(self._id(), "instance", work.owner, "created")
            self._put(made)
            self.works[made.id] = work

    def accepted(self, owner: Owner) -> int | None:
        return self.connections.get(owner, 0)

    def start_sandbox(self, work: Workload) -> None:
        self._enter("start_sandbox", work.owner)
        self.networks.add(work.owner.project)
        box = self._of(work.owner, "sandbox")
        if box is None or box.state != "running":
            self._new_sandbox(work, box, self._of(work.owner, "instance"))

    def start_task(self, work: Workload) -> None:
        self._enter("start_task", work.owner)
        self._need(work.image)
        self.networks.add(work.owner.project)
        if self._of(work.owner, "task") is None:
            task = Observed(self._id(), "task", work.owner, "running", started=self._now())
            self._put(task)
            self.works[task.id] = work

    def stop(self, owner: Owner, grace: float) -> None:
        self._enter("stop", owner)
        for role in ("instance", "task", "sandbox"):
            self._drop(self._of(owner, role))

    def end(self, container: str, grace: float) -> None:
        self._fault("end")
        self.calls.append(("end", container))
        found = self.containers.get(container)
        if found is not None and found.state == "running":
            self._put(msgspec.structs.replace(found, state="exited", exit=143, finished=self._now()))

    def remove(self, container: str) -> None:
        self._fault("remove")
        self.calls.append(("remove", container))
        self._drop(self.containers.get(container))

    def logs(self, container: str, *, follow: bool = False, tail: int | None = None, since: str = "") -> Lines:
        self._fault("logs")
        return _Output(self, container, follow=follow, tail=tail, since=since)

    def listening(self, owner: Owner) -> tuple[tuple[str, int], ...]:
        self._fault("listening")
        instance = self._of(owner, "instance") or self._of(owner, "task")
        if instance is None or instance.state != "running":
            return ()
        if instance.role == "task":
            return self.ports.get(owner, ())
        return self.ports.get(owner, (("0.0.0.0", self.works[instance.id].config.port),))

    def image_ids(self) -> tuple[str, ...]:
        self._fault("image_ids")
        return tuple(sorted(self.images))

    def disk(self, project: str) -> int:
        self._fault("disk")
        return self.bytes_of_images.get(project, 0)

    def remove_image(self, image: str) -> None:
        self._fault("remove_image")
        self.calls.append(("remove_image", image))
        if not any(self.works[one].image == image for one in self.containers if one in self.works):
            self.images.discard(image)

    def image_exists(self, image: str) -> bool:
        self._fault("image_exists")
        return image in self.images

    def subnets(self, project: str) -> tuple[str, ...]:
        self._fault("subnets")
        boxes = [one for one in self.containers.values() if one.role == "sandbox" and one.owner.project == project]
        return tuple(f"{one.address.partition(':')[0]}/32" for one in boxes if one.address)

    def run_in(self, container: str, command: tuple[str, ...], out: Callable[[bytes], object]) -> tuple[int, str]:
        self._fault("run_in")
        self.calls.append(("run_in", command[-1]))
        code, written, said = self.answer(command[-1])
        out(written)
        return code, said

    def put_file(self, container: str, directory: str, name: str, size: int, pieces: Iterable[bytes]) -> None:
        self._fault("put_file")
        self.files[f"{directory}/{name}"] = b"".join(pieces)

    def make_volume(self, project: str, name: str) -> None:
        self._fault("make_volume")
        self.calls.append(("make_volume", f"{project}/{name}"))
        self.volumes.add((project, name))

    def remove_volume(self, project: str, name: str) -> None:
        self._fault("remove_volume")
        self.calls.append(("remove_volume", f"{project}/{name}"))
        works = (self.works[one] for one in self.containers if one in self.works)
        for work in works:
            if work.owner.project == project and any(one.name == name for one in work.config.volumes):
                raise E_VOLUME_USED(name=name, users="a container that has not ended yet")
        self.volumes.discard((project, name))

    def volume_sizes(self, project: str) -> dict[str, int]:
        self._fault("volume_sizes")
        return {name: 0 for of, name in sorted(self.volumes) if of == project}

    def remove_project(self, project: str, *, images: bool = True, volumes: bool = False) -> None:
        self._fault("remove_project")
        if volumes:
            self.volumes = {one for one in self.volumes if one[0] != project}
        self.calls.append(("remove_project", project))
        self.networks.discard(project)
        self.containers = {key: one for key, one in self.containers.items() if one.owner.project != project}

    def remove_all(self, *, volumes: bool = False) -> dict[str, int]:
        self._fault("remove_all")
        gone = {"containers": len(self.containers), "networks": len(self.networks), "images": 0}
        if volumes:
            gone["volumes"] = len(self.volumes)
            self.volumes.clear()
        self.containers.clear()
        self.networks.clear()
        return gone

    # Its insides

    def _enter(self, verb: str, owner: Owner) -> None:
        self.calls.append((verb, _name(owner)))
        self._fault(verb)

    def _fault(self, verb: str) -> None:
        if self._faults[verb]:
            raise self._faults[verb].pop(0)

    def _need(self, image: str) -> None:
        if image not in self.images:
            raise E_IMAGE_GONE(image=image)

    def _id(self) -> str:
        return f"{next(self._ids):012x}".ljust(64, "0")

    def _new_sandbox(self, work: Workload, box: Observed | None, instance: Observed | None) -> Observed:
        self._drop(box)
        self._drop(instance)
        new = self._id()
        address = f"172.18.0.{int(new[:12], 16) + 1}:{work.config.port}"
        made = Observed(new, "sandbox", work.owner, "running", address, started=self._now())
        self._put(made)
        return made

    def _of(self, owner: Owner, role: str) -> Observed | None:
        return next((o for o in self.containers.values() if o.owner == owner and o.role == role), None)

    def _put(self, one: Observed) -> None:
        with self.spoken:
            self.containers[one.id] = one
            self.spoken.notify_all()

    def _drop(self, one: Observed | None) -> None:
        if one is None:
            return
        if one.role == "instance" and one.state != "created":
            self._put(msgspec.structs.replace(one, state="exited"))
            self._keep(one.owner, one.id, list(self.output[one.id]))
        with self.spoken:
            self.containers.pop(one.id, None)
            self.output.pop(one.id, None)
            self.spoken.notify_all()


class _Output:
    """What the fake's container wrote, as it comes."""

    def __init__(self, engine: FakeEngine, container: str, *, follow: bool, tail: int | None, since: str) -> None:
        self._engine, self._container, self._follow, self._since = engine, container, follow, since
        there = len(engine.output[container]) if container in engine.output else 0
        self._read = max(there - tail, 0) if tail is not None else 0
        self._closed = False
        self._breaks = engine._breaks

    def __iter__(self) -> Iterator[Line]:
        while (line := self._next()) is not None:
            if line.at >= self._since:
                yield line

    def close(self) -> None:
        with self._engine.spoken:
            self._closed = True
            self._engine.spoken.notify_all()

    def _next(self) -> Line | None:
        with self._engine.spoken:
            while not self._closed:
                there = self._engine.output.get(self._container, [])
                if self._read < len(there):
                    self._read += 1
                    return there[self._read - 1]
                found = self._engine.containers.get(self._container)
                broken = self._breaks != self._engine._breaks
                if not self._follow or broken or found is None or found.state == "exited":
                    return None
                self._engine.spoken.wait(5)
        return None


def _stamp(now: float, number: int) -> str:
    """Return a time as the engine writes it, of which there is one for each line."""
    when = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}{number % 1000:03}Z"


def _name(owner: Owner) -> str:
    """Return how a test names an owner: "default/shop/r3-0", or "default/report-1" for a job run."""
    return "/".join(part for part in (owner.project, owner.run or owner.name, owner.instance) if part)
