"""Hold the steps of a build to limits: find their control groups on this machine and write the limits there.

BuildKit takes no limits (moby/buildkit#2108): `docker build --memory` does nothing. But who is root on the engine's
machine can set them from outside. A step is known by a word in its environment, which it gets as part of NO_PROXY:
BuildKit hands the proxy variables to each step and leaves them out of cache keys and images, so the word costs nothing
there, and as the name of a host that nobody asks for it changes nothing in a step.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from s2i.errors import E_BUILD_MEMORY, E_BUILD_PROCESSES
from s2i.images.limits import Limits
from s2i.planning.dockerfile import instructions
from s2i.sources import Notice

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
# Between two looks: after the start of a step, for who asked for a limit; else.
QUICK_SECONDS, SLOW_SECONDS, HURRY_SECONDS = 0.02, 0.1, 2.0
LOOKS = 150  # a process that has not become a step's by then is somebody else's
PERIOD = 100_000  # microseconds, of CPU shares
_SUMMARY = ("executor failed running", "did not complete successfully", "returned a non-zero code")  # the builder's
# dash's and bash's, and Python's of a process and of a thread
_NO_FORK = ("Cannot fork", "fork: retry", "Resource temporarily unavailable", "can't start new thread")
VARIABLES = ("NO_PROXY", "no_proxy")


class Cage:
    """The limits of one build. ``marks``: variables of its steps, with the word by which they are known."""

    def __init__(self, limits: Limits, inherited: Mapping[str, str], why_not: str = "") -> None:
        self.limits = limits
        self.why_not = why_not
        self.marks: dict[str, str] = {}
        self.killed = False  # a step needed more memory
        self.crowded = False  # a step was refused a process
        self._word = f"s2i-{os.urandom(8).hex()}.invalid"
        self._groups: dict[str, tuple[Path, Path]] = {}  # path in the kernel -> folders of memory and of processes
        self._looks: dict[str, int] = {}
        self._hurry = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        if not why_not:
            self.marks = marked(inherited, self._word)
            self._looks = dict.fromkeys(_processes(), LOOKS)  # what runs already is none of ours

    @property
    def holds(self) -> bool:
        """Say whether a step was found and limited."""
        return bool(self._groups)

    def step(self) -> None:
        """Say that a step has begun: its processes will appear."""
        if self.limits.asked:
            self._hurry = time.monotonic() + HURRY_SECONDS
        if self._thread is None and not self.why_not:
            self._thread = threading.Thread(target=self._watch, name="limits", daemon=True)
            self._thread.start()

    def explain(self, step: str, lines: Sequence[str]) -> None:
        """Raise what the limits had to do with a build that failed in ``step``: E_BUILD_MEMORY, E_BUILD_PROCESSES."""
        memory = self.limits.memory
        said = tuple(line for line in lines if not any(word in line for word in _SUMMARY))
        # The last count is missed when the step ends with its process: what it says tells the same.
        told = memory and self.holds and any(word in line for line in lines for word in ("code: 137", "Killed"))
        if self.killed or told:
            raise E_BUILD_MEMORY(step=step, limit=f"{memory >> 20} MB", log=said)
        crowded = self.limits.processes and self.holds and any(word in line for line in lines for word in _NO_FORK)
        if self.crowded or crowded:
            raise E_BUILD_PROCESSES(step=step, limit=self.limits.processes, log=said)

    def close(self) -> None:
        """Stop watching."""
        self._over.set()
        if self._thread:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(QUICK_SECONDS if time.monotonic() < self._hurry else SLOW_SECONDS):
            for group in self._found():
                self._limit(group)
            for memory, processes in self._groups.values():
                self.killed = self.killed or _count(memory, ("memory.oom_control", "memory.events"), "oom_kill") > 0
                self.crowded = self.crowded or _count(processes, ("pids.events",), "max") > 0

    def _found(self) -> Iterator[dict[str, str]]:
        """Yield the control groups of steps that are seen for the first time."""
        now = _processes()
        self._looks = {number: self._looks.get(number, 0) for number in now}
        for number in (number for number in now if self._looks[number] < LOOKS):
            self._looks[number] += 1
            with contextlib.suppress(OSError):
                if self._word.encode() not in (PROC / number / "environ").read_bytes():
                    continue
                groups = memberships((PROC / number / "cgroup").read_text())
                self._looks[number] = LOOKS
                if _key(groups) not in self._groups and _container(groups):
                    yield groups

    def _limit(self, groups: dict[str, str]) -> None:
        memory, processes, cpu = (_folder(groups, controller) for controller in ("memory", "pids", "cpu"))
        if self.limits.processes:
            _write(processes / ("pids.max"), self.limits.processes)
        if self.limits.cpu:
            quota = int(self.limits.cpu * PERIOD)
            if not _write(cpu / "cpu.max", f"{quota} {PERIOD}"):
                _write(cpu / "cpu.cfs_period_us", PERIOD)
                _write(cpu / "cpu.cfs_quota_us", quota)
        if self.limits.memory and not self._limit_memory(memory):
            self.killed = True  # it has more than the limit already
            _kill(memory)
        self._groups[_key(groups)] = (memory, processes)

    def _limit_memory(self, folder: Path) -> bool:
        limit = self.limits.memory
        if (folder / "memory.max").exists():
            _write(folder / "memory.swap.max", 0)
            return _write(folder / "memory.max", limit)
        done = _write(folder / "memory.limit_in_bytes", limit)
        _write(folder / "memory.memsw.limit_in_bytes", limit)
        return done or not folder.exists()


@contextlib.contextmanager
def caged(
    limits: Limits, inherited: Mapping[str, str], host: str, dockerfile: str, on_notice: Callable[[Notice], None]
) -> Iterator[Cage]:
    """Hold the steps of the block's build, by the engine at ``host``, to ``limits``; say so where that cannot be."""
    cage = Cage(limits, inherited, _why_not(limits, host, dockerfile))
    if limits.asked and cage.why_not:
        on_notice(Notice("W_NO_LIMIT", f"the limit of {limits.asked} does not hold for this build: {cage.why_not}", ""))
    try:
        yield cage
    finally:
        cage.close()


def marked(inherited: Mapping[str, str], word: str) -> dict[str, str]:
    """Return the proxy variables that carry ``word``: those that are set, with it at their end."""
    there = [name for name in VARIABLES if inherited.get(name)]
    known = {name: inherited[name] for name in there} or {"NO_PROXY": _configured(inherited)}
    return {name: ",".join(filter(None, (value, word))) for name, value in known.items()}


def memberships(text: str) -> dict[str, str]:
    """Return the path of each controller of /proc/PID/cgroup; that of "" is version 2's."""
    rows = (line.split(":", 2) for line in text.splitlines())
    return {name: path for _, names, path in rows for name in names.split(",")}


def _why_not(limits: Limits, host: str, dockerfile: str) -> str:
    if not (limits.memory or limits.cpu or limits.processes):
        return "nothing is limited"
    if os.geteuid() != 0:
        return "it takes root"
    if not host.startswith("unix://") or not ROOT.is_dir():
        return "the engine is not on this machine, or this is no Linux"
    if any("no_proxy" in step.text.lower() for step in instructions(dockerfile)):  # not in a comment
        return "the Dockerfile has a use of its own for NO_PROXY"
    return ""


def _configured(inherited: Mapping[str, str]) -> str:
    """Return what the docker command's own configuration would say for NO_PROXY, and does not any more."""
    folder = Path(inherited.get("DOCKER_CONFIG") or Path.home() / ".docker")
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, msgspec.DecodeError):
        text = (folder / "config.json").read_text()
        if '"proxies"' in text:
            return str(msgspec.json.decode(text)["proxies"].get("default", {}).get("noProxy", ""))
    return ""


def _processes() -> list[str]:
    return [name for name in os.listdir(PROC) if name.isdigit()]  # noqa: PTH208 names, not paths


def _key(groups: Mapping[str, str]) -> str:
    return groups.get("memory") or groups.get("", "")


def _container(groups: Mapping[str, str]) -> bool:
    """Say whether a group is a container's. The client that was started here has the word too, in our own group."""
    ours = _key(memberships((PROC / "self" / "cgroup").read_text()))
    key = _key(groups)
    return not f"{ours}/".startswith(f"{key.rstrip('/')}/") and ("buildkit" in key or "docker" in key)


def _folder(groups: Mapping[str, str], controller: str) -> Path:
    if controller in groups:
        return ROOT / controller / groups[controller].lstrip("/")
    return ROOT / groups.get("", "").lstrip("/")


def _write(path: Path, value: object) -> bool:
    try:
        # Never made: a file that is not there is one of the other version.
        with path.open("r+") as file:
            file.write(str(value))
    except OSError:
        return False
    return True


def _count(folder: Path, names: tuple[str, ...], key: str) -> int:
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            rows = dict(line.split() for line in (folder / name).read_text().splitlines())
            return int(rows.get(key, 0))
    return 0


def _kill(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        for number in (folder / "cgroup.procs").read_text().split():
            os.kill(int(number), 9)
