"""List a folder into a Tree: by descriptors, without recursion, without following a link."""

from __future__ import annotations

import os
from pathlib import Path

from s2i.errors import E_EMPTY, E_IGNORED_ALL, E_PERMISSION, E_SOURCE, E_SUBDIR, escape
from s2i.sources import beneath, ignore, repository
from s2i.sources.limits import Limits
from s2i.sources.links import follow
from s2i.sources.tree import Entry, LeftOut, Origin, Tree
from s2i.sources.walk import Walk

KERNEL = ("/proc/", "/sys/", "/dev/fd/")
_NOTHING: frozenset[str] = frozenset()


def listing(path: str, subdir: str = "", limits: Limits | None = None) -> Tree:
    """List the folder ``path`` (its part ``subdir``) as a Tree. Reads names and sizes, and the ignore files.

    Raises E_SOURCE (exit 2), E_SUBDIR, E_BARE, E_TOO_MANY_FILES, E_TREE_TOO_BIG, E_PERMISSION (3),
    E_EMPTY, E_IGNORED_ALL (4).
    """
    root = os.path.realpath(path)
    if root in ("/", os.path.realpath(Path.home())):
        raise E_SOURCE(path=path, why="it is the root of the system or your home folder, not a project")
    if f"{root}/".startswith(KERNEL):
        raise E_SOURCE(path=path, why="the kernel makes up what is in it: it is no project")
    origin = Origin(kind="folder", place=root, subdir=subdir)
    return contents(Path(root), origin, limits or Limits(), shown=path)


def contents(
    root: Path, origin: Origin, limits: Limits, *, shown: str, git: bool = False, links: frozenset[str] = _NOTHING
) -> Tree:
    """List ``root`` beneath ``origin.subdir``. ``git``: a clone of ours, in which ``links`` are text files.

    ``shown`` is what errors call it. Raises as listing does.
    """
    if not git:
        repository.check_branches(root)
    walk = Walk(origin.subdir, limits, ignore.Rules(origin.subdir, git=not git), links)
    walk.go(_open(root, origin.subdir, shown, walk), shown)
    base = origin.subdir
    cut = len(base) + 1 if base else 0
    files = {path[cut:]: Entry(path[cut:], size, executable) for path, (size, executable) in walk.files.items()}
    targets = {path[cut:]: target for path, target in walk.links.items()}
    real = _resolve(files, targets, walk, base)
    if not files and not targets:
        if walk.ruled_out:
            raise E_IGNORED_ALL(path=shown, by=" and ".join(walk.rules.used))
        raise E_EMPTY(path=shown)
    ordered = tuple(files[path] for path in sorted(files))
    left_out = LeftOut(walk.ruled_out, tuple(walk.rules.used) if walk.ruled_out else ())
    notices = tuple(walk.notices())
    tree = Tree(root, ordered, origin, notices, targets, real=real, base=base, left_out=left_out)
    repository.check(tree)
    return tree if git else tree.noted(*repository.missing(tree))


def _open(root: Path, subdir: str, shown: str, walk: Walk) -> int:
    """Return a descriptor of the folder to list, with the rules of the folders above it taken in."""
    folder = _open_root(root, shown)
    at = ""
    for part in filter(None, subdir.split("/")):
        walk.take_rules(folder, at, set(os.listdir(folder)))  # noqa: PTH208
        try:
            folder = beneath.enter(folder, part)
        except OSError:
            text = _folders(folder, at)
            os.close(folder)
            raise E_SUBDIR(subdir=subdir, place=shown, folders=text) from None
        at += f"{part}/"
    return folder


def _open_root(root: Path, shown: str) -> int:
    try:
        return beneath.open_root(root)
    except FileNotFoundError:
        raise E_SOURCE(path=shown, why="no such directory", advice=_meant(shown)) from None
    except NotADirectoryError:
        raise E_SOURCE(path=shown, why=f"not a directory: {shown}") from None
    except PermissionError:
        raise E_PERMISSION(path=shown) from None
    except OSError as error:
        raise E_SOURCE(path=shown, why=error.strerror or str(error)) from None


def _folders(folder: int, at: str) -> str:
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name not in ignore.FOLDERS)
    return f"; folders there: {', '.join(escape(at + name, 60) for name in names[:20])}" if names else ""


def _resolve(files: dict[str, Entry], targets: dict[str, str], walk: Walk, base: str) -> dict[str, str]:
    """List each link that leads to a listed file as a file; return where those files really are."""
    real = {}
    regular = dict(files)
    for link in targets:
        to = follow(link, targets)
        if (entry := regular.get(to)) is None:
            walk.loose.append(link)
            continue
        files[link] = Entry(link, entry.size, entry.executable)
        real[link] = f"{base}/{to}" if base else to
    return real


def _meant(shown: str) -> str:
    folder, sign, inside = shown.partition("#")
    if sign and Path(folder).is_dir():
        return f"# goes with a Git URL; of a folder say: {escape(folder)} --context-dir {escape(inside)}"
    host = shown.partition("/")[0]
    return (
        f"for a Git repository, put https:// in front: https://{escape(shown)}"
        if "." in host and host.strip(".")
        else ""
    )
