"""What a person types as SRC, parsed once into a Source."""

from __future__ import annotations

import msgspec


class Folder(msgspec.Struct, frozen=True, tag="folder"):
    """A folder on this machine. ``subdir`` is relative, "" for the folder itself."""

    path: str
    subdir: str = ""


class Git(msgspec.Struct, frozen=True, tag="git"):
    """A Git repository: ``url`` (https or ssh), a branch or tag ``ref`` or a full ``commit``, a ``subdir``."""

    url: str
    ref: str = ""
    commit: str = ""
    subdir: str = ""


Source = Folder | Git


def parse(text: str, *, commit: str = "", context_dir: str = "") -> Source:
    """Parse SRC: a folder, ``https://host/owner/repo[@ref][#subdir]`` or ``git@host:owner/repo``.

    Raises E_URL, E_REF, E_VALUE (exit 2). Touches neither disk nor network.
    """
    raise NotImplementedError
