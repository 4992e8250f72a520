"""Fetch one commit of a Git repository into a private folder, count it, then check it out."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import threading
from collections.abc import Iterator

import msgspec

from s2i.errors import (
    E_COMMIT_MISSING,
    E_EMPTY,
    E_GIT,
    E_GIT_EMPTY,
    E_GIT_OLD,
    E_REF_MISSING,
    E_SUBDIR,
    E_TOO_MANY_FILES,
    E_TREE_TOO_BIG,
    escape,
)
from s2i.sources import faults, git, local
from s2i.sources.commit import read
from s2i.sources.limits import Limits
from s2i.sources.policy import Policy
from s2i.sources.source import Git
from s2i.sources.tree import Notice, Origin, Tree
from s2i.sources.workspace import workspace

HELD = "refs/s2i/source"  # what was fetched, in our repository
PINS_SINCE = (2, 37)  # http.curloptResolve
BYTES_AN_ENTRY = 400  # of the listing: 60 and the path
LFS_MARK = b"version https://git-lfs.github.com/spec/"
_SMALLER = "name a folder of the repository, after # or with --context-dir"


class Wanted(msgspec.Struct, frozen=True):
    """What to fetch: the full name of a reference, or a commit; ``digits`` of an object id: 40, or 64 (SHA-256)."""

    name: str
    ref: str
    digits: int = 40
    notices: tuple[Notice, ...] = ()


class Listed(msgspec.Struct, frozen=True):
    """What a commit holds: the number of files, which of its paths are links, and which are submodules."""

    files: int
    links: frozenset[str]
    submodules: tuple[str, ...]


@contextlib.contextmanager
def checkout(source: Git, policy: Policy, limits: Limits, cancelled: threading.Event | None = None) -> Iterator[Tree]:
    """Hold a checkout of ``source`` for the block. Nothing of it is left afterwards.

    Raises E_URL… and E_REF (exit 2), E_GIT_UNREACHABLE and E_GIT_TIMEOUT (75), the other E_GIT_…, E_REF_MISSING,
    E_COMMIT_MISSING, E_SUBDIR (3), and what local.listing raises.
    """
    remote = git.Remote.of(source.url, policy.admit(source.url), network=policy.network)
    with workspace("git") as work:
        site = git.Site(work, limits, remote, cancelled)
        if remote.pin:
            _check_version(site)
        wanted = Wanted(source.commit, source.ref, len(source.commit)) if source.commit else _find(site, source)
        commit, time = _fetch(site, wanted, source)
        listed = _count(site, source, commit)
        _check_out(site, source, commit)
        origin = Origin("git", source.url, wanted.ref, commit, source.subdir, time)
        tree = local.contents(site.checkout, origin, limits, shown=source.url, git=True, links=listed.links)
        yield tree.noted(*wanted.notices, *_about(listed, tree))


def _find(site: git.Site, source: Git) -> Wanted:
    """Ask the server for the branch, the tag, or what its HEAD points at. A branch wins over a tag of its name."""
    names = [f"refs/heads/{source.ref}", f"refs/tags/{source.ref}", source.ref] if source.ref else ["HEAD"]
    ids, symbolic = _ask(site, "--symref", "--", source.url, *names)
    found = [name for name in names if name in ids]
    if not found:
        raise _missing(site, source)
    ref = source.ref or symbolic.get("HEAD", "").removeprefix("refs/heads/")
    notices = []
    if len(found) > 1 and ids[found[0]] != ids[found[1]]:
        text = (
            f"{source.ref} is a branch and a tag, with different commits: the branch is used (@{found[1]} is the tag)"
        )
        notices.append(Notice("W_REF_AMBIGUOUS", text))
    return Wanted(found[0], ref, len(ids[found[0]]), tuple(notices))


def _ask(site: git.Site, *arguments: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return what ls-remote says: object ids by reference, and the targets of symbolic references."""
    done = git.run(site, "ls-remote", *arguments, talks=True, seconds=min(git.METADATA_SECONDS, site.limits.seconds))
    assert site.remote
    if done.code and not done.cut:
        raise faults.explain(done, site.remote, site.limits)
    ids, symbolic = {}, {}
    for line in done.out.decode("utf-8", "surrogateescape").split("\n"):
        value, tab, name = line.partition("\t")
        if value.startswith("ref: "):
            symbolic[name] = value.removeprefix("ref: ")
        elif tab:
            ids[name] = value
    return ids, symbolic


def _missing(site: git.Site, source: Git) -> Exception:
    ids, _ = _ask(site, "--heads", "--tags", "--refs", "--", source.url)
    if not ids:
        return E_GIT_EMPTY(url=source.url)
    names = list(dict.fromkeys(name.split("/", 2)[2] for name in ids))
    near = difflib.get_close_matches(source.ref, names[:5000], 5, 0.5)
    shown = ", ".join(escape(name, 60) for name in near or names[:5])
    text = f"; near it: {shown}" if near else f"; there is: {shown}"
    return E_REF_MISSING(ref=source.ref or "HEAD", url=source.url, near=text)


def _fetch(site: git.Site, wanted: Wanted, source: Git) -> tuple[str, int]:
    """Fetch one commit without its history; return its id and time."""
    assert site.remote
    kind = "sha256" if wanted.digits == 64 else "sha1"
    repository = f"--git-dir={site.repository}"
    done = git.run(site, "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(site.repository))
    if done.code == 0:
        refspec = f"+{wanted.name}:{HELD}"
        options = ("--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--quiet")
        done = git.run(site, repository, "fetch", *options, "--", source.url, refspec, talks=True)
    if done.code:
        raise faults.explain(done, site.remote, site.limits, source.commit)
    if not (found := read(site, site.repository, f"{HELD}^{{commit}}")):
        raise E_GIT(url=source.url, why=f"{wanted.name} is no commit")
    if source.commit and found[0] != source.commit:
        raise E_COMMIT_MISSING(url=source.url, commit=source.commit, why="it is a tag object, not a commit")
    return found


def _count(site: git.Site, source: Git, commit: str) -> Listed:
    """Count what a checkout would write, before it writes anything: a few objects can stand for 10^10 files."""
    limits = site.limits
    where = ("--", f"{source.subdir}/") if source.subdir else ()
    arguments = (f"--git-dir={site.repository}", "ls-tree", "-r", "-z", "-l", "--full-tree", commit, *where)
    done = git.run(site, *arguments, limit=BYTES_AN_ENTRY * (limits.files + 1))
    entries = done.out.split(b"\0")[:-1]
    if done.cut or len(entries) > limits.files:
        count = f"more than {min(len(entries), limits.files):,}"
        raise E_TOO_MANY_FILES(count=count, limit=f"{limits.files:,}", most="", advice=_SMALLER)
    if done.code:
        raise E_GIT(url=source.url, why="its tree cannot be listed")
    size, links, submodules = 0, set(), []
    for entry in entries:
        about, _, name = entry.partition(b"\t")
        mode, _, _, length = about.split()
        path = os.fsdecode(name)
        if mode == b"160000":
            submodules.append(path)
            continue
        if mode == b"120000":
            links.add(path)
        size += int(length)
    if size > limits.size:
        raise E_TREE_TOO_BIG(size=f"{size:,}", limit=f"{limits.size:,}", most="", advice=_SMALLER)
    if len(entries) == len(submodules):
        raise _nothing(site, source, commit)
    return Listed(len(entries) - len(submodules), frozenset(links), tuple(submodules))


def _nothing(site: git.Site, source: Git, commit: str) -> Exception:
    if not source.subdir:
        return E_EMPTY(path=source.url)
    done = git.run(site, f"--git-dir={site.repository}", "ls-tree", "-d", "-z", "--name-only", "--full-tree", commit)
    names = [os.fsdecode(name) for name in done.out.split(b"\0")[:-1]][:20]
    shown = ", ".join(escape(name, 60) for name in names)
    return E_SUBDIR(subdir=source.subdir, place=source.url, folders=f"; folders there: {shown}" if names else "")


def _check_out(site: git.Site, source: Git, commit: str) -> None:
    assert site.remote
    site.checkout.mkdir()
    places = (f"--git-dir={site.repository}", f"--work-tree={site.checkout}")
    done = git.run(site, *places, "checkout", "--force", "--quiet", commit, "--", str(site.checkout / source.subdir))
    if done.code:
        raise faults.explain(done, site.remote, site.limits)


def _about(listed: Listed, tree: Tree) -> Iterator[Notice]:
    if listed.submodules:
        names = ", ".join(escape(path, 80) for path in listed.submodules[:8])
        text = f"submodules are not fetched, their folders are empty: {names}"
        yield Notice("W_SUBMODULE", text, ".gitmodules")
    # A pointer has some 130 bytes: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    small = (entry.path for entry in tree.files if 100 < entry.size < 200)
    if pointers := [path for path in small if tree.read(path).startswith(LFS_MARK)]:
        names = ", ".join(escape(path, 80) for path in pointers[:8])
        yield Notice("W_LFS", f"Git LFS is not used: these are pointers, without their content: {names}", pointers[0])


def _check_version(site: git.Site) -> None:
    done = git.run(site, "version")
    match = re.match(rb"git version (\d+)\.(\d+)", done.out)  # what follows differs by vendor
    if not match or (int(match[1]), int(match[2])) < PINS_SINCE:
        raise E_GIT_OLD(version=done.out.decode("utf-8", "replace").strip().removeprefix("git version "))
