"""uv.lock: one project, or a workspace whose root stands in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from buildpacks.python import version
from buildpacks.python.manifest import facts, sources
from buildpacks.python.manifest.facts import Manifest, Pyproject
from buildpacks.python.requirements import normalise
from s2i.errors import E_TOML
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PATH = "uv.lock"
_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


class _Source(msgspec.Struct, frozen=True):
    editable: str = ""
    virtual: str = ""
    directory: str = ""
    path: str = ""

    @property
    def place(self) -> str:
        """The folder or file of the source tree that it stands for; "" for what comes from elsewhere."""
        return self.editable or self.virtual or self.directory or self.path


class _Wanted(msgspec.Struct, frozen=True):
    name: str


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    source: _Source = _Source()
    dependencies: tuple[_Wanted, ...] | None = None
    extras: dict[str, tuple[_Wanted, ...]] = msgspec.field(name="optional-dependencies", default={})
    metadata: dict[str, Any] = {}

    @property
    def is_member(self) -> bool:
        """Whether it is the project itself, or a member of the workspace."""
        return bool(self.source.editable or self.source.virtual)


class _Lock(msgspec.Struct, frozen=True):
    package: tuple[_Package, ...] = ()
    requires_python: str = msgspec.field(name="requires-python", default="")


def present(tree: Tree, pyproject: Pyproject) -> str:
    """Return "uv.lock" when it stands beside a project or the root of a workspace, else ""."""
    is_root = pyproject.project is not None or _is_workspace(pyproject)
    return PATH if PATH in tree and is_root else ""


def read(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of uv.lock. Raises E_TOML, E_REQ…, E_FILE_TOO_BIG (exit 3), E_UNSUPPORTED (exit 4)."""
    lock = toml.convert(toml.read(tree, PATH, facts.LOCK_LIMIT), _Lock, PATH)
    project = pyproject.project
    asked = facts.asked_by_project(tree, project) if project else {}
    wishes = facts.requires_python(tree, project)
    if lock.requires_python:
        wishes = (*wishes, version.specifier(lock.requires_python, toml.line_of(tree, PATH, "requires-python")))
    root = next((p for p in lock.package if "." in (p.source.editable, p.source.virtual)), None)
    locked = _locked(lock, [root] if root and project else [p for p in lock.package if p.is_member])
    why = _stale(lock, root, pyproject, asked, locked) if project else ""
    sources.refuse_outside(tree, pyproject)
    local = any(p.source.place not in ("", ".") for p in lock.package)
    return Manifest(
        manager="uv",
        decision=Decision("manager", "uv", f"{PATH}:1"),
        files=tuple(p for p in ("pyproject.toml", PATH, "uv.toml") if p in tree),
        tool=uv_wanted(tree, pyproject),
        groups=tuple(_kept_out(pyproject)),
        asked=asked if project else _asked_by_members(tree, lock),
        locked={} if why else locked,
        scripts=project.scripts if project else {},
        python=wishes,
        needs_source=local or bool(project and "dependencies" in project.dynamic),
        is_project=pyproject.is_project,
        dynamic_version=pyproject.dynamic_version,
        exact=True,
        stale=bool(why),
        workspace=project is None,
        notices=(facts.stale(PATH, why),) if why else (),
    )


def uv_wanted(tree: Tree, pyproject: Pyproject) -> str:
    """Return the uv that ``required-version`` asks for, "uv>=0.6,<0.7"; "" for any. Raises E_TOML."""
    if "uv.toml" in tree:
        path, wanted = "uv.toml", toml.read(tree, "uv.toml").get("required-version")
    else:
        path, wanted = "pyproject.toml", pyproject.tool("uv").get("required-version")
    if not isinstance(wanted, str) or not wanted:
        return ""
    return facts.tool("uv", wanted, toml.line_of(tree, path, "required-version"))


def _is_workspace(pyproject: Pyproject) -> bool:
    return "workspace" in pyproject.tool("uv")


def _kept_out(pyproject: Pyproject) -> Iterable[str]:
    """Yield the groups that uv installs by default and a running application does not need."""
    groups = pyproject.tool("uv").get("default-groups", [])
    if isinstance(groups, list):
        listed = [g for g in groups if isinstance(g, str)]
    else:
        listed = list(facts.section(pyproject.table, "dependency-groups")) if groups == "all" else []
    yield from (g for g in listed if _GROUP.fullmatch(g) and g not in ("dev", *facts.RUNTIME_GROUPS))


def _locked(lock: _Lock, roots: list[_Package]) -> dict[str, str]:
    """Return what an installation of ``roots`` brings, without the groups of development."""
    versions = {normalise(p.name): p.version for p in lock.package}
    if not roots or any(p.dependencies is None and p.metadata.get("requires-dist") for p in roots):
        return versions
    edges = {normalise(p.name): [normalise(w.name) for w in p.dependencies or ()] for p in lock.package}
    for package in lock.package:
        if package not in roots:  # which extras are wanted is not followed: those of what is installed count
            edges[normalise(package.name)] += [normalise(w.name) for e in package.extras.values() for w in e]
    reached = facts.closure((normalise(p.name) for p in roots), edges)
    return {name: found for name, found in versions.items() if name in reached}


def _stale(
    lock: _Lock, root: _Package | None, pyproject: Pyproject, asked: dict[str, Any], locked: dict[str, str]
) -> str:
    """Say in words why the lock does not fit the project, "" when it does."""
    project = pyproject.project
    if root is None or project is None:
        return ""
    if normalise(root.name) != normalise(project.name):
        return f"it was made for a project called {root.name}"
    if project.requires_python and _minors(lock.requires_python) != _minors(project.requires_python):
        return f'it was made for Python "{lock.requires_python}"'
    wanted = _names_wanted(root)
    if "dependencies" not in project.dynamic and wanted != frozenset(asked):
        odd = sorted(wanted ^ frozenset(asked))
        return f"it was made for other dependencies ({', '.join(odd[:3])})"
    return facts.unmet(asked, locked)


def _minors(specifier: str) -> tuple[int, ...]:
    """Return the Pythons that a specifier allows: uv writes "==3.12.*" for what a project calls "~=3.12.0"."""
    wish = version.specifier(specifier, PATH) if specifier else None
    return tuple(minor for minor in range(30) if wish is None or wish.allows(minor))


def _names_wanted(root: _Package) -> frozenset[str]:
    wanted = root.metadata.get("requires-dist", [])
    if not isinstance(wanted, list) or not all(isinstance(w, dict) and "name" in w for w in wanted):
        raise E_TOML(why="requires-dist is no list of tables", where=PATH)
    required = [w for w in wanted if "extra" not in str(w.get("marker", ""))]
    return frozenset(normalise(str(w["name"])) for w in required)


def _asked_by_members(tree: Tree, lock: _Lock) -> dict[str, Any]:
    """Return what the members of a workspace depend on, as their own pyproject.toml say."""
    found: dict[str, Any] = {}
    for package in lock.package:
        path = f"{package.source.place}/pyproject.toml"
        if package.is_member and path in tree:
            table = toml.read(tree, path)
            project = toml.convert(table.get("project", {}), facts.Project, path)
            found |= facts.asked(project.dependencies, toml.line_of(tree, path, "dependencies"))
    return found
