"""A workspace is private and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s2i import dirs
from s2i.sources.workspace import sweep, workspace


def test_a_workspace_is_private_and_gone_afterwards() -> None:
    with workspace("test") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "a").mkdir()
        (folder / "a/b").write_text("x")
    assert list((dirs.cache() / "work").iterdir()) == []


def test_a_workspace_is_gone_after_ctrl_c() -> None:
    made = []

    def work() -> None:
        with workspace("test") as folder:
            made.append(folder)
            (folder / "a").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert [folder.exists() for folder in made] == [False]


def test_removing_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep/file").write_text("x")
    with workspace("test") as folder:
        (folder / "to").symlink_to(tmp_path / "keep")
        (folder / "deeper").mkdir(0o000)
        (folder / "deeper").chmod(0o700)
        (folder / "deeper/to").symlink_to(tmp_path / "keep")
        (folder / "deeper").chmod(0o500)
    assert (tmp_path / "keep/file").exists()
    assert not folder.exists()


def test_removing_goes_as_deep_as_it_must() -> None:
    with workspace("test") as folder:
        here = os.open(folder, os.O_RDONLY)
        for _ in range(1500):
            for name in ("a-long-name", "another"):
                os.mkdir(name, dir_fd=here)
            below = os.open("a-long-name", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
    assert not folder.exists()


def test_sweeping_takes_what_a_killed_process_left_and_nothing_that_is_held() -> None:
    with workspace("test") as held:
        left = held.parent / "git-left"
        (left / "a").mkdir(parents=True)
        young = held.parent / "git-young"
        young.mkdir()
        for folder in (held, left):
            os.utime(folder, (1_000, 1_000))
        os.utime(young, (2_000, 2_000))
        assert sweep(2_000.5) == 1
        assert [held.exists(), left.exists(), young.exists()] == [True, False, True]


def test_a_workspace_first_removes_what_a_killed_process_left() -> None:
    left = dirs.make_private(dirs.cache() / "work") / "build-left"
    left.mkdir()
    os.utime(left, (1_000, 1_000))
    with workspace("test") as folder:
        assert list(folder.parent.iterdir()) == [folder]
