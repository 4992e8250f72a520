"""Which commit a local folder is at, read from its .git without trusting a word of what is configured there."""

from __future__ import annotations

import os
import re
import stat

import msgspec

from s2i.errors import S2IError
from s2i.sources import git
from s2i.sources.limits import Limits
from s2i.sources.tree import Notice, Tree
from s2i.sources.workspace import workspace

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
    notices = []
    if info.st_uid != os.geteuid():
        notices.append(Notice("W_OWNER", "the Git repository belongs to another user: only its commit is read", ".git"))
    try:
        # No work tree, no index, no network, no history: the plumbing that runs none of what a configuration can name.
        with workspace("commit") as work:
            site = git.Site(work, Limits())
            arguments = (f"--git-dir={folder}", "cat-file", "--batch")
            done = git.run(site, *arguments, stdin=b"HEAD\n", limit=1 << 20, seconds=SECONDS)
    except S2IError as error:
        return tree.noted(Notice("W_COMMIT", f"the commit cannot be read: {error.message}", ".git"), *notices)
    found = re.match(
        rb"([0-9a-f]{40,64}) commit \d+\n.*?^committer [^\n]*> (\d+) [+-]\d{4}$", done.out, re.DOTALL | re.M
    )
    if not found:
        return tree.noted(Notice("W_COMMIT", "the commit cannot be read; the image will not name it", ".git"), *notices)
    origin = msgspec.structs.replace(tree.origin, commit=found[1].decode(), time=int(found[2]))
    return tree.noted(*notices, origin=origin)
