"""The names by which containers find the apps of their own project: one file for each project, their /etc/hosts.

It is bound into every container of the project, read-only, and written anew in place when an app comes or goes: who
runs sees that at once. Each name leads to the gateway of the project's network, where the router answers (firewall.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from s2i import dirs

TARGET = "/etc/hosts"
OWN = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def text(gateway: str, names: Sequence[str]) -> str:
    """Return the file: what every container has, and ``names`` at ``gateway`` ("": not known yet)."""
    return OWN + "".join(f"{gateway}\t{name}\n" for name in sorted(names) if gateway)


def path(project: str) -> Path:
    """Return where the file of a project is, or will be."""
    return _folder() / project


def write(project: str, gateway: str, names: Sequence[str]) -> Path:
    """Have a project's file say this; return where it is. Idempotent. Raises OSError."""
    place, new = path(project), text(gateway, names).encode()
    dirs.make_private(place.parent)
    with open(os.open(place, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
        os.fchmod(file.fileno(), 0o644)  # whatever the umask: a container's user has to read it
        if file.read() != new:
            # In place, since containers hold this very file; in one write, since they read it at any time.
            os.pwrite(file.fileno(), new, 0)
            file.truncate(len(new))
    return place


def forget(project: str) -> None:
    """Remove the file of a project that no container is left of."""
    with contextlib.suppress(OSError):
        path(project).unlink()


def forget_all() -> None:
    """Remove the files of all projects."""
    shutil.rmtree(_folder(), ignore_errors=True)


def _folder() -> Path:
    return dirs.state() / "hosts"
