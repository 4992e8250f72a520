"""The tree of a source: listed once, read through one object that cannot leave its root."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One regular file: ``path`` with forward slashes, relative to the root; ``size`` in bytes."""

    path: str
    size: int
    executable: bool = False


class Origin(msgspec.Struct, frozen=True):
    """Where a tree came from. ``url``, ``ref``, ``commit`` are "" when unknown; ``time``: the commit's, epoch s."""

    kind: str  # "folder" | "git"
    place: str  # the folder, or the URL without credentials
    ref: str = ""
    commit: str = ""
    subdir: str = ""
    time: int = 0


class Notice(msgspec.Struct, frozen=True):
    """Something a person should know that stops nothing: a code (W_...), a text, and where (``file:line``)."""

    code: str
    message: str
    where: str = ""


class Tree:
    """The files of one source, after the ignore files. It never follows a link and never leaves ``root``.

    ``files`` is sorted by path. ``links`` names the symbolic links seen (none is followed).
    """

    def __init__(
        self,
        root: Path,
        files: tuple[Entry, ...],
        origin: Origin,
        notices: tuple[Notice, ...] = (),
        links: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self.files = files
        self.origin = origin
        self.notices = notices
        self.links = links
        self._by_path = {entry.path: entry for entry in files}

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def read(self, path: str, limit: int = 1 << 20) -> bytes:
        """Return the bytes of the file ``path``.

        Raises E_FILE_TOO_BIG over ``limit`` bytes, E_PATH_ESCAPE for a link or a way out of the root,
        E_PERMISSION, E_TREE_CHANGED when it is gone.
        """
        raise NotImplementedError
