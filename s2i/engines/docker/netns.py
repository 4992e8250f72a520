"""Enter the network of a container on this machine: to ask it takes no container beside it then, and no process."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from s2i.engines.docker import connection

PROC = Path("/proc")


def is_possible() -> bool:
    """Say whether a container's network may be in reach: an engine on this machine, and root."""
    return os.geteuid() == 0 and connection.is_here()


def enter(pid: int, container: str) -> bool:
    """Put the calling thread into the network of ``pid``, a process of ``container`` (its ID), to the thread's end.

    False when it stays where it was: that process is another machine's, or nothing of ours to enter.
    """
    try:
        # The number alone says little: the engine behind a local socket can be in a virtual machine.
        if pid <= 0 or container not in (PROC / str(pid) / "cgroup").read_text():
            return False
        descriptor = os.open(PROC / str(pid) / "ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _setns(descriptor)
    finally:
        os.close(descriptor)


def _setns(descriptor: int) -> bool:
    clone_newnet = 0x40000000  # linux/sched.h; os.setns is of Python 3.12
    return bool(ctypes.CDLL(None).setns(descriptor, clone_newnet) == 0)
