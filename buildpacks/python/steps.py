"""The steps of a Python image: the environment in the build stages, what is copied from them, the source."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

import msgspec

from buildpacks.python import debian, install, layer, split
from buildpacks.python.heavy import Heavy
from buildpacks.python.install import PIP_CACHE, TRUST, UV
from buildpacks.python.manifest import Manifest
from buildpacks.python.prune import Pruned
from buildpacks.python.rewrite import rewrite
from buildpacks.python.system import System
from s2i.patterns import lazily
from s2i.planning.plan import Base, Copy, Decision, Run, Stage, Step, Words

VENV = install.VENV
APP = "/app"  # in all stages: what is installed as editable points here
_SIMPLE = lazily(r"[A-Za-z0-9._-]{1,40}")
# From here on, the bytecode of the source is made in the build. Without it each start compiles what it imports, about
# 0.1 s for 100 KB; to make it takes 0.3 s and more after each change of a line.
LARGE_SOURCE = 512 << 10


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides on the steps.

    ``extra`` is installed beside what the manifest asks for: a server, most often. ``written`` are steps that add
    files to the environment. ``source_bytes``: how much Python there is in the source.
    """

    base: Base
    manifest: Manifest
    extra: tuple[str, ...]
    project: bool  # whether the source itself is installed
    system: System
    heavy: Heavy
    pruned: Pruned
    written: tuple[Run, ...] = ()
    source_bytes: int = 0


def plan(parts: Parts) -> tuple[Step, ...]:
    """Return all steps but those of a framework."""
    first: Stage = "tools" if parts.heavy.names else "build"
    return (
        *debian.build_steps(parts.base, parts.system, TRUST, first),
        *_get_uv(parts, first),
        *(split.split_steps(parts) if parts.heavy.names else ()),
        *_environment(parts),
        *_project(parts),
        *debian.runtime_steps(parts.system, first),
        *_runtime(parts),
    )


def bytecode(parts: Parts) -> Decision:
    """Say what is compiled in the build."""
    size = f"{max(parts.source_bytes // 1000, 1)} kB of Python in the source"
    if parts.source_bytes >= LARGE_SOURCE:
        return Decision("bytecode", "of the dependencies and the source", f"{size}: too much to compile at each start")
    return Decision("bytecode", "of the dependencies", f"{size}: each start compiles them")


def _get_uv(parts: Parts, stage: Stage) -> Iterator[Step]:
    if not parts.base.uv and _installs(parts):
        pip = (parts.base.interpreter, "-m", "pip", "install", "--quiet", UV)
        quiet = (("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_BREAK_SYSTEM_PACKAGES", "1"))
        yield Run(stage, "Get uv, which resolves and installs", pip, quiet, (PIP_CACHE, TRUST))


def _installs(parts: Parts) -> bool:
    return parts.manifest.manager != "none" or bool(parts.extra) or parts.project


def _environment(parts: Parts) -> Iterator[Step]:
    """Yield the stage of the dependencies: one command after the other, in one step."""
    manifest, base = parts.manifest, parts.base
    runs: list[Run] = []
    if parts.heavy.names:
        copies, runs = split.rest(parts)
        yield from copies
    else:
        if manifest.needs_source:
            yield Copy("build", "Copy the source: its dependencies are among its folders", (".",), f"{APP}/")
        else:
            yield from copy_files(manifest.files, "build")
        runs = [_venv(parts), *rewrite(manifest), *install.dependencies(manifest, base, parts.extra)]
    runs += parts.written
    yield merged("build", runs, layer.collected("build", base.python, parts.pruned))


def _venv(parts: Parts) -> Run:
    if _installs(parts):
        return make_venv(parts.base, "build", own_uv=parts.manifest.tool.startswith("uv"))
    plain = (parts.base.interpreter, "-m", "venv", "--without-pip", VENV)
    return Run("build", "Make a virtual environment; nothing has to be installed", plain)


def make_venv(base: Base, stage: Stage, *, own_uv: bool = False) -> Run:
    """Return the command that makes the environment.

    ``own_uv``: the source requires another uv than the one that is here, which would refuse to run beside that file.
    """
    argv = ("uv", "venv", *(("--no-config",) if own_uv else ()), "--python", base.interpreter, VENV)
    return Run(stage, "Make a virtual environment: all that the image takes from here", argv)


def _project(parts: Parts) -> Iterator[Step]:
    """Yield the stage that installs the source itself: a change of a line repeats it and nothing else."""
    manifest = parts.manifest
    if not parts.project or manifest.builds_project:
        return
    if not manifest.needs_source:
        yield Copy("project", "Copy the source, to install the project itself", (".",), f"{APP}/")
    why = "Install the project itself: it can be imported no other way"
    run = msgspec.structs.replace(install.pip(manifest, why, ("--no-deps", ".")), stage="project")
    yield merged("project", [run], layer.collected("project", parts.base.python, parts.pruned))


def merged(stage: Stage, runs: Iterable[Run], ending: tuple[Words, ...] = ()) -> Run:
    """Return one step that does what ``runs`` do, and then ``ending``: each step of a build costs 0.1 to 0.2 s.

    Its reason is theirs; that an environment is made goes without saying where something is installed into it.
    """
    runs = list(runs)
    commands = [command for run in runs for command in run.commands] + list(ending)
    telling = [run.why for run in runs[:-1] if run.argv[:2] != ("uv", "venv")] + [runs[-1].why]
    why = "; ".join((telling[0], *(f"{each[0].lower()}{each[1:]}" for each in telling[1:])))
    env = tuple(dict(pair for run in runs for pair in run.env).items())
    mounts = tuple(dict.fromkeys(mount for run in runs for mount in run.mounts))
    return Run(stage, why, commands[0], env, mounts, tuple(commands[1:]))


def copy_files(files: tuple[str, ...], stage: Stage) -> Iterator[Step]:
    """Copy only the files that say what to install: the next step is run again only when one of them changes."""
    folders: dict[str, list[str]] = {}
    for path in files:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    for folder, paths in folders.items():
        to = f"{APP}/{folder}/" if folder else f"{APP}/"
        yield Copy(stage, f"Copy {_named(paths)} first: a change of code reinstalls nothing", tuple(paths), to)


def _named(paths: list[str]) -> str:
    """Name one or two files; more are "the manifests", as are names that a comment of a Dockerfile cannot hold."""
    names = [posixpath.basename(path) for path in paths]
    return " and ".join(names) if len(names) <= 2 and all(map(_SIMPLE.fullmatch, names)) else "the manifests"


def _runtime(parts: Parts) -> Iterator[Step]:
    if parts.heavy.names:
        yield layer.copy("heavy", "Copy the large distributions, which seldom change")
        yield layer.copy("build", "Copy the other dependencies")
    else:
        yield layer.copy("build", "Copy the environment, without the tools that made it")
    if parts.project and not parts.manifest.builds_project:
        yield layer.copy("project", "Copy the project as it was installed")
    yield Copy("runtime", "Copy the source, last: it changes most often", (".",), f"{APP}/")
    if parts.source_bytes >= LARGE_SOURCE and parts.base.python != "3.6":
        yield layer.settled(layer.source_bytecode(APP), APP)
