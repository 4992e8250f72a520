"""The most that a step of a build may use."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from s2i.errors import E_VALUE
from s2i.resources.config import parse_cpu, parse_memory

MEMORY, CPU, PROCESSES = "S2I_BUILD_MEMORY", "S2I_BUILD_CPU", "S2I_BUILD_PROCESSES"
DEFAULT_PROCESSES = 4096  # far more than a compiler on many cores starts, and few enough to end a fork bomb


class Limits(msgspec.Struct, frozen=True):
    """Limits of each step that runs a command. ``memory`` in bytes, ``cpu`` in cores; 0 for none."""

    memory: int = 0
    cpu: float = 0.0
    processes: int = DEFAULT_PROCESSES

    @property
    def asked(self) -> str:
        """Say what a person asked for: "memory", "CPU", both, or ""."""
        return " and ".join(word for word, value in (("memory", self.memory), ("CPU", self.cpu)) if value)


def parse(memory: str | None, cpu: str | None, inherited: Mapping[str, str]) -> Limits:
    """Return the limits of a command line (None: not given), else of the settings. Raises E_LIMIT, E_VALUE."""
    asked, by = (inherited.get(MEMORY), MEMORY) if memory is None else (memory, "--memory")
    cores, whose = (inherited.get(CPU), CPU) if cpu is None else (cpu, "--cpu")
    return Limits(
        memory=0 if asked is None else parse_memory(asked, what=by),
        cpu=0.0 if cores is None else parse_cpu(cores, what=whose),
        processes=_processes(inherited.get(PROCESSES)),
    )


def _processes(text: str | None) -> int:
    if text is None:
        return DEFAULT_PROCESSES
    if not re.fullmatch(r"[1-9][0-9]{1,6}", text, re.ASCII):
        raise E_VALUE(what=PROCESSES, value=text, why="it is not a number from 10 to 9999999", command="build")
    return int(text)
