"""A Python that pyenv built: what of it goes into an image, and that no path of this machine does."""

import os
import tomllib
from pathlib import Path

import msgspec
import pytest

from s2i import shell
from s2i.errors import S2IError
from s2i.images.bases import debian, installed
from s2i.images.bases.machine import Way

OLD = b"/home/alexander/.pyenv/versions/3.8.18"
PARTS = msgspec.convert(tomllib.loads((debian.HERE / "recipe.toml").read_text())["installed"], installed.Parts)


def test_text_is_moved_wherever_it_names_the_old_folder() -> None:
    assert installed.moved(b"CC = gcc -L%s/lib -I%s/include" % (OLD, OLD), OLD) == (
        b"CC = gcc -L/usr/local/lib -I/usr/local/include"
    )


def test_a_string_in_a_binary_keeps_its_room() -> None:
    data = b"\x7fELF\0" + OLD + b"/lib\0next\0"
    made = installed.moved(data, OLD)
    assert (len(made), made[:20], made[-6:]) == (len(data), b"\x7fELF\0/usr/local/lib\0", b"\0next\0")
    assert b"alexander" not in made


def test_the_end_of_a_string_which_another_may_share_stays_in_its_place() -> None:
    data = b"\0" + OLD + b"\0"
    made = installed.moved(data, OLD)
    assert made.startswith(b"\0/usr/local\0")
    assert made[data.index(b"3.8.18") :] == b"3.8.18\0"


def test_a_search_path_of_many_folders_is_moved_as_a_whole() -> None:
    data = b"\0" + OLD + b"/lib/python38.zip:" + OLD + b"/lib/python3.8\0"
    made = installed.moved(data, OLD)
    assert made.startswith(b"\0/usr/local/lib/python38.zip:/usr/local/lib/python3.8\0")
    assert len(made) == len(data)


def test_a_file_that_does_not_name_the_old_folder_is_the_same() -> None:
    assert installed.moved(b"\0/usr/lib\0", OLD) == b"\0/usr/lib\0"
    assert installed.moved(b"\0/usr/lib\0", b"") == b"\0/usr/lib\0"


@pytest.fixture
def pyenv(tmp_path: Path) -> Path:
    """Return a folder laid out as pyenv leaves it."""
    folder = tmp_path / "versions/3.8.18"
    for path in (
        "bin/pip", "bin/python3.8", "bin/python3.8-config", "bin/python3.8-gdb.py", "include/python3.8/Python.h",
        "lib/libpython3.8.so.1.0", "lib/python3.8/os.py", "lib/python3.8/__pycache__/os.pyc", "lib/python3.8/test/a.py",
        "lib/python3.8/json/tests/a.py", "lib/python3.8/ensurepip/a.py", "lib/python3.8/site-packages/machine.pth",
        "lib/python3.8/lib-dynload/_tkinter.so", "lib/python3.8/lib-dynload/_ssl.so", "lib/python3.8/config-3.8/lib.a",
        "share/man/python.1",
    ):  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    (folder / "bin/python3.8").chmod(0o755)
    (folder / "bin/python3").symlink_to("python3.8")
    (folder / "lib/libpython3.8.so").symlink_to("libpython3.8.so.1.0")
    (folder / "lib/python3.8/_sysconfigdata__linux.py").write_text(f"build = {{'prefix': '{folder}', 'N': 1}}\n")
    return folder


def test_an_installation_is_cut_down_to_what_an_image_needs(pyenv: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    installed.lay_out(pyenv, PARTS, target, 1_700_000_000)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir()) == [
        "bin/python",
        "bin/python3",
        "bin/python3.8",
        "bin/python3.8-config",
        "include/python3.8/Python.h",
        "lib/libpython3.8.so",
        "lib/libpython3.8.so.1.0",
        "lib/python3.8/_sysconfigdata__linux.py",
        "lib/python3.8/ensurepip/a.py",
        "lib/python3.8/lib-dynload/_ssl.so",
        "lib/python3.8/os.py",
    ]
    assert (target / "lib/python3.8/site-packages").is_dir()
    assert (target / "bin/python").readlink() == Path("python3.8")
    assert (target / "lib/libpython3.8.so").readlink() == Path("libpython3.8.so.1.0")


def test_what_is_laid_out_names_the_new_place_and_has_one_time_and_two_modes(pyenv: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    installed.lay_out(pyenv, PARTS, target, 1_700_000_000)
    assert (
        target / "lib/python3.8/_sysconfigdata__linux.py"
    ).read_text() == "build = {'prefix': '/usr/local', 'N': 1}\n"
    files = [path.lstat() for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {int(found.st_mtime) for found in files} == {1_700_000_000}
    assert {found.st_mode & 0o777 for found in files} == {0o644, 0o755}
    assert os.access(target / "bin/python3.8", os.X_OK)


def test_a_python_of_the_distribution_is_not_rewritten(pyenv: Path, tmp_path: Path) -> None:
    (pyenv / "lib/python3.8/_sysconfigdata__linux.py").write_text("build = {'prefix': '/usr'}\n")
    (pyenv / "lib/python3.8/os.py").write_text("# /usr/lib\n")
    installed.lay_out(pyenv, PARTS, tmp_path / "target", 0)
    assert (tmp_path / "target/lib/python3.8/os.py").read_text() == "# /usr/lib\n"


LDD = b"""/x/_ssl.so:
\tlinux-vdso.so.1 (0x7ffc)
\tlibssl.so.3 => /lib/x86_64-linux-gnu/libssl.so.3 (0x7f)
\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x7f)
\tlibpython3.8.so.1.0 => /usr/local/lib/libpython3.8.so.1.0 (0x7f)
\tlibgone.so.1 => not found
"""


def packages(monkeypatch: pytest.MonkeyPatch, root: Path, owners: bytes) -> tuple[str, ...]:
    (root / "_ssl.so").write_bytes(b"\x7fELF...")
    (root / "os.py").write_bytes(b"import sys")
    said = {"ldd": LDD, "dpkg-query": owners}
    monkeypatch.setattr(installed.shell, "run", lambda argv, timeout: shell.Completed(1, said[argv[0]], b""))
    return installed.packages("3.8", root)


def test_the_libraries_that_it_needs_are_told_by_their_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    owners = b"libssl3:amd64: /usr/lib/x86_64-linux-gnu/libssl.so.3\nzlib1g:amd64: /lib/x86_64-linux-gnu/libz.so.1\n"
    assert packages(monkeypatch, tmp_path, owners) == ("libssl3", "zlib1g")


def test_a_library_of_no_package_stops_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(S2IError) as caught:
        packages(monkeypatch, tmp_path, b"zlib1g:amd64: /lib/x86_64-linux-gnu/libz.so.1\n")
    assert caught.value.message.endswith(
        "it needs /lib/x86_64-linux-gnu/libssl.so.3, which no Debian package of this machine has"
    )


def test_the_build_base_of_an_installed_python_stands_on_debians_own() -> None:
    way = Way("3.8", "bookworm", (), "/v/3.8.18")
    text = installed.dockerfile(way, "s2i.local/python-build:3.11", ("libssl3", "zlib1g"), "installed-1")
    assert text == (
        "FROM s2i.local/python-build:3.11\n"
        "COPY python /usr/local\n"
        "RUN dpkg-query --show libssl3 zlib1g >/dev/null 2>&1 || { apt-get update && \\\n"
        "    apt-get install --yes --no-install-recommends libssl3 zlib1g && rm -rf /var/lib/apt/lists/*; }\n"
        "RUN ldconfig && /usr/local/bin/python3 -m compileall -q -j 0 /usr/local/lib/python3.8\n"
        "LABEL s2i.base=3.8 s2i.base.recipe=installed-1\n"
    )
