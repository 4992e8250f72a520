"""Passwords that a source writes into the addresses of its packages."""

from __future__ import annotations

from collections.abc import Iterator

from buildpacks.python.manifest import Manifest
from buildpacks.python.manifest.facts import LOCK_LIMIT
from s2i.patterns import lazily
from s2i.sources import Notice, Tree

# A user without a password is often none: git@host. A variable is filled in elsewhere.
_LOGIN = lazily(rb"://[^\s/:@\"'$]{1,200}:[^\s/@\"'$]{1,200}@")
_MOST = 3


def notices(tree: Tree, manifest: Manifest) -> tuple[Notice, ...]:
    """Return a notice for the first addresses with a password, without showing them."""
    return tuple(notice for notice, _ in zip(_found(tree, manifest), range(_MOST), strict=False))


def _found(tree: Tree, manifest: Manifest) -> Iterator[Notice]:
    for path in manifest.files:
        data = tree.read(path, LOCK_LIMIT) if path in tree else b""
        for found in _LOGIN.finditer(data):
            where = f"{path}:{data.count(chr(10).encode(), 0, found.start()) + 1}"
            text = "an address holds a password, and the file is in the image: give it by --netrc, and change it"
            yield Notice("W_SECRET_URL", text, where)
