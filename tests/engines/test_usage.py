"""What a container uses, read from files as the kernel writes them, of both versions of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.engines.docker.usage import read
from s2i.engines.engine import Usage

BOX = "ab" * 32
NETWORK = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 99999       9    0    0    0     0          0         0    99999       9    0    0    0     0       0          0
  eth0: 1500      12    0    0    0     0          0         0     700       8    0    0    0     0       0          0
  eth1:500         2    0    0    0     0          0         0      20       1    0    0    0     0       0          0
"""


@pytest.fixture(params=[1, 2])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    cgroups, proc = tmp_path / "cgroup", tmp_path / "proc"
    (proc / "7" / "net").mkdir(parents=True)
    (proc / "7" / "net" / "dev").write_text(NETWORK)
    if request.param == 1:
        lines = f"8:pids:/docker/{BOX}\n4:memory:/docker/{BOX}\n2:cpu,cpuacct:/docker/{BOX}\n0::/docker/{BOX}\n"
        files = {
            f"cpuacct/docker/{BOX}/cpuacct.usage": "2500000000\n",
            f"memory/docker/{BOX}/memory.usage_in_bytes": "5000\n",
            f"memory/docker/{BOX}/memory.stat": "inactive_file 7\ntotal_inactive_file 1000\n",
        }
    else:
        lines = f"0::/system.slice/docker-{BOX}.scope\n"
        folder = f"system.slice/docker-{BOX}.scope"
        files = {
            f"{folder}/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            f"{folder}/memory.current": "5000\n",
            f"{folder}/memory.stat": "anon 3\ninactive_file 1000\n",
        }
    (proc / "7" / "cgroup").write_text(lines)
    for name, text in files.items():
        (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / name).write_text(text)
    return cgroups, proc


def test_it_is_read(machine: tuple[Path, Path]) -> None:
    assert read(7, BOX, *machine) == Usage(2.5, 4000, 2000, 720)


def test_a_process_that_is_gone_or_anothers_is_none(machine: tuple[Path, Path]) -> None:
    assert read(8, BOX, *machine) is None
    assert read(7, "cd" * 32, *machine) is None
    for path in machine[0].rglob("memory.stat"):
        path.unlink()
    assert read(7, BOX, *machine) is None
