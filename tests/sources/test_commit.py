"""The commit of a local folder is read without running anything that its .git names."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from git_http import commit, git, repository

from s2i import shell
from s2i.sources import Tree
from s2i.sources.commit import with_commit
from s2i.sources.local import listing

pytestmark = pytest.mark.world

TIME = 1_700_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "r", {"app.py": "x = 1\n", "sub/a.py": "y\n"})


def of(folder: Path, subdir: str = "") -> Tree:
    return with_commit(listing(str(folder), subdir))


def codes(tree: Tree) -> list[str]:
    return [notice.code for notice in tree.notices]


def test_a_commit_and_its_time_are_read(folder: Path) -> None:
    head = git(folder, "rev-parse", "HEAD")
    tree = of(folder)
    assert (tree.origin.commit, tree.origin.time, tree.notices) == (head, TIME, ())
    assert list(tree.paths()) == ["app.py", "sub/a.py"]
    assert tree.text("app.py") == "x = 1\n"
    assert of(folder, "sub").origin.commit == head


def test_a_sha256_commit_is_read(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"app.py": "x\n"}, "--object-format=sha256")
    assert of(folder).origin.commit == git(folder, "rev-parse", "HEAD")


def test_listing_alone_runs_no_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "run", lambda *_args, **_options: pytest.fail("git was run"))
    assert listing(str(folder)).origin.commit == ""


def test_a_message_that_looks_like_a_header_is_not_believed(folder: Path) -> None:
    commit(folder, {}, "m\n\ncommitter evil <e@example.org> 1 +0000\n")
    assert of(folder).origin.time == TIME


def _configure(key: str, value: str) -> Callable[[Path, Path], None]:
    def do(folder: Path, canary: Path) -> None:
        git(folder, "config", key, value.format(canary=shlex.quote(str(canary))))

    return do


def _hook(folder: Path, canary: Path) -> None:
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = folder / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(canary))}\n")
        hook.chmod(0o755)


def _filter(folder: Path, canary: Path) -> None:
    _configure("filter.x.clean", "touch {canary}; cat")(folder, canary)
    (folder / ".gitattributes").write_text("* filter=x\n")
    os.utime(folder / "app.py", (TIME + 5, TIME + 5))


def _promisor(folder: Path, canary: Path) -> None:
    """Make HEAD a commit that is not there and could be fetched with a command of the configuration."""
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": "ssh://host.invalid/r",
        "core.sshCommand": f"touch {shlex.quote(str(canary))};",
        "protocol.allow": "always",
    }
    for key, value in settings.items():
        git(folder, "config", key, value)
    (folder / ".git/refs/heads/main").write_text("a" * 40 + "\n")


def _external(folder: Path, canary: Path) -> None:
    """As _promisor does, with git's own way to run a command as a transport."""
    _promisor(folder, canary)
    git(folder, "config", "remote.origin.url", f"ext::sh -c touch% {canary}")


@pytest.mark.parametrize(
    "do",
    [
        _configure("core.fsmonitor", "touch {canary}; false"),
        _configure("core.pager", "touch {canary};"),
        _configure("pager.cat-file", "touch {canary};"),
        _configure("core.sshCommand", "touch {canary};"),
        _configure("alias.cat-file", "!touch {canary}"),
        _configure("gpg.program", "{canary}"),
        _configure("core.editor", "touch {canary};"),
        _configure("core.worktree", "/"),
        _configure("include.path", "/etc/passwd"),
        _hook,
        _filter,
        _promisor,
        _external,
    ],
    ids=[
        "fsmonitor",
        "pager",
        "pager of the command",
        "ssh",
        "alias",
        "gpg",
        "editor",
        "work tree",
        "include",
        "hooks",
        "filter",
        "promisor",
        "external promisor",
    ],
)
def test_nothing_that_a_configuration_names_is_run(
    folder: Path, tmp_path: Path, do: Callable[[Path, Path], None]
) -> None:
    canary = tmp_path / "canary"
    before = sorted(str(path) for path in folder.rglob("*"))
    do(folder, canary)
    changed = sorted(str(path) for path in folder.rglob("*"))
    tree = of(folder)
    assert canary.exists() is False
    assert tree.text("app.py") == "x = 1\n"
    assert "root:x" not in str(tree.notices)
    assert sorted(str(path) for path in folder.rglob("*")) == changed
    assert set(before) <= set(changed)


def test_a_broken_index_and_a_stale_lock_are_no_matter(folder: Path) -> None:
    (folder / ".git/index.lock").touch()
    (folder / ".git/index").write_bytes(b"DIRC\0\0\0\2\0\0")
    assert of(folder).origin.commit == git(folder, "rev-parse", "HEAD")
    assert (folder / ".git/index.lock").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"ref: refs/heads/none\n", b"ref: ../../../../etc/passwd\n"])
def test_a_head_that_is_none_gives_a_notice_and_builds(folder: Path, content: bytes) -> None:
    (folder / ".git/HEAD").write_bytes(content)
    tree = of(folder)
    assert (tree.origin.commit, codes(tree)) == ("", ["W_COMMIT"])
    assert "root:x" not in str(tree.notices)


def test_a_git_file_is_not_followed(folder: Path) -> None:
    git(folder, "worktree", "add", "-q", "../wt", "-b", "wt")
    tree = of(folder.parent / "wt")
    assert (tree.origin.commit, list(tree.paths()), tree.notices) == ("", ["app.py", "sub/a.py"], ())


def test_a_git_folder_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "app.py").write_text("x")
    (other / ".git").symlink_to(folder / ".git")
    assert of(other).origin.commit == ""


def test_a_repository_of_another_user_is_read_and_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = git(folder, "rev-parse", "HEAD")
    tree = listing(str(folder))
    monkeypatch.setattr("s2i.sources.commit.os", SimpleNamespace(geteuid=lambda: 12345))
    tree = with_commit(tree)
    assert (tree.origin.commit, codes(tree)) == (head, ["W_OWNER"])


def test_without_git_a_folder_still_builds(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tree = of(folder)
    assert (tree.origin.commit, codes(tree)) == ("", ["W_COMMIT"])


def test_a_folder_without_a_repository_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x")
    tree = listing(str(tmp_path))
    assert with_commit(tree) is tree
