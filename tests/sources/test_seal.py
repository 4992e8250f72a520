"""Whether a source is still what was read of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from s2i.errors import S2IError
from s2i.sources import Tree, seal
from s2i.sources.local import listing


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "pages").mkdir(parents=True)
    (folder / "app.py").write_text("app = 1\n")
    (folder / "pages/index.html").write_text("<p>\n")
    (folder / "link.html").symlink_to("pages/index.html")
    return folder


def write(app: Path) -> None:
    (app / "app.py").write_text("app = 2\n")


def write_and_put_the_time_back(app: Path) -> None:
    file = app / "app.py"
    before = file.stat()
    file.write_text("app = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_below(app: Path) -> None:
    (app / "pages/index.html").write_text("<b>\n")


def append(app: Path) -> None:
    with (app / "app.py").open("a") as file:
        file.write("\n")


def put_another_in_its_place(app: Path) -> None:
    (app / "new").write_text("app = 2\n")
    (app / "new").replace(app / "app.py")


def put_a_link_in_its_place(app: Path) -> None:
    (app / "app.py").rename(app / "other.py")
    (app / "app.py").symlink_to("other.py")


def make_it_executable(app: Path) -> None:
    (app / "app.py").chmod(0o755)


def remove(app: Path) -> None:
    (app / "app.py").unlink()


def remove_its_folder(app: Path) -> None:
    (app / "pages/index.html").unlink()
    (app / "pages").rmdir()


CHANGES = [
    write, write_and_put_the_time_back, write_below, append, put_another_in_its_place, put_a_link_in_its_place,
    make_it_executable, remove, remove_its_folder,
]  # fmt: skip


@pytest.mark.parametrize("recent", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_and_without_one_there_is_none(
    change: Callable[[Path], None], recent: bool, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not recent:  # as if all had been written long ago: by its state alone
        monkeypatch.setattr(seal, "RECENT_NS", -(10**18))
    tree = listing(str(app))
    digest = tree.digest()
    assert tree.unchanged()
    change(app)
    assert (tree.unchanged(), tree.digest()) == (False, digest)


@pytest.mark.parametrize("change", [write, write_below, put_another_in_its_place])
def test_two_writes_within_one_tick_of_the_clock_are_told_apart(
    change: Callable[[Path], None], app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "state", lambda info: ())
    tree = listing(str(app))
    tree.digest()
    assert tree.unchanged()
    change(app)
    assert not tree.unchanged()


def test_what_cannot_be_read_any_more_is_told_as_when_it_is_read(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "state", lambda info: ())
    tree = listing(str(app))
    tree.digest()
    put_a_link_in_its_place(app)
    with pytest.raises(S2IError) as caught:
        tree.unchanged()
    assert caught.value.code == "E_PATH_ESCAPE"


def test_what_was_written_long_ago_is_not_read_again(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "RECENT_NS", -(10**18))
    tree = listing(str(app))
    tree.digest()

    def refuse(tree: Tree, path: str) -> NoReturn:
        raise AssertionError(path)

    monkeypatch.setattr(Tree, "_open", refuse)
    assert tree.unchanged()


def test_what_is_noted_of_a_tree_does_not_change_what_was_read(app: Path) -> None:
    tree = listing(str(app))
    noted = tree.noted()
    digest = tree.digest()
    write(app)
    assert (noted.digest(), noted.unchanged()) == (digest, False)
