"""Tell a library from an application: what is published for others to import is not served because of its examples."""

from __future__ import annotations

from buildpacks.python.manifest import Manifest
from s2i.planning.ignored import is_aside
from s2i.sources import Tree

_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_CLASSIFIERS = (b"Programming Language ::", b"Development Status ::", b"Intended Audience ::", b"Framework ::")


def is_one(tree: Tree, manifest: Manifest) -> bool:
    """Say whether a source is made to be published: it can be installed, and is classified for an index."""
    if not manifest.is_project:
        return False
    found = (tree.read(path) for path in _MANIFESTS if path in tree)
    return any(word in data for data in found for word in _CLASSIFIERS)


def owns(tree: Tree, path: str) -> bool:
    """Say whether a file belongs to what a library installs: to one of its packages, or to the root."""
    inner = path.removeprefix("src/")
    top, slash, rest = inner.partition("/")
    if is_aside(path) or rest.count("/") > 1:
        return False
    return not slash or f"{top}/__init__.py" in tree or f"src/{top}/__init__.py" in tree
