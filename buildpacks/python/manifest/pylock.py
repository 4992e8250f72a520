"""pylock.toml (PEP 751): the lock that no tool owns. uv installs it."""

from __future__ import annotations

import msgspec

from buildpacks.python import version
from buildpacks.python.manifest import facts, pyproject
from buildpacks.python.manifest.facts import Manifest, Pyproject
from buildpacks.python.manifest.uvlock import uv_wanted
from buildpacks.python.requirements import Requirement, normalise
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PATH = "pylock.toml"


class _Directory(msgspec.Struct, frozen=True):
    path: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    directory: _Directory | None = None


class _Lock(msgspec.Struct, frozen=True):
    packages: tuple[_Package, ...] = ()
    requires_python: str = msgspec.field(name="requires-python", default="")


def present(tree: Tree, _: Pyproject) -> str:
    """Return "pylock.toml" when there is one, else ""."""
    return PATH if PATH in tree else ""


def read(tree: Tree, project: Pyproject) -> Manifest:
    """Return the manifest of pylock.toml. Raises E_TOML, E_REQ…."""
    lock = toml.convert(toml.read(tree, PATH, facts.LOCK_LIMIT), _Lock, PATH)
    plain = pyproject.read(tree, project) if project.project else None
    versions = {normalise(p.name): p.version for p in lock.packages}
    decision = Decision("manager", "pylock", f"{PATH}:1")
    why = facts.unmet(plain.asked, versions) if plain else ""
    if plain and why:
        notices = (facts.stale(PATH, why),)
        return msgspec.structs.replace(plain, manager="pylock", decision=decision, stale=True, notices=notices)
    wishes = plain.python if plain else ()
    if lock.requires_python:
        wishes = (*wishes, version.specifier(lock.requires_python, toml.line_of(tree, PATH, "requires-python")))
    return Manifest(
        manager="pylock",
        decision=decision,
        files=tuple(p for p in (PATH, "uv.toml") if p in tree),
        words=("-r", PATH),
        tool=uv_wanted(tree, project),
        asked=plain.asked if plain else {n: Requirement(n, f"=={v}" if v else "", PATH) for n, v in versions.items()},
        locked=versions,
        scripts=plain.scripts if plain else {},
        python=wishes,
        needs_source=any(p.directory for p in lock.packages),
        is_project=project.is_project,
        dynamic_version=project.dynamic_version,
        exact=True,
    )
