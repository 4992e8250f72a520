"""``tool.uv.sources``: dependencies that are folders of the source tree."""

from __future__ import annotations

import posixpath

from buildpacks.python.manifest.facts import Pyproject
from buildpacks.python.requirements import normalise, parse
from s2i.errors import E_PATH_ESCAPE, E_UNSUPPORTED
from s2i.planning import toml
from s2i.sources import Tree


def has_local(pyproject: Pyproject) -> bool:
    """Say whether a dependency is a folder of the source, which is then needed to install it."""
    return any("path" in entry or entry.get("workspace") for _, entry in _entries(pyproject))


def refuse_outside(tree: Tree, pyproject: Pyproject) -> None:
    """Refuse a dependency whose folder is not in the tree. Raises E_PATH_ESCAPE (exit 3), E_UNSUPPORTED (exit 4)."""
    wanted = _wanted(pyproject)
    for name, entry in _entries(pyproject):
        where = toml.line_of(tree, "pyproject.toml", name)
        path = entry.get("path")
        if isinstance(path, str) and posixpath.normpath(path).startswith(("..", "/")):
            raise E_PATH_ESCAPE(path=path, to="", where=where)
        if entry.get("workspace") and normalise(name) in wanted and "workspace" not in pyproject.tool("uv"):
            what = f"{name} is a member of a workspace whose root lies above this folder: building the folder alone"
            fix = "give the root of the workspace as the source; which application is served says `subdir` in s2i.toml"
            raise E_UNSUPPORTED(what=what, fix=fix, where=where)


def _entries(pyproject: Pyproject) -> list[tuple[str, dict[str, object]]]:
    """Return each source with its name: a name may have several, each with a marker."""
    found = []
    for name, value in pyproject.tool("uv", "sources").items():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                found.append((name, entry))
    return found


def _wanted(pyproject: Pyproject) -> set[str]:
    project = pyproject.project
    texts = project.dependencies if project else ()
    return {r.name for r in (parse(text.strip(), "pyproject.toml") for text in texts) if r}
