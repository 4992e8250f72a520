"""Pipenv: Pipfile.lock, and a Pipfile without one."""

from __future__ import annotations

from typing import Any

import msgspec

from buildpacks.python import version
from buildpacks.python.manifest import facts, tables, windows
from buildpacks.python.manifest.facts import Manifest, Pyproject, section
from buildpacks.python.requirements import normalise
from s2i.errors import E_TOML
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PIPFILE = "Pipfile"
LOCK = "Pipfile.lock"
TOOL = "pipenv>=2024"


class _Locked(msgspec.Struct, frozen=True):
    version: str = ""
    path: str = ""
    file: str = ""


class _Lock(msgspec.Struct, frozen=True):
    default: dict[str, _Locked] = {}


def locked(tree: Tree, _: Pyproject) -> str:
    """Return "Pipfile.lock" when it stands beside a Pipfile, else ""."""
    return LOCK if LOCK in tree and PIPFILE in tree else ""


def unlocked(tree: Tree, _: Pyproject) -> str:
    """Return "Pipfile" when there is one, else ""."""
    return PIPFILE if PIPFILE in tree else ""


def read_locked(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of Pipfile.lock. Raises E_TOML (also for bad JSON), E_REQ…."""
    lock = _lock(tree)
    plain = read_unlocked(tree, pyproject)
    versions = {normalise(name): entry.version.lstrip("=") for name, entry in lock.default.items()}
    local = any(entry.path or (entry.file and "://" not in entry.file) for entry in lock.default.values())
    why = facts.unmet(plain.asked, versions)
    if plain.needs_source and not local:
        why = "it does not have the folder that the Pipfile names"
    changes: dict[str, Any] = {"decision": Decision("manager", "pipenv", f"{LOCK}:1")}
    if why:
        notices = (*plain.notices, facts.stale(LOCK, why))
        return msgspec.structs.replace(plain, stale=True, notices=notices, **changes)
    return msgspec.structs.replace(
        plain,
        files=(PIPFILE, LOCK),
        words=tables.indexes(tree, PIPFILE, toml.read(tree, PIPFILE).get("source"))[0],
        tool=TOOL,
        locked=versions,
        needs_source=local,
        exact=True,
        **changes,
    )


def read_unlocked(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of the Pipfile alone: [packages], never [dev-packages]. Raises E_TOML, E_REQ…."""
    table = toml.read(tree, PIPFILE)
    found = tables.read(tree, PIPFILE, section(table, "packages"), "pipenv")
    dropped, notices = windows.only(found.found.values())
    lost = {r.name for r in dropped}
    words = tuple(word for word in found.words if normalise(word) not in lost)
    indexes, left_out = tables.indexes(tree, PIPFILE, table.get("source"))
    return Manifest(
        manager="pipenv",
        decision=Decision("manager", "pipenv", f"{PIPFILE}:1"),
        words=(*indexes, *words),
        asked={name: r for name, r in found.found.items() if name not in lost},
        python=_python(tree, table),
        needs_source=found.local,
        is_project=pyproject.is_project,
        dynamic_version=pyproject.dynamic_version,
        notices=(*left_out, *notices),
    )


def _lock(tree: Tree) -> _Lock:
    try:
        return msgspec.json.decode(tree.text(LOCK, facts.LOCK_LIMIT), type=_Lock)
    except (msgspec.DecodeError, RecursionError) as error:
        advice = "make it anew: `pipenv lock`"
        raise E_TOML(why=f"it should be JSON: {error}", where=LOCK, advice=advice) from None


def _python(tree: Tree, table: dict[str, Any]) -> tuple[version.Wish, ...]:
    requires = section(table, "requires")
    for key in ("python_full_version", "python_version"):
        wanted = requires.get(key)
        if isinstance(wanted, str) and wanted.strip() not in ("*", ""):
            return (version.pin(wanted, toml.line_of(tree, PIPFILE, key)),)
    return ()
