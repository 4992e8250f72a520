"""Which of the tasks that wait may begin: as far as there is room, fair between projects and runs. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterable

import msgspec

from s2i.engines.engine import Capacity

CPU_FACTOR = 2.0  # tasks wait for disks and networks too: so many times the cores are promised
MEMORY_SHARE = 0.75  # of the machine's: apps, builds and the engine need some


class Claim(msgspec.Struct, frozen=True):
    """What one task of a run needs. ``limit``: tasks of that run at once, at most; 0: no such limit."""

    project: str
    run: str
    index: int
    cpu: float
    memory: int
    limit: int = 0


def admitted(waiting: Iterable[Claim], running: Iterable[Claim], has: Capacity) -> tuple[Claim, ...]:
    """Return those of ``waiting`` that may begin beside ``running``, in the order of ``waiting`` within each run.

    The next one is of the project that uses the fewest cores, there of the run with the fewest tasks. When it has to
    wait for room, all do: nothing small may keep something large waiting for ever. What needs more than the machine
    promises runs alone.
    """
    cpu: collections.Counter[str] = collections.Counter()
    tasks: collections.Counter[tuple[str, str]] = collections.Counter()
    memory = 0
    for one in running:
        cpu[one.project] += one.cpu  # type: ignore[assignment]  # a Counter of cores
        tasks[one.project, one.run] += 1
        memory += one.memory
    queues: dict[tuple[str, str], collections.deque[Claim]] = {}
    for one in waiting:
        queues.setdefault((one.project, one.run), collections.deque()).append(one)
    order = {key: number for number, key in enumerate(queues)}
    begin: list[Claim] = []
    while True:
        open_ = [key for key, queue in queues.items() if queue and not 0 < queue[0].limit <= tasks[key]]
        if not open_:
            return tuple(begin)
        key = min(open_, key=lambda one: (cpu[one[0]], tasks[one], order[one]))
        first = queues[key][0]
        fits = sum(cpu.values()) + first.cpu <= has.cpus * CPU_FACTOR and memory + first.memory <= (
            has.memory * MEMORY_SHARE
        )
        if not fits and tasks.total():
            return tuple(begin)
        begin.append(queues[key].popleft())
        cpu[first.project] += first.cpu  # type: ignore[assignment]
        tasks[key] += 1
        memory += first.memory
