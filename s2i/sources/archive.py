"""A source as one file: packed from a Tree, and unpacked where nobody trusts it (THREATS T19, T20).

The reader knows regular files and folders, and refuses all else: links, devices, sparse files, ways out, a .git. It
takes no more memory than a block and a name, whatever a header claims.
"""

from __future__ import annotations

import os
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from s2i.errors import E_ARCHIVE, S2IError
from s2i.sources import beneath
from s2i.sources.limits import Limits
from s2i.sources.tree import STAGED_TIME, Tree

BLOCK = 512
PIECE = 64 << 10
RATIO = 200  # of what comes out to what went in; text of programs has 3 to 10
SLACK = 1 << 20  # bytes that may come out whatever went in
NAME_LIMIT = 8 << 10  # bytes of a long name, or of the records before a file
NAME_PART_LIMIT = 255
FILES, FOLDERS = (tarfile.REGTYPE, tarfile.AREGTYPE), (tarfile.DIRTYPE,)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def pack(tree: Tree, file: BinaryIO) -> None:
    """Write the files of ``tree`` to ``file`` as tar.gz: links as what they lead to, without owners and times.

    Raises as Tree.read does.
    """
    with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.GNU_FORMAT, compresslevel=6) as archive:
        for entry in tree.files:
            with tree.opened(entry.path) as (opened, info), os.fdopen(os.dup(opened), "rb") as source:
                about = tarfile.TarInfo(entry.path)
                about.size, about.mtime = info.st_size, STAGED_TIME
                about.mode = 0o755 if entry.executable else 0o644
                archive.addfile(about, source)


def unpack(file: BinaryIO, folder: Path, limits: Limits) -> int:
    """Write what the tar.gz ``file`` holds into ``folder``, which is empty and private; return how many files.

    Raises E_ARCHIVE.
    """
    try:
        return _Reader(file, folder, limits).all()
    except (zlib.error, tarfile.HeaderError) as error:
        raise _no(f"it is damaged: {error}") from None
    except OSError as error:
        raise _no(error.strerror or str(error)) from None


class _Reader:
    def __init__(self, file: BinaryIO, folder: Path, limits: Limits) -> None:
        self._stream, self._folder, self._limits = _Inflated(file, limits.size), folder, limits
        self._seen: set[str] = set()  # of everything, in the form in which no two may be the same
        self._count = 0

    def all(self) -> int:
        name = ""  # of the next file, when it is too long for its own header
        files = 0
        while any(block := self._stream.exactly(BLOCK)):
            about = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            self._count += 1
            if self._count > 3 * self._limits.files:
                raise _no(f"it holds more than {self._limits.files:,} files")
            if about.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
                name = self._long_name(about) or name
                continue
            path = self._checked(name or about.name)
            name = ""
            if about.type in FOLDERS:
                os.close(beneath.descend(self._folder, path, make=True))
                self._skip(about.size)
            elif about.type in FILES:
                files += 1
                self._write(path, about)
            else:
                raise _no(f"{path} is neither a file nor a folder")
            if files > self._limits.files:
                raise _no(f"it holds more than {self._limits.files:,} files")
        if not files:
            raise _no("it holds no file")
        return files

    def _checked(self, name: str) -> str:
        """Return a path in its shortest form that stays beneath, and has not been there. Raises E_ARCHIVE."""
        path = name.rstrip("/").removeprefix("./")
        parts = path.split("/")
        if name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in parts):
            if name.rstrip("/") in (".", ""):
                return ""
            raise _no(f"{name} leads out of it, or is no plain path")
        if any(ord(c) < 0x20 or ord(c) == 0x7F for c in path):
            raise _no(f"{path} has a control character")
        if any(part.lower() == ".git" for part in parts):
            raise _no(f"{path} is of a Git repository, which is never sent")
        if len(os.fsencode(path)) > self._limits.path or any(len(os.fsencode(p)) > NAME_PART_LIMIT for p in parts):
            raise _no(f"the path {path} is too long")
        same = unicodedata.normalize("NFC", path)
        if same in self._seen:
            raise _no(f"{path} is in it twice")
        self._seen.add(same)
        return path

    def _write(self, path: str, about: tarfile.TarInfo) -> None:
        above, _, name = path.rpartition("/")
        if not name or about.size < 0:
            raise _no("a file in it has no name, or no size")
        folder = beneath.descend(self._folder, above, make=True)
        try:
            file = os.open(name, _FLAGS, 0o600, dir_fd=folder)
            with os.fdopen(file, "wb") as opened:
                for piece in self._stream.pieces(about.size):
                    opened.write(piece)
                os.fchmod(opened.fileno(), 0o755 if about.mode & 0o111 else 0o644)
        except FileExistsError:
            raise _no(f"{path} is in it twice") from None
        finally:
            os.close(folder)
        self._skip(-about.size % BLOCK)

    def _long_name(self, about: tarfile.TarInfo) -> str:
        if not 0 <= about.size <= NAME_LIMIT:
            raise _no("a name in it is too long")
        data = self._stream.exactly(about.size)
        self._skip(-about.size % BLOCK)
        if about.type == tarfile.GNUTYPE_LONGNAME:
            return os.fsdecode(data.rstrip(b"\0"))
        return _path_of(data) if about.type == tarfile.XHDTYPE else ""

    def _skip(self, size: int) -> None:
        for _ in self._stream.pieces(size):
            pass


class _Inflated:
    """What a gzip holds, in pieces: no more than ``most`` bytes of it, and not RATIO times what was read."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self._inflate = zlib.decompressobj(wbits=31)
        self._ready, self._rest = b"", b""
        self._read = self._given = 0

    def exactly(self, size: int) -> bytes:
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if not self._ready:
                self._ready = self._more()
            piece, self._ready = self._ready[:size], self._ready[size:]
            size -= len(piece)
            yield piece

    def _more(self) -> bytes:
        while not self._inflate.eof:
            if not self._rest:
                self._rest = self._file.read(PIECE)
                self._read += len(self._rest)
            if not self._rest:
                break
            made = self._inflate.decompress(self._rest, PIECE)
            self._rest = self._inflate.unconsumed_tail
            self._given += len(made)
            if self._given > self._most:
                raise _no(f"it holds more than {self._most >> 20:,} MB")
            if self._given > RATIO * self._read + SLACK:
                raise _no(f"it grows to more than {RATIO} times its size")
            if made:
                return made
        raise _no("it ends too early")


def _path_of(records: bytes) -> str:
    """Return the path that the records of a PAX header name, "" for none. Raises E_ARCHIVE."""
    path = ""
    while records:
        size, _, rest = records.partition(b" ")
        if not (size.isdigit() and len(size) < 6 and 0 < int(size) <= len(records)):
            raise _no("a header in it cannot be read")
        key, _, value = rest[: int(size) - len(size) - 2].partition(b"=")
        if key.startswith(b"GNU.sparse"):
            raise _no("a file in it has holes")
        path = os.fsdecode(value) if key == b"path" else path
        records = records[int(size) :]
    return path


def _no(why: str) -> S2IError:
    return E_ARCHIVE(why=why)
