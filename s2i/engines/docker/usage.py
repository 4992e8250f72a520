"""What the processes of a container use, as this machine's kernel counts it: its cgroup, its network."""

from __future__ import annotations

from pathlib import Path

from s2i.engines.engine import Usage

CGROUPS, PROC = Path("/sys/fs/cgroup"), Path("/proc")


def read(pid: int, container: str, cgroups: Path = CGROUPS, proc: Path = PROC) -> Usage | None:
    """Return what ``container`` has used, one of whose processes is ``pid``.

    None when that is over, is no longer one of its, or cannot be seen from here (an engine on another machine). Memory
    is without the part of the page cache that can go, as `docker stats` shows it.
    """
    try:
        places = _places((proc / str(pid) / "cgroup").read_text())
        if not any(container in path for path in places.values()):
            return None
        network = _network((proc / str(pid) / "net" / "dev").read_text())
        if "memory" in places:
            cpu = int((cgroups / "cpuacct" / places["cpuacct"] / "cpuacct.usage").read_text()) / 1e9
            folder = cgroups / "memory" / places["memory"]
            memory = int((folder / "memory.usage_in_bytes").read_text())
            spare = _value((folder / "memory.stat").read_text(), "total_inactive_file")
        else:
            folder = cgroups / places[""]
            cpu = _value((folder / "cpu.stat").read_text(), "usage_usec") / 1e6
            memory = int((folder / "memory.current").read_text())
            spare = _value((folder / "memory.stat").read_text(), "inactive_file")
    except (OSError, KeyError, ValueError):
        return None
    return Usage(cpu, max(memory - spare, 0), *network)


def _places(text: str) -> dict[str, str]:
    """Return the cgroup of each controller; that of "" is the one for all (version 2)."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path.lstrip("/")
    return found


def _network(text: str) -> tuple[int, int]:
    """Return the bytes received and sent, over all interfaces but the loopback one."""
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        if name.strip() != "lo":
            words = rest.split()
            received, sent = received + int(words[0]), sent + int(words[8])
    return received, sent


def _value(text: str, key: str) -> int:
    return next(int(value) for name, value in (line.split() for line in text.splitlines()) if name == key)
