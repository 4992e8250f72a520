"""What a pyproject.toml names outside [project]: groups (PEP 735), hatch's environments, lists in other files."""

from __future__ import annotations

import posixpath

from buildpacks.python import requirements
from buildpacks.python.manifest.facts import RUNTIME_GROUPS, Pyproject, section
from buildpacks.python.requirements import Requirements
from s2i.sources import Tree

USABLE_GROUPS = (*RUNTIME_GROUPS, "main", "deploy")


def runtime(pyproject: Pyproject) -> tuple[str, tuple[str, ...]]:
    """Return the group of what runs in production and its requirements; ("", ()) when none has such a name.

    A group that includes others is followed, as PEP 735 says; a circle ends there.
    """
    groups = section(pyproject.table, "dependency-groups")
    name = next((name for name in USABLE_GROUPS if name in groups), "")
    return name, tuple(_texts(groups, name)) if name else ()


def hatch(pyproject: Pyproject) -> tuple[str, ...]:
    """Return the dependencies of hatch's default environment: where a project that is never published has them."""
    table = pyproject.tool("hatch", "envs", "default")
    lists = [table.get("dependencies"), table.get("extra-dependencies")]
    return tuple(text for found in lists if isinstance(found, list) for text in found if isinstance(text, str))


def elsewhere(tree: Tree, pyproject: Pyproject) -> tuple[Requirements, ...] | None:
    """Return the files that [project] leaves its dependencies to; None when only a build can tell them.

    Setuptools: [tool.setuptools.dynamic]; hatch: the plugin hatch-requirements-txt. Raises E_REQ….
    """
    named = section(pyproject.tool("setuptools", "dynamic"), "dependencies").get("file")
    named = named or pyproject.tool("hatch", "metadata", "hooks", "requirements_txt").get("files")
    paths = [named] if isinstance(named, str) else named
    if not isinstance(paths, list) or not paths:
        return None
    clean = [posixpath.normpath(path) for path in paths if isinstance(path, str)]
    if len(clean) != len(paths) or not all(path in tree for path in clean):
        return None
    return tuple(requirements.read(tree, path) for path in clean)


def _texts(groups: dict[str, object], name: str) -> list[str]:
    """Return what a group holds, with the groups that it includes, each once."""
    found: list[str] = []
    waiting, seen = [name], {name}
    while waiting:
        entries = groups.get(waiting.pop())
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, str):
                found.append(entry)
            elif isinstance(entry, dict) and isinstance(inner := entry.get("include-group"), str) and inner not in seen:
                seen.add(inner)
                waiting.append(inner)
    return found
