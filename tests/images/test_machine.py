"""What a machine can make base images of, from its files alone."""

from pathlib import Path

import pytest

from s2i.images.bases import machine
from s2i.images.bases.machine import Machine, Way


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the root of a Debian 12 with apt and a pyenv."""
    write(tmp_path / "usr/bin/apt-get")
    write(tmp_path / "etc/os-release", 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian"\n')
    return tmp_path


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def build(root: Path, version: str, python: str) -> None:
    """Put what pyenv makes of ``version`` below ``root``."""
    write(root / f"pyenv/versions/{version}/bin/python{python}")
    write(root / f"pyenv/versions/{version}/lib/python{python}/os.py")


def look(root: Path, user: int = 0) -> Machine:
    return machine.look(root, {"PYENV_ROOT": f"{root}/pyenv", "HOME": "/nowhere"}, user)


def test_root_on_debian_makes_images_of_packages_and_of_what_pyenv_has(root: Path) -> None:
    build(root, "3.8.18", "3.8")
    build(root, "3.12.1", "3.12")
    installed = (("3.8", f"{root}/pyenv/versions/3.8.18"), ("3.12", f"{root}/pyenv/versions/3.12.1"))
    assert look(root) == Machine(True, "bookworm", installed)


def test_another_user_makes_none(root: Path) -> None:
    build(root, "3.8.18", "3.8")
    assert look(root, user=1000) == Machine()


def test_a_machine_with_neither_mmdebstrap_nor_apt_makes_none(root: Path) -> None:
    (root / "usr/bin/apt-get").unlink()
    assert look(root) == Machine()


@pytest.mark.parametrize("text", ["ID=ubuntu\nVERSION_CODENAME=noble\n", "ID=debian\n", None])
def test_on_a_release_that_is_not_debians_an_installed_python_has_nothing_to_stand_on(
    root: Path, text: str | None
) -> None:
    build(root, "3.8.18", "3.8")
    release = root / "etc/os-release"
    release.unlink() if text is None else release.write_text(text)
    assert look(root) == Machine(makes=True)


def test_the_newest_patch_counts_and_what_is_no_whole_python_does_not(root: Path) -> None:
    for version in ("3.10.9", "3.10.13"):
        build(root, version, "3.10")
    for name in ("2.7.18", "my-env", "3.13t-dev", "pypy3.10-7.3"):
        write(root / f"pyenv/versions/{name}/bin/python3")
    write(root / "pyenv/versions/3.12.1/bin/python3.12")  # its modules are gone
    assert look(root).installed == (("3.10", f"{root}/pyenv/versions/3.10.13"),)


def test_pyenv_is_looked_for_at_home_unless_its_variable_says_otherwise(root: Path) -> None:
    (root / "pyenv").mkdir()
    build(root, "3.8.18", "3.8")
    (root / "pyenv").rename(root / ".pyenv")
    assert machine.look(root, {"HOME": str(root)}, 0).installed == (("3.8", f"{root}/.pyenv/versions/3.8.18"),)
    assert machine.look(root, {}, 0).installed == ()


def test_debians_own_python_comes_before_an_installed_one() -> None:
    here = Machine(True, "trixie", (("3.8", "/v/3.8.18"), ("3.11", "/v/3.11.7")))
    assert machine.way("3.11", here) == Way("3.11", "bookworm", ("python3-distutils",))
    assert machine.way("3.8", here) == Way("3.8", "trixie", ("tzdata-legacy",), "/v/3.8.18")
    assert machine.way("3.12", here) is None
    assert machine.way("2.7", here) is None
    assert machine.way("3.11", Machine()) is None


def test_where_an_interpreter_is_depends_on_whose_it_is() -> None:
    debian, own = Way("3.13", "trixie"), Way("3.8", "bookworm", (), "/v/3.8.18")
    assert (debian.interpreter, debian.recipe, debian.origin) == ("/usr/bin/python3", "2", "Debian trixie's packages")
    assert (own.interpreter, own.recipe, own.origin) == ("/usr/local/bin/python3", "installed-1", "/v/3.8.18")
