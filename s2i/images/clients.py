"""Which program on this machine can speak BuildKit to the engine.

The first `docker` on PATH may not be the one: a client of 23 or newer needs buildx beside it, an older one brings its
own BuildKit. So each is asked for its version; none of the questions needs an engine, and an answer is kept for as
long as the program is the same file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from s2i import dirs, shell

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
SYSTEM_FOLDERS = ("/usr/local/bin", "/usr/bin")  # looked at even when PATH does not name them
PROBE_SECONDS = 10.0
ANSWERS, MOST_ANSWERS = "clients.json", 20
OWN_BUILDKIT = ((18, 9), (23, 0))  # from, and before: from 23 on, the client's BuildKit is buildx
RAWJSON = (0, 13)  # the first buildx with --progress=rawjson


class BuildClient(msgspec.Struct, frozen=True):
    """A way to build. ``kind`` buildx: its binary, run directly; docker: a client's own BuildKit; classic: none.

    ``engine``: the one for whose sake it is the classic one.
    """

    kind: Literal["buildx", "docker", "classic"]
    path: str = ""
    version: str = ""
    engine: str = ""

    @property
    def progress(self) -> Literal["rawjson", "plain"]:
        """Say in which form it tells what happens."""
        return "rawjson" if self.kind == "buildx" and _numbers(self.version) >= RAWJSON else "plain"

    @property
    def loss(self) -> str:
        """Say what is lost with this client, "" for nothing."""
        if self.kind != "classic":
            return ""
        lost = "builds have no caches of downloads, no secrets and no parallel stages"
        if self.engine:
            return f"{self.engine} has no BuildKit: {lost}; with Docker they have"
        return f"no client here speaks BuildKit: {lost}; `s2i doctor` says what to install"


CLASSIC = BuildClient("classic")
PODMAN = "Libpod/"  # "Libpod/4.3.1 (linux)"; Docker's is "Docker/28.5.2 (linux)"


def find(server: str = "") -> BuildClient:
    """Return the best client there is: a buildx, else a docker with its own BuildKit, else CLASSIC.

    ``server``: what the engine calls itself in its answers. Podman's speaks Docker's API, without BuildKit's part.
    """
    if server.startswith(PODMAN):
        return BuildClient("classic", engine=f"Podman {server.removeprefix(PODMAN).split(' ')[0]}")
    return next(candidates(), CLASSIC)


def candidates() -> Iterator[BuildClient]:
    """Yield every client here that speaks BuildKit, the best first. Asks each program once, when it is its turn."""
    for path in _programs("docker-buildx", (*_plugin_folders(), *_path())):
        if version := _version(path, "version", r"\bv?([0-9]+\.[0-9]+[0-9.]*)"):
            yield BuildClient("buildx", path, version)
    for path in _programs("docker", _path()):
        version = _version(path, "--version", r"Docker version ([0-9]+\.[0-9]+[0-9.]*)")
        if OWN_BUILDKIT[0] <= _numbers(version) < OWN_BUILDKIT[1]:
            yield BuildClient("docker", path, version)


def _plugin_folders() -> tuple[str, ...]:
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    return (str(own), *PLUGIN_FOLDERS)


def _path() -> tuple[str, ...]:
    # A relative entry would find a program in the folder that is built.
    named = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return (*(folder for folder in named if folder.startswith("/")), *SYSTEM_FOLDERS)


def _programs(name: str, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield the programs called ``name``, each once, whatever links lead to it."""
    seen: set[Path] = set()
    for folder in folders:
        path = Path(folder, name)
        real = path.resolve()
        if real not in seen and real.is_file() and os.access(real, os.X_OK):
            seen.add(real)
            yield str(path)


def _version(path: str, question: str, pattern: str) -> str:
    """Return the version that a program tells; "" when it does not run (another processor's, a broken one)."""
    info = Path(path).stat()
    program = f"{os.path.realpath(path)}:{info.st_size}:{info.st_mtime_ns}"
    kept = _kept()
    if program not in kept:
        try:
            kept[program] = _told(path, question, pattern)
        except (shell.Missing, shell.TimedOut, OSError):
            return ""  # not kept: it may be the machine that is busy
        _keep(kept)
    return kept[program]


def _told(path: str, question: str, pattern: str) -> str:
    done = shell.run((path, question), timeout=PROBE_SECONDS)
    found = re.search(pattern, done.out.decode(errors="replace"))
    return found[1] if found and done.code == 0 else ""


def _kept() -> dict[str, str]:
    """Return what programs told earlier, by file, size and time; nothing when it cannot be read."""
    try:
        return msgspec.json.decode((dirs.cache() / ANSWERS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _keep(answers: dict[str, str]) -> None:
    newest = dict(list(answers.items())[-MOST_ANSWERS:])
    dirs.write(dirs.make_private(dirs.cache()) / ANSWERS, msgspec.json.encode(newest))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part)
