"""The tree of a source: listed once, read through one object that cannot leave its root."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from s2i.errors import (
    E_ENCODING,
    E_FILE_TOO_BIG,
    E_NO_SUCH_FILE,
    E_PATH_ESCAPE,
    E_PERMISSION,
    E_TREE_CHANGED,
)
from s2i.sources import beneath

if TYPE_CHECKING:
    from s2i.sources.seal import Seal

# Staged files get one time, so that the same source gives the same layers. Not 0: ZIP, and with it every wheel that
# is built from the source, begins in 1980; a day later, it has begun in every time zone.
STAGED_TIME = 315_619_200
KEPT = 16 << 20  # bytes of what was read that are kept for who asks again
GROWTH = 16 << 20  # bytes that a file may grow between listing and staging (a log that somebody writes)


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


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something a person should know that stops nothing: a code (W_...), a text, and where (``file:line``)."""

    code: str
    message: str
    where: str = ""


class LeftOut(msgspec.Struct, frozen=True):
    """How many paths (a folder is one) the ignore files ``by`` left out."""

    count: int = 0
    by: tuple[str, ...] = ()


class Tree:
    """The files of one source, after the ignore files. It never follows a link and never leaves ``root``.

    ``files`` is sorted by path. A link that leads to a listed file is listed as a file too, and read from there
    (``real`` says where, relative to the root). ``links`` maps every link seen to its target as written.
    What is read is kept, so that each file is read once; modules below the root are not: they are many, and one
    asks for each.
    ``anchor`` is the root of the whole source; ``root`` is the folder ``base`` in it, which paths are relative to.
    """

    def __init__(
        self,
        root: Path,
        files: tuple[Entry, ...],
        origin: Origin,
        notices: tuple[Notice, ...] = (),
        links: Mapping[str, str] | None = None,
        *,
        real: Mapping[str, str] | None = None,
        base: str = "",
        left_out: LeftOut | None = None,
    ) -> None:
        self.root = root / base
        self.left_out = left_out or LeftOut()
        self.files = files
        self.origin = origin
        self.notices = notices
        self.links = dict(links or {})
        self.anchor, self._base = root, base
        self._real = dict(real or {})
        self._by_path = {entry.path: entry for entry in files}
        self._kept = _Kept()

    def __contains__(self, path: str) -> bool:
        """Say whether there is a file (or a link: reading one that leads out raises E_PATH_ESCAPE) at ``path``."""
        return path in self._by_path or path in self.links

    def paths(self) -> Iterator[str]:
        """Yield the path of each file, sorted."""
        return iter(self._by_path)

    def under(self, prefix: str) -> Iterator[Entry]:
        """Yield the files in the folder ``prefix``, at any depth; "" is the root."""
        start = f"{prefix}/" if prefix else ""
        return (entry for entry in self.files if entry.path.startswith(start))

    def glob(self, pattern: str) -> Iterator[str]:
        """Yield the paths that ``pattern`` matches: ``*`` and ``?`` within a part, ``**/`` any folders, or none."""
        matches = re.compile(_glob(pattern), re.DOTALL).fullmatch
        return (path for path in self._by_path if matches(path))

    def noted(self, *notices: Notice, origin: Origin | None = None) -> Tree:
        """Return the same tree with more ``notices``, and with another ``origin``."""
        known = (*self.notices, *notices)
        base, origin = self._base, origin or self.origin
        left = self.left_out
        tree = Tree(self.anchor, self.files, origin, known, self.links, real=self._real, base=base, left_out=left)
        tree._kept = self._kept
        return tree

    def subtree(self, prefix: str) -> Tree:
        """Return the folder ``prefix`` as a tree of its own. It has no files when there is no such folder."""
        cut = len(prefix) + 1
        files = tuple(Entry(e.path[cut:], e.size, e.executable) for e in self.under(prefix))
        links = {link[cut:]: to for link, to in self.links.items() if link.startswith(f"{prefix}/")}
        real = {link[cut:]: to for link, to in self._real.items() if link.startswith(f"{prefix}/")}
        base = f"{self._base}/{prefix}" if self._base else prefix
        subdir = f"{self.origin.subdir}/{prefix}" if self.origin.subdir else prefix
        origin = msgspec.structs.replace(self.origin, subdir=subdir)
        return Tree(self.anchor, files, origin, self.notices, links, real=real, base=base)

    def read(self, path: str, limit: int = 1 << 20) -> bytes:
        """Return the bytes of the file ``path``.

        Raises E_FILE_TOO_BIG over ``limit`` bytes, E_PATH_ESCAPE for a link or a way out of the root,
        E_NO_SUCH_FILE, E_PERMISSION, E_TREE_CHANGED when it is gone.
        """
        if (kept := self._kept.files.get(path)) is not None and len(kept) <= limit:
            return kept
        with self._open(path) as (file, info):
            if info.st_size > limit:
                raise E_FILE_TOO_BIG(path=path, size=f"{info.st_size:,}", limit=f"{limit:,}")
            data = beneath.take(file, info.st_size, limit)
        if "/" not in path or not path.endswith(".py"):
            self._kept.add(path, data)
        return data

    def text(self, path: str, limit: int = 1 << 20) -> str:
        """Return the file ``path`` as text: UTF-8, or UTF-16 with a byte order mark. Line ends stay as they are.

        Raises as read does, and E_ENCODING.
        """
        data = self.read(path, limit)
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            bom = len(data) - len(error.object)  # utf-8-sig counts from behind the mark
            offset = error.start + bom
            name = "UTF-16" if encoding == "utf-16" else "UTF-8"
            line = data.count(b"\n", 0, offset) + 1
            raise E_ENCODING(
                path=path, where=f"{path}:{line}", encoding=name, offset=offset, byte=f"0x{data[offset]:02x}"
            ) from None

    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of all paths, modes and bytes. Reads every file, when first asked."""
        return self._sealed().digest

    def unchanged(self) -> bool:
        """Say whether the files are still what ``digest`` found when it was first asked. Raises as read does."""
        from s2i.sources import seal

        try:
            return seal.holds(self._sealed(), self._open, lambda path: f"{self.anchor}/{self._place(path)}")
        except OSError:
            return False

    def _sealed(self) -> Seal:
        if self._kept.seal is None:
            from s2i.sources import seal  # what is only planned is never hashed

            self._kept.seal = seal.seal(self.files, self._open)
        return self._kept.seal

    def stage(self, into: Path) -> None:
        """Copy the files into the folder ``into``, which is empty and private: the build context.

        Modes become 0644 or 0755, times the commit's or STAGED_TIME. Links become the files that they lead to.
        Raises E_PERMISSION, E_TREE_CHANGED, E_PATH_ESCAPE, OSError (a full disk).
        """
        time = self.origin.time or STAGED_TIME
        above, folder = "", beneath.open_root(into)
        folders = {""}
        try:
            for entry in self.files:
                parent, _, name = entry.path.rpartition("/")
                if parent != above:
                    os.close(folder)
                    folder = -1
                    above, folder = parent, beneath.descend(into, parent, make=True)
                    folders.update(_ancestors(parent))
                self._copy(entry, folder, name, time)
        finally:
            if folder >= 0:
                os.close(folder)
        for path in folders:
            made = beneath.descend(into, path)
            os.utime(made, (time, time))
            os.close(made)

    def _copy(self, entry: Entry, folder: int, name: str, time: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._open(entry.path) as (file, info):
            if info.st_size > entry.size + GROWTH:
                raise E_TREE_CHANGED(path=entry.path, why="it grew")
            copy = os.open(name, flags, 0o600, dir_fd=folder)
            try:
                for chunk in beneath.chunks(file, info.st_size):
                    _write(copy, chunk)
                os.fchmod(copy, 0o755 if entry.executable else 0o644)
                os.utime(copy, (time, time))
            finally:
                os.close(copy)

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[tuple[int, os.stat_result]]:
        """Yield a descriptor of the file ``path``, and its stat. Raises as read does."""
        with self._open(path) as found:
            yield found

    @contextlib.contextmanager
    def _open(self, path: str) -> Iterator[tuple[int, os.stat_result]]:
        """Open a listed file and turn what the system says into our errors."""
        if path not in self._by_path:
            self._refuse(path)
        try:
            file, info = beneath.open_at(self.anchor, self._place(path))
        except PermissionError:
            raise E_PERMISSION(path=path) from None
        except FileNotFoundError:
            raise E_TREE_CHANGED(path=path, why="it is gone") from None
        except beneath.NotRegular:
            raise E_TREE_CHANGED(path=path, why="it is no regular file any more") from None
        except OSError as error:  # ELOOP, ENOTDIR: a part of the path is a link now
            raise E_PATH_ESCAPE(path=path, to=f" ({os.strerror(error.errno or 0)})") from None
        try:
            yield file, info
        finally:
            os.close(file)

    def _place(self, path: str) -> str:
        return self._real.get(path) or (f"{self._base}/{path}" if self._base else path)

    def _refuse(self, path: str) -> None:
        if path in self.links:
            raise E_PATH_ESCAPE(path=path, to=f" or to nothing in it (a link to {self.links[path]})")
        if path.startswith("/") or ".." in path.split("/"):
            raise E_PATH_ESCAPE(path=path, to="")
        raise E_NO_SUCH_FILE(path=path)


class _Kept:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.room = KEPT
        self.seal: Seal | None = None

    def add(self, path: str, data: bytes) -> None:
        if len(data) <= self.room and path not in self.files:
            self.files[path] = data
            self.room -= len(data)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _ancestors(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _glob(pattern: str) -> str:
    known = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(known.get(part) or re.escape(part) for part in parts)
