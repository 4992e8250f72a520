"""Tell a library from an application: what is published for others to import is not served because of its examples."""

from __future__ import annotations

from buildpacks.python.manifest import Manifest
from s2i.planning.ignored import is_aside
from s2i.sources import Tree

_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_CLASSIFIERS = (b"Programming Language ::", b"Development Status ::", b"Intended Audience ::", b"Framework ::")

_ROOTS = (
    "",
    "src",
    "lib",
    "python",
)  # where what is installed stands; another folder that modules start from is a guide


def is_one(tree: Tree, manifest: Manifest) -> bool:
    """Say whether a source is made to be published: it can be installed, and is classified for an index."""
    return manifest.is_project and is_classified(tree)


def is_classified(tree: Tree) -> bool:
    """Say whether a manifest at the root classifies the source for an index of packages."""
    found = (tree.read(path) for path in _MANIFESTS if path in tree)
    return any(word in data for data in found for word in _CLASSIFIERS)


def owns(tree: Tree, path: str, root: str) -> bool:
    """Say whether a file belongs to what a library installs: to one of its packages, or to the root.

    ``root`` is the folder that the file is imported from.
    """
    top, slash, rest = path.removeprefix(f"{root}/").partition("/")
    if is_aside(path) or rest.count("/") > 1 or root.partition("/")[0] not in _ROOTS:
        return False
    return not slash or any(f"{start}{top}/__init__.py" in tree for start in {"", f"{root}/" if root else ""})
