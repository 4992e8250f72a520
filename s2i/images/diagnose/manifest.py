"""Where a source asks for a package."""

from __future__ import annotations

import re

from s2i.errors import S2IError
from s2i.sources import Tree

_MANIFESTS = (
    "requirements*.txt",
    "requirements/*.txt",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "uv.lock",
    "s2i.toml",
    "Aptfile",
    "apt.txt",
    "packages.txt",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def requirement(tree: Tree, package: str) -> str:
    """Return the ``file:line`` of the manifest that names ``package``, "" when none does."""
    found = re.search(rf"\A{_NAME.pattern}", package)
    if not found:
        return ""
    name = re.sub(r"[-_.]+", "[-_.]+", re.escape(found[0]).replace(r"\-", "-").replace(r"\.", "."))
    asks = re.compile(rf"(?<![\w.-]){name}(?![\w-]|\.\w)", re.IGNORECASE)
    for path in (path for pattern in _MANIFESTS for path in tree.glob(pattern)):
        try:
            lines = tree.text(path).splitlines()
        except S2IError:  # too big, not UTF-8: the build has said what is wrong, this is only where
            continue
        for number, line in enumerate(lines, 1):
            if asks.search(line.partition("#")[0]):
                return f"{path}:{number}"
    return ""
