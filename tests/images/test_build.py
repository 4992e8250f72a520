"""What an image says about its source, and how BuildKit sees that the source changed."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s2i.errors import S2IError
from s2i.images.build import _image, _room
from s2i.images.context import tell_apart
from s2i.sources import Entry, Origin, Tree


def tree(origin: Origin, root: Path = Path("/nowhere"), *names: str) -> Tree:
    return Tree(root, tuple(Entry(name, (root / name).stat().st_size) for name in names), origin)


def test_files_of_one_size_and_second_are_told_apart_by_their_content(tmp_path: Path) -> None:
    root, first, second = tmp_path / "root", tmp_path / "first", tmp_path / "second"
    for folder in (root, first, second):
        folder.mkdir()
    stamps = []
    for into, text in ((first, "Hello"), (second, "Jello")):
        (root / "app.py").write_text(text)
        source = tree(Origin("folder", str(root), time=1_704_164_645), root, "app.py")
        source.stage(into)
        tell_apart(source, into)
        stamps.append((into / "app.py").stat().st_mtime_ns)
    assert [stamp // 10**9 for stamp in stamps] == [1_704_164_645, 1_704_164_645]
    assert stamps[0] != stamps[1]


def test_a_full_disk_says_which_one(tmp_path: Path) -> None:
    with pytest.raises(S2IError) as caught, _room(tmp_path / "build-x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_DISK", 6)
    assert str(caught.value) == (
        f'the build failed at "copy the source": there is no room for a copy of the source in {tmp_path}'
    )


def test_an_image_that_would_work_in_a_folder_of_the_kernel_is_removed() -> None:
    removed: list[str] = []
    found = {"Id": "sha256:a", "Config": {"WorkingDir": "/proc/self/fd/8"}, "Size": 1}
    engine: Any = SimpleNamespace(get=lambda path, query: found, delete=lambda path, query: removed.append(path))
    reader: Any = SimpleNamespace(log=SimpleNamespace(steps=[]))
    with pytest.raises(S2IError) as caught:
        _image(engine, "sha256:a", (), reader, 1.0)
    assert (caught.value.code, removed) == ("E_DOCKERFILE", ["/images/sha256:a"])
