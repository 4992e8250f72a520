"""pdm.lock beside [project]: PDM installs it itself, since most locks hold no markers to export."""

from __future__ import annotations

from typing import Any

import msgspec

from buildpacks.python.manifest import facts, pyproject, sources
from buildpacks.python.manifest.facts import Manifest, Pyproject
from buildpacks.python.requirements import normalise, parse
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

LOCK = "pdm.lock"
# The extra holds the versions that PDM was released with: a later hishel has already broken one.
TOOL = "pdm[locked]>=2.20,<3"


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    path: str = ""
    groups: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()


class _Lock(msgspec.Struct, frozen=True):
    package: tuple[_Package, ...] = ()
    metadata: dict[str, Any] = {}


def locked(tree: Tree, pyproject: Pyproject) -> str:
    """Return "pdm.lock" when it stands beside a project, else ""."""
    return LOCK if LOCK in tree and pyproject.project else ""


def read(tree: Tree, project: Pyproject) -> Manifest:
    """Return the manifest of pdm.lock. Raises E_TOML, E_REQ…."""
    lock = toml.convert(toml.read(tree, LOCK, facts.LOCK_LIMIT), _Lock, LOCK)
    plain = pyproject.read(tree, project)
    sources.refuse_outside(tree, project)
    versions = _reached(lock, plain)
    why = facts.unmet(plain.asked, versions)
    changes: dict[str, Any] = {"manager": "pdm", "decision": Decision("manager", "pdm", f"{LOCK}:1")}
    if why:
        return msgspec.structs.replace(plain, stale=True, notices=(facts.stale(LOCK, why),), **changes)
    return msgspec.structs.replace(
        plain,
        files=("pyproject.toml", LOCK),
        words=(),
        tool=TOOL,
        locked=versions,
        needs_source=any(p.path for p in lock.package) or plain.builds_project,
        builds_project=False,
        exact=True,
        **changes,
    )


def _reached(lock: _Lock, plain: Manifest) -> dict[str, str]:
    edges: dict[str, list[str]] = {}
    for package in lock.package:
        wanted = (parse(text, LOCK) for text in package.dependencies)
        edges.setdefault(normalise(package.name), []).extend(r.name for r in wanted if r)
    reached = facts.closure(plain.asked, edges)
    # Newer locks say of each package which group it is for.
    return {normalise(p.name): p.version for p in lock.package if normalise(p.name) in reached or "default" in p.groups}
