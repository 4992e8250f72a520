"""Which commit a local folder is at, read from its .git without trusting a word of what is configured there."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from s2i.errors import S2IError
from s2i.sources.limits import Limits
from s2i.sources.tree import Notice, Tree
from s2i.sources.workspace import workspace

if TYPE_CHECKING:
    from s2i.sources import git

SECONDS = 5.0


def with_commit(tree: Tree) -> Tree:
    """Return ``tree`` with the commit and time of its folder's HEAD in its origin, where they can be read.

    For what is built and labelled; planning does without. Files may have changed since that commit. Runs git once.
    A .git that is a file (a worktree, a submodule) is not followed. Notices: W_OWNER, W_COMMIT.
    """
    folder = tree.anchor / ".git"
    try:
        info = folder.lstat()
    except OSError:
        return tree
    if tree.origin.kind != "folder" or not stat.S_ISDIR(info.st_mode):
        return tree
    from s2i.sources import git  # starts processes: a folder that is no repository needs none

    notices = []
    if info.st_uid != os.geteuid():
        notices.append(Notice("W_OWNER", "the Git repository belongs to another user: only its commit is read", ".git"))
    try:
        # No work tree, no index, no network, no history: the plumbing that runs none of what a configuration can name.
        with workspace("commit") as work:
            found = read(git.Site(work, Limits(seconds=SECONDS)), folder, "HEAD")
    except S2IError as error:
        return tree.noted(Notice("W_COMMIT", f"the commit cannot be read: {error.message}", ".git"), *notices)
    if not found:
        return tree.noted(Notice("W_COMMIT", "the commit cannot be read; the image will not name it", ".git"), *notices)
    commit, time = found
    return tree.noted(*notices, origin=msgspec.structs.replace(tree.origin, commit=commit, time=time))


def read(site: git.Site, repository: Path, name: str) -> tuple[str, int] | None:
    """Return the id and the time of the commit ``name`` in ``repository``, None when it is none."""
    from s2i.sources import git

    done = git.run(site, f"--git-dir={repository}", "cat-file", "--batch", stdin=name.encode() + b"\n", limit=1 << 20)
    header, _, text = done.out.partition(b"\n")
    about = re.fullmatch(rb"([0-9a-f]{40,64}) commit \d+", header)
    committer = re.search(rb"^committer [^\n]*> (\d{1,12}) [+-]\d{4}$", text.partition(b"\n\n")[0], re.MULTILINE)
    return (about[1].decode(), int(committer[1])) if about and committer else None
