"""Archives that people send: what a folder holds comes out as it was, and what should not be there comes not at all."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.sources import archive, local
from s2i.sources.limits import Limits

LIMITS = Limits(files=50, size=4 << 20)


def packed(folder: Path) -> io.BytesIO:
    file = io.BytesIO()
    archive.pack(local.listing(str(folder)), file)
    file.seek(0)
    return file


def made(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=form) as tar:
        for about, data in entries:
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    file.seek(0)
    return file


def entry(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    about = tarfile.TarInfo(name)
    about.type = kind
    for field, value in more.items():
        setattr(about, field, value)
    return about, data


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(file: io.BytesIO, folder: Path, limits: Limits = LIMITS) -> str:
    folder.mkdir(exist_ok=True)
    with pytest.raises(S2IError) as caught:
        archive.unpack(file, folder, limits)
    assert caught.value.code == "E_ARCHIVE"
    return caught.value.message.partition(": ")[2]


def test_a_folder_comes_out_as_a_build_would_see_it(tmp_path: Path) -> None:
    source, target = tmp_path / "src", tmp_path / "out"
    (source / "pkg").mkdir(parents=True)
    target.mkdir()
    (source / "app.py").write_text("x = 1\n")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o700)
    (source / "pkg" / ("é" * 60 + ".py")).write_text("")
    deep = source / "/".join(["d" * 50] * 5)
    deep.mkdir(parents=True)
    (deep / "x.txt").write_bytes(b"z" * 1000)
    (source / "link.py").symlink_to("app.py")
    (source / "out.py").symlink_to("/etc/passwd")
    (source / ".env").write_text("PASSWORD=canary")
    (source / ".gitignore").write_text("*.log\n")
    (source / "big.log").write_text("canary")
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("canary")
    count = archive.unpack(packed(source), target, LIMITS)
    found = files(target)
    assert count == len(found) == 6
    assert found["link.py"] == b"x = 1\n"
    assert not (target / "link.py").is_symlink()
    assert {"out.py", ".env", "big.log", ".git/config"} & found.keys() == set()
    assert (target / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (target / "app.py").stat().st_mode & 0o777 == 0o644
    again = [one.path for one in local.listing(str(target)).files]
    assert again == [one.path for one in local.listing(str(source)).files]


def test_a_file_that_is_named_with_a_mark_is_sent_though_it_looks_secret(tmp_path: Path) -> None:
    source, target = tmp_path / "src", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / ".env").write_text("DEBUG=1")
    (source / ".s2iignore").write_text("!.env\n")
    archive.unpack(packed(source), target, LIMITS)
    assert [one.path for one in local.listing(str(target)).files] == [".env", ".s2iignore"]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_other_programs_are_read(tmp_path: Path, form: int) -> None:
    out = tmp_path / "out"
    out.mkdir()
    name = "a" * 90 + "/" + "b" * 90
    root = "./" if form == tarfile.GNU_FORMAT else "."
    file = made(entry(root, tarfile.DIRTYPE), entry(name, data=b"1"), entry("x/é", data=b"2"), form=form)
    archive.unpack(file, out, LIMITS)
    assert files(out) == {name: b"1", "x/é": b"2"}


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (lambda: made(entry("../x", data=b"1")), "../x leads out of it, or is no plain path"),
        (lambda: made(entry("a/../../x", data=b"1")), "a/../../x leads out of it, or is no plain path"),
        (lambda: made(entry("/etc/x", data=b"1")), "/etc/x leads out of it, or is no plain path"),
        (lambda: made(entry("a\\b", data=b"1")), "a\\b leads out of it, or is no plain path"),
        (lambda: made(entry("a//b", data=b"1")), "a//b leads out of it, or is no plain path"),
        (lambda: made(entry("l", tarfile.SYMTYPE, linkname="/etc/passwd")), "l is neither a file nor a folder"),
        (lambda: made(entry("l", tarfile.LNKTYPE, linkname="/etc/passwd")), "l is neither a file nor a folder"),
        (lambda: made(entry("d", tarfile.CHRTYPE)), "d is neither a file nor a folder"),
        (lambda: made(entry("d", tarfile.BLKTYPE)), "d is neither a file nor a folder"),
        (lambda: made(entry("d", tarfile.FIFOTYPE)), "d is neither a file nor a folder"),
        (lambda: made(entry("s", tarfile.GNUTYPE_SPARSE)), "s is neither a file nor a folder"),
        (lambda: made(entry("a", data=b"1"), entry("a", data=b"2")), "a is in it twice"),
        (lambda: made(entry("a", data=b"1"), entry("a/b", data=b"2")), "Not a directory"),
        (lambda: made(entry("e\u0301", data=b"1"), entry("\u00e9", data=b"2")), "\u00e9 is in it twice"),
        (lambda: made(entry(".git/hooks/x", data=b"1")), ".git/hooks/x is of a Git repository, which is never sent"),
        (lambda: made(entry("a/.GIT/x", data=b"1")), "a/.GIT/x is of a Git repository, which is never sent"),
        (lambda: made(entry("a\nb", data=b"1")), "a\\nb has a control character"),
        (lambda: made(entry("n" * 300, data=b"1")), None),
        (lambda: made(*[entry(f"f{n}", data=b"") for n in range(51)]), "it holds more than 50 files"),
        (lambda: made(*[entry(f"d{n}", tarfile.DIRTYPE) for n in range(200)]), "it holds more than 50 files"),
        (lambda: made(entry("a", data=os.urandom(5 << 20))), "it holds more than 4 MB"),
        (lambda: io.BytesIO(b"no archive"), None),
        (lambda: io.BytesIO(b""), "it ends too early"),
        (lambda: io.BytesIO(gzip.compress(bytes(1 << 20))), "it holds no file"),
        (lambda: made(entry("d", tarfile.DIRTYPE)), "it holds no file"),
        (lambda: io.BytesIO(made(entry("a", data=os.urandom(9999))).getvalue()[:5000]), "it ends too early"),
        (lambda: io.BytesIO(gzip.compress(b"x" * 512)), None),
        (lambda: io.BytesIO(gzip.compress(tarfile.TarInfo("a").tobuf()[:300])), "it ends too early"),
    ],
)
def test_what_should_not_be_in_an_archive_is_refused_and_nothing_is_outside(
    tmp_path: Path, file: Callable[[], io.BytesIO], why: str | None
) -> None:
    said = refused(file(), tmp_path / "out")
    assert why is None or said == why
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_grows_without_end_stops_before_it_costs_much(tmp_path: Path) -> None:
    about = tarfile.TarInfo("zeros")
    about.size = 512 << 20
    bomb = io.BytesIO(gzip.compress(about.tobuf() + bytes(64 << 20)))
    assert refused(bomb, tmp_path / "out", Limits(size=1 << 30)) == "it grows to more than 200 times its size"
    kept = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert kept <= 200 * len(bomb.getvalue()) + (2 << 20)


def test_a_header_that_claims_much_is_not_believed(tmp_path: Path) -> None:
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        about = tarfile.TarInfo("x")
        about.type, about.size = kind, 1 << 30
        assert refused(io.BytesIO(gzip.compress(about.tobuf())), tmp_path / "out") == "a name in it is too long"


def test_a_link_that_is_in_the_way_is_not_followed(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    (out / "a").symlink_to(other)
    with pytest.raises(S2IError):
        archive.unpack(made(entry("a/x", data=b"1")), out, LIMITS)
    assert list(other.iterdir()) == []
