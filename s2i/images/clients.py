"""Which program on this machine can speak BuildKit to the engine.

The first `docker` on PATH may not be the one: a 23 or newer client needs buildx beside it, an older one brings its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from s2i import shell

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
PROBE_SECONDS = 10.0
OWN_BUILDKIT = ((18, 9), (23, 0))  # from, and before: from 23 on, the client's BuildKit is buildx
RAWJSON = (0, 13)  # the first buildx with --progress=rawjson


class BuildClient(msgspec.Struct, frozen=True):
    """A way to build. ``kind`` buildx: its binary, run directly; docker: a client's own BuildKit; classic: none."""

    kind: Literal["buildx", "docker", "classic"]
    path: str = ""
    version: str = ""

    @property
    def loss(self) -> str:
        """Say what is lost with this client; "" for BuildKit."""
        if self.kind != "classic":
            return ""
        return "no client here speaks BuildKit: builds have no cache mounts, no secrets and no parallel stages"


CLASSIC = BuildClient("classic")


def find() -> BuildClient:
    """Return the best client there is: a buildx, else a docker with its own BuildKit, else CLASSIC."""
    for path in _plugins():
        version = _version((path, "version"), r"\bv?([0-9]+\.[0-9]+[0-9.]*)")
        if _numbers(version) >= RAWJSON:
            return BuildClient("buildx", path, version)
    for path in _dockers():
        version = _version((path, "--version"), r"version ([0-9]+\.[0-9]+[0-9.]*)")
        if OWN_BUILDKIT[0] <= _numbers(version) < OWN_BUILDKIT[1]:
            return BuildClient("docker", path, version)
    return CLASSIC


def _plugins() -> Iterator[str]:
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    for folder in (own, *map(Path, PLUGIN_FOLDERS)):
        path = folder / "docker-buildx"
        if os.access(path, os.X_OK) and path.is_file():
            yield str(path)


def _dockers() -> Iterator[str]:
    seen: set[Path] = set()
    for folder in [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/bin"]:
        path = Path(folder or ".") / "docker"
        if path.is_file() and os.access(path, os.X_OK) and path.resolve() not in seen:
            seen.add(path.resolve())
            yield str(path)


def _version(argv: tuple[str, ...], pattern: str) -> str:
    try:
        done = shell.run(argv, timeout=PROBE_SECONDS)
    except (shell.Missing, shell.TimedOut, OSError):
        return ""
    found = re.search(pattern, done.out.decode(errors="replace"))
    return found[1] if found and done.code == 0 else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part)
