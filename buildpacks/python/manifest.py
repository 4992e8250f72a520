"""Choose the manifest: which file says what has to be installed, and how it is installed."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from buildpacks.python import requirements, version
from buildpacks.python.requirements import Requirement
from s2i.errors import E_TOML, E_UNSUPPORTED
from s2i.planning import toml
from s2i.planning.plan import Decision, Rejected
from s2i.sources import Notice, Tree

Manager = Literal["uv", "requirements.txt", "pyproject", "setup.py", "none"]
LOCK_LIMIT = 8 << 20
_SAFE_PATH = re.compile(r"[A-Za-z0-9._/-]+")


class Project(msgspec.Struct, frozen=True):
    """[project] of pyproject.toml, as far as it matters here."""

    name: str = ""
    requires_python: str = msgspec.field(name="requires-python", default="")
    dependencies: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed and from which files.

    ``files`` suffice to install the dependencies, unless ``needs_source``; ``is_project``: the source itself can be
    installed; ``locked`` holds the exact versions that a lock names, also of what nobody asked for by name;
    ``scripts`` are the console scripts of the project: name to "module:function".
    """

    manager: Manager
    decision: Decision
    files: tuple[str, ...] = ()
    asked: dict[str, Requirement] = {}
    locked: dict[str, str] = {}
    scripts: dict[str, str] = {}
    python: tuple[version.Wish, ...] = ()
    needs_source: bool = False
    is_project: bool = False
    dynamic_version: bool = False  # its version comes from Git, which the image has not
    hashed: bool = False
    stale: bool = False
    rewrite: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The normalised names of all distributions that are known to be installed."""
        return frozenset(self.asked) | frozenset(self.locked)

    @property
    def builds_project(self) -> bool:
        """Whether the dependencies are only known by building the project, which installs it as well."""
        return self.manager == "setup.py" or (self.manager == "pyproject" and self.needs_source)


def read(tree: Tree) -> Manifest:
    """Return the manifest to install from. Raises E_TOML, E_REQ… (exit 3), E_UNSUPPORTED (exit 4)."""
    table = toml.read(tree, "pyproject.toml") if "pyproject.toml" in tree else {}
    project = _project(table)
    is_project = "build-system" in table or "setup.py" in tree or _is_package(table)
    python = _requires_python(tree, project)
    if project and "uv.lock" in tree:
        return _from_lock(tree, project, is_project, python)
    if "requirements.txt" in tree:
        found = requirements.read(tree, "requirements.txt")
        return Manifest(
            manager="requirements.txt",
            decision=_decision("requirements.txt", tree, ("pyproject.toml",) if project else ()),
            files=found.files,
            asked={r.name: r for r in found.found},
            python=python,
            needs_source=found.local or not all(_SAFE_PATH.fullmatch(f) for f in found.files),
            is_project=is_project,
            dynamic_version=bool(project and "version" in project.dynamic),
            hashed=found.hashed,
            rewrite=found.rewrite,
        )
    if project:
        return Manifest(
            manager="pyproject",
            decision=_decision("pyproject.toml", tree),
            files=("pyproject.toml",),
            asked=_asked(tree, project),
            python=python,
            needs_source="dependencies" in project.dynamic,
            is_project=is_project,
            dynamic_version="version" in project.dynamic,
        )
    return _without(tree, table, is_project)


def _without(tree: Tree, table: dict[str, Any], is_project: bool) -> Manifest:
    """Answer for a source with none of the manifests that are read: refuse those of others by name."""
    if "setup.py" in tree:
        return Manifest(
            manager="setup.py", decision=_decision("setup.py", tree), needs_source=True, is_project=is_project
        )
    for path in ("environment.yml", "environment.yaml", "pixi.toml"):
        if path in tree:
            raise E_UNSUPPORTED(what=f"a conda environment ({path})", fix=_write_requirements("pip"), where=path)
    tool = table.get("tool")
    if isinstance(tool, dict) and "poetry" in tool:
        raise E_UNSUPPORTED(what="Poetry's own table", fix=_write_requirements("poetry"), where="pyproject.toml")
    if "Pipfile" in tree:
        raise E_UNSUPPORTED(what="a Pipfile", fix=_write_requirements("pipenv"), where="Pipfile")
    decision = Decision("manager", "none", "no manifest found", "likely")
    return Manifest(manager="none", decision=decision, is_project=is_project)


def _is_package(table: dict[str, Any]) -> bool:
    """Say whether ``tool.uv.package`` is set: uv then builds the project without a [build-system]."""
    tool = table.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    return isinstance(uv, dict) and uv.get("package") is True


def _write_requirements(tool: str) -> str:
    command = {"pip": "pip freeze", "poetry": "poetry export", "pipenv": "pipenv requirements"}[tool]
    return f"put what is needed into requirements.txt (`{command} > requirements.txt`)"


def _decision(value: str, tree: Tree, more: tuple[str, ...] = ()) -> Decision:
    others = ("environment.yml", "Pipfile", "setup.py", "poetry.lock", *more)
    names = {"pyproject.toml": "pyproject", "uv.lock": "uv"}
    lost = tuple(Rejected(path, f"{value} comes first") for path in others if path in tree and path != value)
    return Decision("manager", names.get(value, value), f"{value}:1", "strong", lost)


def _project(table: dict[str, Any]) -> Project | None:
    return toml.convert(table["project"], Project, "pyproject.toml") if "project" in table else None


def _requires_python(tree: Tree, project: Project | None) -> tuple[version.Wish, ...]:
    if not project or not project.requires_python:
        return ()
    return (version.specifier(project.requires_python, toml.line_of(tree, "pyproject.toml", "requires-python")),)


def _asked(tree: Tree, project: Project) -> dict[str, Requirement]:
    where = toml.line_of(tree, "pyproject.toml", "dependencies")
    found = (requirements.parse(text.strip(), where) for text in project.dependencies)
    return {r.name: r for r in found if r}


class _Source(msgspec.Struct, frozen=True):
    editable: str = ""
    virtual: str = ""
    directory: str = ""
    path: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    source: _Source = _Source()
    metadata: dict[str, Any] = {}


class _Lock(msgspec.Struct, frozen=True):
    package: tuple[_Package, ...] = ()
    requires_python: str = msgspec.field(name="requires-python", default="")


def _from_lock(tree: Tree, project: Project, is_project: bool, python: tuple[version.Wish, ...]) -> Manifest:
    lock = toml.convert(toml.read(tree, "uv.lock", LOCK_LIMIT), _Lock, "uv.lock")
    if lock.requires_python:
        where = toml.line_of(tree, "uv.lock", "requires-python")
        python = (*python, version.specifier(lock.requires_python, where))
    asked = _asked(tree, project)
    locked = _locked_wishes(lock)
    stale = locked is not None and locked != frozenset(asked)
    notice = Notice("W_LOCK_STALE", "uv.lock was made for other dependencies: they are resolved again", "uv.lock:1")
    places = {p for k in lock.package for p in (k.source.editable, k.source.virtual, k.source.directory, k.source.path)}
    return Manifest(
        manager="uv",
        decision=_decision("uv.lock", tree, ("requirements.txt",)),
        files=("pyproject.toml", "uv.lock"),
        asked=asked,
        locked={} if stale else {requirements.normalise(k.name): k.version for k in lock.package},
        python=python,
        needs_source=bool(places - {"", "."}) or "dependencies" in project.dynamic,
        is_project=is_project,
        dynamic_version="version" in project.dynamic,
        stale=stale,
        notices=(notice,) if stale else (),
    )


def _locked_wishes(lock: _Lock) -> frozenset[str] | None:
    """Return the names that the lock was made for; None when it does not say."""
    for package in lock.package:
        if "." in (package.source.editable, package.source.virtual):
            wanted = package.metadata.get("requires-dist", [])
            if not isinstance(wanted, list) or not all(isinstance(w, dict) and "name" in w for w in wanted):
                raise E_TOML(why="requires-dist is no list of tables", where="uv.lock")
            required = [w for w in wanted if "extra" not in str(w.get("marker", ""))]
            return frozenset(requirements.normalise(str(w["name"])) for w in required)
    return None
