"""The steps of a Python image: the environment in the build stage, what is copied from it, the source."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

import msgspec

from buildpacks.python import debian, install
from buildpacks.python.install import PIP_CACHE, TRUST, UV
from buildpacks.python.manifest import Manifest
from buildpacks.python.system import System
from s2i.patterns import lazily
from s2i.planning.plan import Base, Copy, Run, Step

VENV = install.VENV
APP = "/app"  # in both stages: what is installed as editable points here
_SIMPLE = lazily(r"[A-Za-z0-9._-]{1,40}")
_COMPILE = 'import compileall; compileall.compile_dir("/app", quiet=2)'
# Requirements as uv reads them: UTF-8, each on one line. (No backslash may stand in a Dockerfile's words, and its lines
# become one: each ends with a semicolon.)
_READ = """import pathlib, sys;
utf16 = (bytes([255, 254]), bytes([254, 255]));
read = lambda data: data.decode("utf-16" if data.startswith(utf16) else "utf-8-sig");
join = lambda text: text.replace(chr(13), "").replace(chr(92) + chr(10), "");
"""
_REWRITE = _READ + "[path.write_text(join(read(path.read_bytes()))) for path in map(pathlib.Path, sys.argv[1:])]"
# The same, without the distributions that the first word names, with a comma between.
_DROP = (
    "import re;\n"
    + _READ
    + """out = sys.argv[1].split(",");
name = lambda line: re.sub("[-_.]+", "-", re.split("[^A-Za-z0-9._-]", line.strip())[0]).lower();
keep = lambda text: chr(10).join(line for line in text.split(chr(10)) if name(line) not in out);
[path.write_text(keep(join(read(path.read_bytes())))) for path in map(pathlib.Path, sys.argv[2:])]"""
)


def plan(
    base: Base, manifest: Manifest, extra: tuple[str, ...], install_project: bool, system: System
) -> tuple[Step, ...]:
    """Return all steps. ``extra`` is installed beside what the manifest asks for: a server, most often."""
    installs = manifest.manager != "none" or bool(extra)
    steps: list[Step] = [*debian.build_steps(base, system, TRUST), *_environment(base, installs or install_project)]
    if manifest.needs_source:
        steps.append(Copy("build", "Copy the source: its dependencies are among its folders", (".",), f"{APP}/"))
    else:
        steps += _copies(manifest.files)
    steps += _rewrite(manifest)
    steps += install.dependencies(manifest, base, extra)
    if install_project and not manifest.builds_project:
        if not manifest.needs_source:
            steps.append(Copy("build", "Copy the source, to install the project itself", (".",), f"{APP}/"))
        why = "Install the project itself: it can be imported no other way"
        steps.append(install.pip(manifest, why, ("--no-deps", ".")))
    made = (*steps, *debian.runtime_steps(system), *_runtime())
    return made if base.python != "3.6" else tuple(map(_without_bytecode, made))


def _without_bytecode(step: Step) -> Step:
    """Return a step as Python 3.6 can run it: uv's compiler asks it for what only 3.7 has."""
    if isinstance(step, Run) and "--compile-bytecode" in step.argv:
        return msgspec.structs.replace(step, argv=tuple(w for w in step.argv if w != "--compile-bytecode"))
    return step


def _rewrite(manifest: Manifest) -> Iterator[Step]:
    python = f"{VENV}/bin/python"
    if manifest.dropped:
        names = ",".join(manifest.dropped)
        yield Run("build", "Leave out what only Windows has", (python, "-c", _DROP, names, *manifest.rewrite))
    elif manifest.rewrite:
        why = "Rewrite what pip reads and uv does not: UTF-16, a requirement over two lines"
        yield Run("build", why, (python, "-c", _REWRITE, *manifest.rewrite))


def _environment(base: Base, needs_uv: bool) -> Iterator[Step]:
    if not needs_uv:
        plain = (base.interpreter, "-m", "venv", "--without-pip", VENV)
        yield Run("build", "Make a virtual environment; nothing has to be installed", plain)
        return
    if not base.uv:
        pip = (base.interpreter, "-m", "pip", "install", "--quiet", UV)
        quiet = (("PIP_ROOT_USER_ACTION", "ignore"), ("PIP_BREAK_SYSTEM_PACKAGES", "1"))
        yield Run("build", "Get uv, which resolves and installs", pip, quiet, (PIP_CACHE, TRUST))
    argv = ("uv", "venv", "--python", base.interpreter, VENV)
    yield Run("build", "Make a virtual environment: all that the image takes from here", argv)


def _copies(files: tuple[str, ...]) -> Iterator[Step]:
    """Copy only the files that say what to install: the next step is run again only when one of them changes."""
    folders: dict[str, list[str]] = {}
    for path in files:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    for folder, paths in folders.items():
        to = f"{APP}/{folder}/" if folder else f"{APP}/"
        yield Copy("build", f"Copy {_named(paths)} first: a change of code reinstalls nothing", tuple(paths), to)


def _named(paths: list[str]) -> str:
    """Name one or two files; more are "the manifests", as are names that a comment of a Dockerfile cannot hold."""
    names = [posixpath.basename(path) for path in paths]
    return " and ".join(names) if len(names) <= 2 and all(map(_SIMPLE.fullmatch, names)) else "the manifests"


def _runtime() -> Iterator[Step]:
    yield Copy("runtime", "Copy the environment, without the tools that made it", (VENV,), VENV, from_build=True)
    yield Copy("runtime", "Copy the source, last: it changes most often", (".",), f"{APP}/")
    argv = ("python", "-c", _COMPILE)
    yield Run("runtime", "Compile the source here, once: a running container cannot", argv)
