"""Walk down a folder: by descriptors, without recursion, without following a link, and no further than the limits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from s2i.errors import (
    E_BARE,
    E_PATH_LONG,
    E_PERMISSION,
    E_TOO_MANY_FILES,
    E_TREE_CHANGED,
    E_TREE_TOO_BIG,
    S2IError,
    escape,
)
from s2i.sources import beneath, ignore, secrets
from s2i.sources.limits import Limits
from s2i.sources.tree import Notice

NAMED_IN_A_NOTICE = 8


class Walk:
    """One listing under way: what was found so far, by its path from the root of the source."""

    def __init__(self, base: str, limits: Limits, rules: ignore.Rules, tracked: frozenset[str]) -> None:
        self.base, self.limits, self.rules, self.tracked = base, limits, rules, tracked
        self.files: dict[str, tuple[int, bool]] = {}
        self.links: dict[str, str] = {}
        self.secret: list[str] = []
        self.special: list[str] = []
        self.loose: list[str] = []
        self.ruled_out = 0
        self.seen = 0
        self.entered = 0
        self.size = 0

    def go(self, folder: int, shown: str) -> None:
        """List ``folder`` (closed at the end) and all beneath it, with one descriptor whatever the depth."""
        at = f"{self.base}/" if self.base else ""
        above: list[tuple[str, list[str], tuple[int, int]]] = []
        try:
            todo = self._scan(folder, at, first=True, shown=shown)
            while True:
                if todo:
                    name = todo.pop()
                    above.append((at, todo, _identity(folder)))
                    folder = self._enter(folder, at, name)
                    at = f"{at}{name}/"
                    todo = self._scan(folder, at)
                elif above:
                    gone = at
                    at, todo, parent = above.pop()
                    folder = self._enter(folder, at, "..")
                    if _identity(folder) != parent:
                        raise E_TREE_CHANGED(path=gone, why="the folder was moved")
                else:
                    break
        finally:
            os.close(folder)
        if self.seen > self.limits.files:
            raise self._too_many()
        if self.size > self.limits.size:
            raise self._too_big()

    def take_rules(self, folder: int, at: str, names: set[str]) -> None:
        """Take in the rules of the ignore files among ``names``, the entries of ``folder``."""
        for name in self.rules.wanted(names, at):
            self.rules.add(name, at, beneath.head(folder, name, ignore.RULES_LIMIT + 1))

    def notices(self) -> Iterable[Notice]:
        """Yield what a person should know about what was left out."""
        if self.secret:
            one, *others = self.secret
            text = "left out, as it looks like a secret (a line !NAME in .s2iignore takes it in)"
            if others:
                text = "left out, as they look like secrets (a line !NAME in .s2iignore takes one in): "
                text += _names(self.secret)
            yield Notice("W_SECRET", text, one)
        if self.special:
            text = "left out, as they are no regular files (FIFO, socket, device): "
            yield Notice("W_SPECIAL", text + _names(self.special), self.special[0])
        if self.loose:
            text = "left out, as these links lead out of the source, to a folder, or to nothing in it: "
            yield Notice("W_LINK", text + _names(self.loose), self.loose[0])

    def _scan(self, folder: int, at: str, *, first: bool = False, shown: str = "") -> list[str]:
        """Take in the entries of one folder; return the names of its subfolders to go into, last one first."""
        # A path has no more bytes than four times its letters: the long way is taken for few.
        if len(at) * 4 > self.limits.path and len(os.fsencode(at)) > self.limits.path:
            raise E_PATH_LONG(path=at, limit=f"{self.limits.path:,}")
        entries = _entries(folder, at or shown)
        names = {entry.name for entry in entries}
        if first and {"HEAD", "objects", "refs"} <= names and not at and ".git" not in names:
            raise E_BARE(path=shown)
        if ignore.VENV_MARK in names and not first:
            return []
        self.take_rules(folder, at, names)
        folders = []
        for entry in entries:
            try:
                if self._take(folder, entry, at):
                    folders.append(entry.name)
            except FileNotFoundError:  # gone since: as if it had never been there
                continue
            except PermissionError:
                raise E_PERMISSION(path=at + entry.name) from None
            except OSError as error:
                raise _changed(at + entry.name, error) from None
        self._count(len(folders))
        self.entered += 1
        if self.entered > self.limits.files:  # going into a folder takes as long as ten files
            raise self._too_many(at_least="more than ")
        folders.sort(reverse=True)
        return folders

    def _take(self, folder: int, entry: os.DirEntry[str], at: str) -> bool:
        """Take in one entry; return whether it is a folder to go into. Raises OSError when it is changed meanwhile."""
        if entry.is_symlink():
            self._link(folder, entry, at)
        elif entry.is_dir(follow_symlinks=False):
            return self._wants_folder(entry.name, at)
        elif entry.is_file(follow_symlinks=False):
            self._file(folder, entry, at)
        else:
            self.special.append(at + entry.name)
        return False

    def _wants_folder(self, name: str, at: str) -> bool:
        if name in ignore.FOLDERS:
            return False
        if secrets.folder(at, name):
            self.secret.append(f"{at}{name}/")
            return False
        if self.rules.skip(f"{at}{name}/"):
            self.ruled_out += 1
            return False
        return True

    def _file(self, folder: int, entry: os.DirEntry[str], at: str) -> None:
        name, path = entry.name, at + entry.name
        if name in ignore.FILES or name.endswith(ignore.COMPILED):
            return
        if self._is_secret(folder, entry, path):
            self.secret.append(path)
        elif self.rules.skip(path):
            self.ruled_out += 1
        elif path in self.tracked:
            self.links[path] = os.fsdecode(beneath.head(folder, name, 4096))
        else:
            self._count(1)
            if self.seen > self.limits.files:
                self.files[path] = (0, False)
                return
            info = entry.stat(follow_symlinks=False)
            self.files[path] = (info.st_size, bool(info.st_mode & 0o111))
            self.size += info.st_size

    def _is_secret(self, folder: int, entry: os.DirEntry[str], path: str) -> bool:
        found = secrets.by_name(entry.name, path)
        if not found and (most := secrets.to_read(entry.name, entry.stat(follow_symlinks=False).st_size)):
            found = secrets.by_content(entry.name, beneath.head(folder, entry.name, most))
        return found and not self.rules.named(path)

    def _link(self, folder: int, entry: os.DirEntry[str], at: str) -> None:
        path = at + entry.name
        if entry.name in ignore.FOLDERS or entry.name in ignore.FILES:
            return
        if secrets.folder(at, entry.name) or (secrets.by_name(entry.name, path) and not self.rules.named(path)):
            self.secret.append(path)
            return
        if self.rules.skip(path):
            self.ruled_out += 1
            return
        self.links[path] = os.readlink(entry.name, dir_fd=folder)
        self._count(1)

    def _count(self, more: int) -> None:
        self.seen += more
        if self.seen > 10 * self.limits.files:
            raise self._too_many(at_least="more than ")

    def _enter(self, folder: int, at: str, name: str) -> int:
        try:
            return beneath.enter(folder, name)
        except PermissionError:
            raise E_PERMISSION(path=f"{at}{name}/") from None
        except OSError:
            raise E_TREE_CHANGED(path=f"{at}{name}/", why="it is no folder any more") from None

    def _too_many(self, at_least: str = "") -> S2IError:
        counts = Counter(path.partition("/")[0] + "/" for path in self.files if "/" in path)
        return E_TOO_MANY_FILES(count=f"{at_least}{self.seen:,}", limit=f"{self.limits.files:,}", most=_most(counts))

    def _too_big(self) -> S2IError:
        sizes = Counter({path: size for path, (size, _) in self.files.items()})
        return E_TREE_TOO_BIG(size=f"{self.size:,}", limit=f"{self.limits.size:,}", most=_most(sizes))


def _entries(folder: int, shown: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except PermissionError:
        raise E_PERMISSION(path=shown) from None
    except OSError as error:
        raise _changed(shown, error) from None


def _changed(path: str, error: OSError) -> S2IError:
    return E_TREE_CHANGED(path=path, why=error.strerror or "it cannot be read any more")


def _identity(folder: int) -> tuple[int, int]:
    info = os.fstat(folder)
    return info.st_dev, info.st_ino


def _most(counts: Counter[str]) -> str:
    top = [f"{escape(name, 60)} has {count:,}" for name, count in counts.most_common(3)]
    return f" ({', '.join(top)})" if top else ""


def _names(paths: list[str]) -> str:
    shown = ", ".join(escape(path, 80) for path in sorted(paths)[:NAMED_IN_A_NOTICE])
    more = len(paths) - NAMED_IN_A_NOTICE
    return f"{shown} and {more} more" if more > 0 else shown
