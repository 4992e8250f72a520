"""The steps of a Python image: the environment in the build stage, what is copied from it, the source."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from buildpacks.python import debian
from buildpacks.python.manifest import Manifest
from buildpacks.python.system import System
from s2i.planning.plan import Base, Copy, Mount, Run, Step

VENV = "/opt/venv"
APP = "/app"  # in both stages: what is installed as editable points here
CA = "/etc/ssl/certs/ca-certificates.crt"
UV = "uv>=0.8,<1"
# The machine's own CA bundle, when the build is given one, lies over the base's: no tool has to be told.
TRUST = Mount("secret", CA, id="ca")
UV_CACHE = Mount("cache", "/root/.cache/uv", id="s2i-uv")
PIP_CACHE = Mount("cache", "/root/.cache/pip", id="s2i-pip")
_SIMPLE = re.compile(r"[A-Za-z0-9._-]{1,40}")
_COMPILE = 'import compileall; compileall.compile_dir("/app", quiet=2)'
# Requirements as uv reads them: UTF-8, each on one line. (No backslash may stand in a Dockerfile's words.)
_REWRITE = (
    "import pathlib, sys; utf16 = (bytes([255, 254]), bytes([254, 255])); "
    'read = lambda data: data.decode("utf-16" if data.startswith(utf16) else "utf-8-sig"); '
    'join = lambda text: text.replace(chr(13), "").replace(chr(92) + chr(10), ""); '
    "[path.write_text(join(read(path.read_bytes()))) for path in map(pathlib.Path, sys.argv[1:])]"
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
    steps += _dependencies(manifest, extra)
    if install_project and not manifest.builds_project:
        if not manifest.needs_source:
            steps.append(Copy("build", "Copy the source, to install the project itself", (".",), f"{APP}/"))
        steps.append(_uv_pip("Install the project itself: its package stands under src/", ("--no-deps", ".")))
    return (*steps, *debian.runtime_steps(system), *_runtime())


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


def _dependencies(manifest: Manifest, extra: tuple[str, ...]) -> Iterator[Step]:
    if manifest.rewrite:
        why = "Rewrite what pip reads and uv does not: UTF-16, a requirement over two lines"
        yield Run("build", why, (f"{VENV}/bin/python", "-c", _REWRITE, *manifest.rewrite))
    match manifest.manager:
        case "uv":
            yield _uv_sync(manifest.stale)
        case "requirements.txt" if manifest.hashed:
            yield _uv_pip("Install exactly what requirements.txt pins by hash", ("-r", "requirements.txt"))
        case "requirements.txt":
            yield _uv_pip("Install the dependencies", ("-r", "requirements.txt", *extra))
            return
        case "pyproject" | "setup.py" if manifest.builds_project:
            yield _uv_pip("Install the project: only its build can say what it depends on", (".", *extra))
            return
        case "pyproject":
            yield _uv_pip("Install the dependencies", ("-r", "pyproject.toml", *extra))
            return
    if extra:
        yield _uv_pip("Install what the source needs and does not declare", extra)


def _uv_sync(stale: bool) -> Run:
    frozen = () if stale else ("--frozen",)
    argv = ("uv", "sync", *frozen, "--no-dev", "--no-install-project", "--compile-bytecode", "--no-python-downloads")
    why = "Resolve and install: the lock is out of date" if stale else "Install exactly what uv.lock holds"
    env = (("UV_PROJECT_ENVIRONMENT", VENV), ("UV_LINK_MODE", "copy"), ("SSL_CERT_FILE", CA))
    return Run("build", why, argv, env, (UV_CACHE, TRUST))


def _uv_pip(why: str, what: tuple[str, ...]) -> Run:
    argv = ("uv", "pip", "install", "--python", f"{VENV}/bin/python", "--compile-bytecode", *what)
    return Run("build", why, argv, (("UV_LINK_MODE", "copy"), ("SSL_CERT_FILE", CA)), (UV_CACHE, TRUST))


def _runtime() -> Iterator[Step]:
    yield Copy("runtime", "Copy the environment, without the tools that made it", (VENV,), VENV, from_build=True)
    yield Copy("runtime", "Copy the source, last: it changes most often", (".",), f"{APP}/")
    argv = ("python", "-c", _COMPILE)
    yield Run("runtime", "Compile the source here, once: a running container cannot", argv)
