"""The tree reads what it lists, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.sources import Tree, beneath
from s2i.sources.local import listing
from s2i.sources.tree import STAGED_TIME


def tree_of(folder: Path, **files: bytes) -> Tree:
    for name, content in files.items():
        (folder / name.replace("__", "/")).parent.mkdir(parents=True, exist_ok=True)
        (folder / name.replace("__", "/")).write_bytes(content)
    return listing(str(folder))


def refusal(tree: Tree, path: str, limit: int = 1 << 20) -> S2IError:
    with pytest.raises(S2IError) as caught:
        tree.text(path, limit)
    return caught.value


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def test_a_file_over_the_limit_is_not_read(app: Path) -> None:
    tree = tree_of(app, a=b"12345")
    assert tree.read("a", 5) == b"12345"
    error = refusal(tree, "a", 4)
    assert (error.code, error.exit) == ("E_FILE_TOO_BIG", 3)
    assert str(error) == "a has 5 bytes; at most 4 are read of such a file"


def test_a_file_that_grew_is_judged_as_it_is_now(app: Path) -> None:
    tree = tree_of(app, a=b"1")
    (app / "a").write_bytes(b"x" * 100)
    assert refusal(tree, "a", 50).code == "E_FILE_TOO_BIG"


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "a/../../secret"])
def test_a_path_out_of_the_tree_is_refused(app: Path, path: str) -> None:
    (app.parent / "secret").write_text("canary")
    assert refusal(tree_of(app, a=b""), path).code == "E_PATH_ESCAPE"


def test_a_path_that_is_not_listed_is_refused(app: Path) -> None:
    assert refusal(tree_of(app, a=b""), "b").code == "E_NO_SUCH_FILE"


def test_a_link_that_is_swapped_in_later_does_not_escape(app: Path) -> None:
    tree = tree_of(app, a=b"", d__b=b"")
    (app.parent / "out").mkdir()
    (app.parent / "out/b").write_text("canary")
    (app / "a").unlink()
    (app / "a").symlink_to("/etc/passwd")
    (app / "d/b").unlink()
    (app / "d").rmdir()
    (app / "d").symlink_to("../out")
    assert [refusal(tree, path).code for path in ("a", "d/b")] == ["E_PATH_ESCAPE", "E_PATH_ESCAPE"]


def test_what_changed_after_the_listing_is_an_error_and_no_hang(app: Path) -> None:
    tree = tree_of(app, a=b"", b=b"", c=b"")
    (app / "a").unlink()
    (app / "b").unlink()
    os.mkfifo(app / "b")
    (app / "c").unlink()
    (app / "c").mkdir()
    assert [refusal(tree, path).code for path in ("a", "b", "c")] == ["E_TREE_CHANGED"] * 3


def test_a_file_that_may_not_be_read_is_an_error(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_args: object, **_options: object) -> int:
        raise PermissionError(13, "Permission denied")

    tree = tree_of(app, a=b"")
    with monkeypatch.context() as patch:  # root may read everything: the system's answer is given here
        patch.setattr(os, "open", deny)
        error = refusal(tree, "a")
    assert (error.code, error.exit, str(error)) == ("E_PERMISSION", 3, "not permitted to read a")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xc3\xa9\r\n", "café\r\n"),
        (b"\xef\xbb\xbfx", "x"),
        (b"\xff\xfex\x00", "x"),
        (b"\xfe\xff\x00x", "x"),
        (b"", ""),
    ],
)
def test_text_is_utf8_or_has_a_byte_order_mark(app: Path, data: bytes, text: str) -> None:
    assert text == tree_of(app, a=data).text("a")


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b'x\ny="caf\xe9"\n', "a:2", "a is not UTF-8: byte 8 (0xe9) cannot be read"),
        (b"\xef\xbb\xbfab\xff", "a:1", "a is not UTF-8: byte 5 (0xff) cannot be read"),
        (b"\xff\xfex", "a:1", "a is not UTF-16: byte 2 (0x78) cannot be read"),
    ],
)
def test_text_of_another_encoding_is_refused_with_the_byte(app: Path, data: bytes, where: str, message: str) -> None:
    error = refusal(tree_of(app, a=data), "a")
    assert ("E_ENCODING", 3, where, message) == (error.code, error.exit, error.where, error.message)


def test_a_glob_keeps_to_one_folder_unless_told(app: Path) -> None:
    tree = tree_of(app, **{"a.py": b"", "d__b.py": b"", "d__e__c.py": b"", "d__x.txt": b""})
    assert list(tree.glob("*.py")) == ["a.py"]
    assert list(tree.glob("*/?.py")) == ["d/b.py"]
    assert list(tree.glob("**/*.py")) == ["a.py", "d/b.py", "d/e/c.py"]
    assert list(tree.glob("d/**")) == ["d/b.py", "d/e/c.py", "d/x.txt"]
    assert list(tree.glob("[a].py")) == []


def test_a_subtree_has_its_own_paths_and_cannot_leave_either(app: Path) -> None:
    tree = tree_of(app, a=b"1", d__b=b"22", d__e__c=b"333", dd=b"")
    (app / "d/l").symlink_to("../a")
    sub = listing(str(app)).subtree("d")
    assert list(sub.paths()) == ["b", "e/c", "l"]
    assert [sub.read(path) for path in sub.paths()] == [b"22", b"333", b"1"]
    assert (app / "d", "d") == (sub.root, sub.origin.subdir)
    assert [sub.subtree("e").read("c")] == [b"333"]
    assert [entry.path for entry in tree.under("d")] == ["d/b", "d/e/c"]
    assert list(tree.subtree("nope").paths()) == []


def test_a_digest_depends_on_paths_modes_and_bytes_only(app: Path, tmp_path: Path) -> None:
    first = tree_of(app, a=b"1", b=b"2").digest()
    os.utime(app / "a", (0, 0))
    assert first == listing(str(app)).digest()
    other = tmp_path / "other"
    assert first == tree_of(other, a=b"1", b=b"2").digest()
    different = [tree_of(other, a=b"12", b=b"").digest(), tree_of(other, a=b"1", b=b"2", c=b"").digest()]
    (app / "a").chmod(0o755)
    assert len({first, *different, listing(str(app)).digest()}) == 4


def test_staging_copies_what_is_listed_with_plain_modes_and_one_time(app: Path, tmp_path: Path) -> None:
    tree_of(app, a=b"1", d__b=b"22", d__e__c=b"333", old__x=b"", **{".env": b"canary"})
    (app / "d/link").symlink_to("../a")
    (app / "out").symlink_to("/etc/passwd")
    (app / "a").chmod(0o4711)
    os.utime(app / "d/b", (-2145916800, -2145916800))  # 1902
    os.utime(app / "old/x", (2**32, 2**32))  # 2106
    into = tmp_path / "into"
    into.mkdir(0o700)
    listing(str(app)).stage(into)
    found = sorted(path for path in into.rglob("*") if not path.is_dir())
    assert [str(path.relative_to(into)) for path in found] == ["a", "d/b", "d/e/c", "d/link", "old/x"]
    assert [path.read_bytes() for path in found] == [b"1", b"22", b"333", b"1", b""]
    assert [path.lstat().st_mode & 0o7777 for path in found] == [0o755, 0o644, 0o644, 0o755, 0o644]
    assert not any(path.is_symlink() for path in found)
    assert {STAGED_TIME} == {path.stat().st_mtime for path in [into, *into.rglob("*")]}


def test_staging_keeps_hostile_names_byte_for_byte(app: Path, tmp_path: Path) -> None:
    names = sorted([b"x\nRUN touch INJECTED", b"-rf", b"caf\xe9.py", b"$(id)`id`", b"n" * 255])
    for name in names:
        (app / os.fsdecode(name)).write_text("x")
    into = tmp_path / "into"
    into.mkdir()
    listing(str(app)).stage(into)
    assert names == sorted(os.fsencode(path.name) for path in into.iterdir())


def test_staging_a_file_that_vanished_says_so(app: Path, tmp_path: Path) -> None:
    tree = tree_of(app, a=b"", b=b"")
    (app / "b").unlink()
    (tmp_path / "into").mkdir()
    with pytest.raises(S2IError, match="b changed while the source was read: it is gone"):
        tree.stage(tmp_path / "into")


def test_staging_writes_through_no_link_in_its_folder(app: Path, tmp_path: Path) -> None:
    tree = tree_of(app, d__a=b"x")
    (tmp_path / "into").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "into/d").symlink_to("../elsewhere")
    with pytest.raises(OSError):
        tree.stage(tmp_path / "into")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_read_is_kept_and_a_smaller_limit_still_holds(app: Path) -> None:
    tree = tree_of(app, a=b"12345")
    assert tree.read("a") == b"12345"
    (app / "a").write_bytes(b"other")
    assert (tree.read("a"), tree.noted().read("a")) == (b"12345", b"12345")
    assert refusal(tree, "a", 4).code == "E_FILE_TOO_BIG"


def test_a_module_below_the_root_is_not_kept(app: Path) -> None:
    tree = tree_of(app, **{"d__m.py": b"1"})
    tree.read("d/m.py")
    (app / "d/m.py").write_bytes(b"2")
    assert tree.read("d/m.py") == b"2"


def test_a_file_without_a_size_of_its_own_is_read_to_its_end() -> None:
    file = os.open("/proc/self/stat", os.O_RDONLY)
    try:
        assert beneath.take(file, 0, 1 << 20).endswith(b"\n")
    finally:
        os.close(file)
