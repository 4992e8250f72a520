"""Poetry: its lock (formats 1 and 2), its own table or [project], with a lock or without."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from buildpacks.python import version
from buildpacks.python.manifest import facts, tables
from buildpacks.python.manifest.facts import RUNTIME_GROUPS, Manifest, Pyproject, section
from buildpacks.python.manifest.tables import Asked
from buildpacks.python.requirements import Requirement, normalise
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

LOCK = "poetry.lock"
# Poetry 2 reads the locks of Poetry 1, and a [project] table as well.
TOOL = ("poetry", ">=1.8,<3")
_OLD = ("dependencies", "source", "extras", "dev-dependencies")


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    optional: bool = False
    dependencies: dict[str, Any] = {}
    source: dict[str, Any] = {}


class _Lock(msgspec.Struct, frozen=True):
    package: tuple[_Package, ...] = ()
    metadata: dict[str, Any] = {}


def locked(tree: Tree, pyproject: Pyproject) -> str:
    """Return "poetry.lock" when it stands beside a project, else ""."""
    is_here = pyproject.project is not None or bool(pyproject.tool("poetry"))
    return LOCK if LOCK in tree and is_here else ""


def unlocked(tree: Tree, pyproject: Pyproject) -> str:
    """Return "pyproject.toml" when Poetry's own table in it says what to install, else ""."""
    return "pyproject.toml" if "dependencies" in pyproject.tool("poetry") else ""


def read_locked(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of poetry.lock. Raises E_TOML, E_REQ…, E_PYTHON_VERSION (exit 3 and 4)."""
    lock = toml.convert(toml.read(tree, LOCK, facts.LOCK_LIMIT), _Lock, LOCK)
    plain = read_unlocked(tree, pyproject)
    versions = _reached(lock, plain.asked)
    why = facts.unmet(plain.asked, versions) or _changed(tree, lock, pyproject)
    changes: dict[str, Any] = {"decision": Decision("manager", "poetry", f"{LOCK}:1")}
    if why:
        return msgspec.structs.replace(plain, stale=True, notices=(*plain.notices, facts.stale(LOCK, why)), **changes)
    wanted = pyproject.tool("poetry").get("requires-poetry")
    where = toml.line_of(tree, "pyproject.toml", "requires-poetry")
    spec = tables.pep440(wanted) if isinstance(wanted, str) else TOOL[1]
    return msgspec.structs.replace(
        plain,
        files=("pyproject.toml", LOCK),
        words=(),
        tool=facts.tool(TOOL[0], spec, where),
        locked=versions,
        needs_source=any(p.source.get("type") in ("directory", "file") for p in lock.package),
        exact=True,
        **changes,
    )


def read_unlocked(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of Poetry's table and of [project], without a lock. Raises E_TOML, E_REQ…."""
    table = pyproject.tool("poetry")
    own = {k: v for k, v in section(table, "dependencies").items() if k.lower() != "python"}
    groups = tuple(g for g in RUNTIME_GROUPS if section(table, "group", g, "dependencies"))
    for group in groups:
        own |= section(table, "group", group, "dependencies")
    project = pyproject.project
    if project and project.dependencies:  # Poetry's table then only says more about the same names
        folders = {k: v for k, v in own.items() if isinstance(v, dict) and ("path" in v or "git" in v or "url" in v)}
        listed = facts.asked_by_project(tree, project)
        extra = tables.read(tree, "pyproject.toml", folders, "poetry")
        kept = [t for t in project.dependencies if _name(t) not in {normalise(name) for name in folders}]
        where = toml.line_of(tree, "pyproject.toml", "dependencies")
        asked = Asked((*_words(kept, where), *extra.words), listed | extra.found, extra.local)
    else:
        asked = tables.read(tree, "pyproject.toml", own, "poetry")
    indexes, notices = tables.indexes(tree, "pyproject.toml", table.get("source"))
    return Manifest(
        manager="poetry",
        notices=notices,
        decision=Decision("manager", "poetry", toml.line_of(tree, "pyproject.toml", "[tool.poetry")),
        words=(*indexes, *asked.words),
        groups=groups,
        asked=asked.found,
        scripts=_scripts(table) | (project.scripts if project else {}),
        python=(*facts.requires_python(tree, project), *_python(tree, table)),
        needs_source=asked.local,
        is_project=pyproject.is_project and table.get("package-mode") is not False,
        dynamic_version="poetry-dynamic-versioning" in section(pyproject.table, "tool"),
    )


def _words(texts: list[str], where: str) -> tuple[str, ...]:
    from buildpacks.python import requirements

    return tuple(requirements.word(text.strip(), where) for text in texts)


def _name(text: str) -> str:
    found = re.fullmatch(r"\s*([A-Za-z0-9._-]+).*", text, re.DOTALL)
    return normalise(found[1]) if found else ""


def _python(tree: Tree, table: dict[str, Any]) -> tuple[version.Wish, ...]:
    wanted = section(table, "dependencies").get("python")
    if not isinstance(wanted, str) or wanted.strip() in ("*", ""):
        return ()
    return (version.caret(wanted, toml.line_of(tree, "pyproject.toml", "python")),)


def _scripts(table: dict[str, Any]) -> dict[str, str]:
    found = section(table, "scripts")
    named = {k: v.get("reference") if isinstance(v, dict) else v for k, v in found.items()}
    return {name: value for name, value in named.items() if isinstance(value, str)}


def _reached(lock: _Lock, asked: dict[str, Requirement]) -> dict[str, str]:
    """Return the versions of what an installation brings: what is asked for, and what that needs in turn."""
    edges = {normalise(p.name): [normalise(name) for name in p.dependencies] for p in lock.package}
    reached = facts.closure(asked, edges)
    packages = {normalise(p.name): p for p in lock.package}
    return {n: p.version for n, p in packages.items() if n in reached and (not p.optional or n in asked)}


def _changed(tree: Tree, lock: _Lock, pyproject: Pyproject) -> str:
    """Say in words that Poetry would refuse the lock, because pyproject.toml has changed since; "" when it would not.

    Poetry compares a hash of the tables that matter: `poetry export` fails when it differs.
    https://github.com/python-poetry/poetry/blob/main/src/poetry/packages/locker.py (_get_content_hash)
    """
    held = lock.metadata.get("content-hash")
    first = tree.text(LOCK, facts.LOCK_LIMIT).partition("\n")[0]
    made_by = re.search(r"Poetry ([0-9]{1,6})\.([0-9]{1,6})", first)
    known = [_content_hash(pyproject, with_groups=True)]
    if not made_by or (int(made_by[1]), int(made_by[2])) < (2, 3):
        known.append(_content_hash(pyproject, with_groups=False))
    return "" if held in known else "pyproject.toml has changed since it was made"


def _content_hash(pyproject: Pyproject, *, with_groups: bool) -> str:
    import hashlib
    import json

    project, poetry = section(pyproject.table, "project"), pyproject.tool("poetry")
    groups = section(pyproject.table, "dependency-groups") if with_groups else {}
    keys = ("requires-python", "dependencies", "optional-dependencies")
    new: dict[str, Any] = {}
    if of_project := {key: project[key] for key in keys if project.get(key) is not None}:
        new["project"] = of_project
    if groups:
        new["dependency-groups"] = groups
    old = {key: poetry.get(key) for key in (*_OLD, "group") if key in poetry or (key in _OLD and not new)}
    content = {**new, "tool": {"poetry": old}} if new else old
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
