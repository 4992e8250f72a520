"""Which of the tasks that wait may begin: as far as there is room, fair between projects and runs. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping

import msgspec

from s2i.engines.engine import Capacity
from s2i.resources.project import Amounts, Room, exceeded, shown, total

CPU_FACTOR = 2.0  # tasks wait for disks and networks too: so many times the cores are promised
MEMORY_SHARE = 0.75  # of the machine's: apps, builds and the engine need some

Run = tuple[str, str]  # project, name
NO_ROOMS: Mapping[str, Room] = {}


class Claim(msgspec.Struct, frozen=True):
    """What one task of a run needs. ``limit``: tasks of that run at once, at most; 0: no such limit.

    ``free``: it needs no room of the machine, only of its project.
    """

    project: str
    run: str
    index: int
    cpu: float
    memory: int
    limit: int = 0
    free: bool = False


class Admission(msgspec.Struct, frozen=True):
    """Those that may ``begin``, in the order in which they waited within each run; for what the other runs wait.

    A run that has as many tasks at once as it asks for waits for nothing else.
    """

    begin: tuple[Claim, ...] = ()
    waits: Mapping[Run, str] = {}


class _Taken:
    """What tasks have, and whether one more fits beside them."""

    def __init__(self, running: Iterable[Claim], has: Capacity, rooms: Mapping[str, Room]) -> None:
        self.has, self.rooms = has, rooms
        self.cpu: collections.Counter[str] = collections.Counter()  # of the machine, by project
        self.tasks: collections.Counter[Run] = collections.Counter()
        self.memory = 0
        self.amounts: dict[str, Amounts] = {}  # of a project's limits
        for one in running:
            self.add(one)

    def add(self, one: Claim) -> None:
        if one.project in self.rooms:
            self.amounts[one.project] = self._with(one)
        if not one.free:
            self.cpu[one.project] += one.cpu  # type: ignore[assignment]  # a Counter of cores
            self.tasks[one.project, one.run] += 1
            self.memory += one.memory

    def is_parallel(self, one: Claim) -> bool:
        """Say whether its run has as many tasks at once as it asks for."""
        return not one.free and 0 < one.limit <= self.tasks[one.project, one.run]

    def of_project(self, one: Claim) -> str:
        """Return what its project has no more of, in words; "" when it fits."""
        room = self.rooms.get(one.project)
        field = exceeded(room.limits, self._with(one)) if room else ""
        if not room or not field:
            return ""
        limit, of_apps = getattr(room.limits, field), getattr(room.apps, field)
        apps = f", {shown(field, of_apps)} by its apps at max-scale" if of_apps else ""
        return f"the project's {_taken(field, limit)}{apps}"

    def of_machine(self, one: Claim) -> str:
        """Return what the machine has no more of, in words; "" when it fits. Something too large runs alone."""
        if one.free or not self.tasks.total():
            return ""
        if sum(self.cpu.values()) + one.cpu > self.has.cpus * CPU_FACTOR:
            return f"the machine's {_taken('cpu', self.has.cpus)}"
        if self.memory + one.memory > self.has.memory * MEMORY_SHARE:
            return "the machine's memory is taken"
        return ""

    def _with(self, one: Claim) -> Amounts:
        # Only what a task takes: a project may have too many apps since a limit was lowered, and its tasks run on.
        apps = self.rooms[one.project].apps
        before = self.amounts.get(one.project) or Amounts(apps.cpu, apps.memory, apps.instances)
        return total((before, Amounts(one.cpu, one.memory, 1)))


def admission(
    waiting: Iterable[Claim], running: Iterable[Claim], has: Capacity, rooms: Mapping[str, Room] = NO_ROOMS
) -> Admission:
    """Return which of ``waiting`` may begin beside ``running``. ``rooms``: the limits of projects that have some.

    The next one is of the project that uses the fewest cores, there of the run with the fewest tasks. When it has to
    wait for room of the machine, all do, for room of its project all of that: nothing small may keep something large
    waiting for ever. What needs more than the machine promises runs alone.
    """
    taken = _Taken(running, has, rooms)
    queues: dict[Run, collections.deque[Claim]] = {}
    for one in waiting:
        queues.setdefault((one.project, one.run), collections.deque()).append(one)
    order = {key: number for number, key in enumerate(queues)}
    begin: list[Claim] = []
    full: dict[str, str] = {}  # projects without room
    why = ""
    while not why:
        open_ = [key for key, queue in queues.items() if queue and not taken.is_parallel(queue[0])]
        open_ = [key for key in open_ if key[0] not in full]
        if not open_:
            break
        # What needs no room of the machine has no turn to wait for.
        key = min(open_, key=lambda one: (not queues[one][0].free, taken.cpu[one[0]], taken.tasks[one], order[one]))
        first = queues[key][0]
        if lacks := taken.of_project(first):
            full[first.project] = lacks
        elif not (why := taken.of_machine(first)):
            begin.append(queues[key].popleft())
            taken.add(first)
    left = {key: queue[0] for key, queue in queues.items() if queue and not taken.is_parallel(queue[0])}
    return Admission(tuple(begin), {key: full.get(one.project) or why for key, one in left.items()})


def _taken(field: str, value: float) -> str:
    return f"{shown(field, value)} {'is' if value == 1 or field == 'memory' else 'are'} taken"
