"""`s2i eject`: two files to keep, never over what is there, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from s2i.cli.dockerfile import dockerfile
from s2i.cli.eject import eject
from s2i.errors import S2IError
from s2i.images.bases import offer, table
from s2i.sources.dockerignore import HEAD

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
OURS = (table.local("3.11"), table.local("3.13"))


@pytest.fixture(autouse=True)
def _bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer, "offered", lambda: OURS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(FLASK)
    (folder / "requirements.txt").write_text("flask\n")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(eject, [str(word) for word in words], catch_exceptions=False, standalone_mode=False)


def refused(*words: object) -> S2IError:
    with pytest.raises(S2IError) as caught:
        run(*words)
    return caught.value


def test_it_writes_both_files_beside_the_code_on_bases_that_anybody_can_pull(source: Path) -> None:
    done = run(source)
    assert done.stdout == f"wrote {source}/Dockerfile\nwrote {source}/.dockerignore\n"
    assert done.stderr == (
        f"build it:  DOCKER_BUILDKIT=1 docker build -t NAME {source}\n"
        "then:      s2i goes on planning from the code, and says so; with `--strategy dockerfile` it builds this file\n"
    )
    text = (source / "Dockerfile").read_text()
    assert [line for line in text.splitlines() if line.startswith("FROM")] == [
        "FROM python:3.13-slim AS build",
        "FROM python:3.13-slim",
    ]
    assert "s2i.local" not in text
    assert (source / ".dockerignore").read_text().startswith(HEAD)


def test_the_python_is_the_one_that_a_build_here_would_take(source: Path) -> None:
    (source / ".python-version").write_text("3.11\n")
    run(source)
    assert "FROM python:3.11-slim\n" in (source / "Dockerfile").read_text()


def test_a_python_that_is_not_offered_here_can_be_pulled(source: Path) -> None:
    (source / ".python-version").write_text("3.12\n")
    (source / "s2i.toml").write_text('python = "3.12"\n')
    run(source)
    assert "FROM python:3.12-slim\n" in (source / "Dockerfile").read_text()


def test_the_bases_of_this_machine_are_taken_on_request(source: Path) -> None:
    run(source, "--base", "here")
    assert "FROM s2i.local/python:3.13\n" in (source / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_what_is_there_is_not_written_over_and_nothing_else_is_written(name: str, source: Path) -> None:
    (source / name).write_text("# mine\n")
    error = refused(source)
    assert (error.code, error.exit) == ("E_OVERWRITE", 2)
    assert str(error) == f"will not write {source}/{name}: it is there already"
    assert (source / name).read_text() == "# mine\n"
    assert {path.name for path in source.iterdir()} == {"app.py", "requirements.txt", name}


def test_force_takes_over_the_rules_that_were_there(source: Path) -> None:
    (source / ".dockerignore").write_text("# mine\n*.txt\n!requirements.txt\n")
    run(source, "--force")
    assert "# From .dockerignore.\n*.txt\n!requirements.txt\n" in (source / ".dockerignore").read_text()


def test_a_link_is_replaced_and_not_written_through(source: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (source / ".dockerignore").symlink_to(tmp_path / "elsewhere")
    assert refused(source).code == "E_OVERWRITE"
    run(source, "--force")
    assert (tmp_path / "elsewhere").read_text() == "kept"
    assert not (source / ".dockerignore").is_symlink()


def test_in_a_folder_of_their_own_the_rules_are_named_after_the_dockerfile(source: Path, tmp_path: Path) -> None:
    done = run(source, tmp_path / "out" / "docker")
    assert sorted(path.name for path in (tmp_path / "out" / "docker").iterdir()) == [
        "Dockerfile",
        "Dockerfile.dockerignore",
    ]
    assert f"docker build -t NAME -f {tmp_path}/out/docker/Dockerfile {source}\n" in done.stderr
    assert sorted(path.name for path in source.iterdir()) == ["app.py", "requirements.txt"]


def test_code_that_is_elsewhere_needs_a_folder_for_the_files() -> None:
    error = refused("https://git.example/someone/shop")
    assert (error.code, error.exit) == ("E_VALUE", 2)
    assert "s2i eject SRC DIR" in error.message


def test_the_files_stand_in_the_folder_that_is_built(source: Path) -> None:
    inner = source / "web"
    inner.mkdir()
    for name in ("app.py", "requirements.txt"):
        (source / name).rename(inner / name)
    (source / ".gitignore").write_text("/web/gen\n")
    done = run(source)
    assert done.stdout == f"wrote {inner}/Dockerfile\nwrote {inner}/.dockerignore\n"
    assert f"docker build -t NAME {inner}\n" in done.stderr
    assert "\n/gen\n" in (inner / ".dockerignore").read_text()


def test_a_folder_of_a_monorepo_gets_its_own(source: Path) -> None:
    done = run(source.parent, "--context-dir", "shop")
    assert done.stdout == f"wrote {source}/Dockerfile\nwrote {source}/.dockerignore\n"


def test_a_source_that_is_a_dockerfile_has_one_already(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM debian\n")
    error = refused(folder, "--force")
    assert (error.code, "needs no other" in error.message) == ("E_VALUE", True)


def test_what_is_ejected_can_be_planned_as_a_dockerfile_and_gives_the_same_again(source: Path) -> None:
    run(source)
    first = {name: (source / name).read_text() for name in ("Dockerfile", ".dockerignore")}
    run(source, "--force")
    assert {name: (source / name).read_text() for name in first} == first


def test_a_checkout_with_line_ends_of_windows_gives_the_same_rules(source: Path) -> None:
    (source / ".gitignore").write_bytes(b"*.log\n/out/\n")
    run(source)
    unix = (source / ".dockerignore").read_text()
    (source / ".gitignore").write_bytes(b"*.log\r\n/out/\r\n")
    run(source, "--force")
    assert (source / ".dockerignore").read_text() == unix


def test_the_dockerfile_is_printed_on_either_base(source: Path) -> None:
    here, there = (
        CliRunner().invoke(dockerfile, [str(source), *words], standalone_mode=False).stdout
        for words in ((), ("--base", "official"))
    )
    assert ("FROM s2i.local/python:3.13\n" in here, "--base official" in here) == (True, True)
    assert ("FROM python:3.13-slim\n" in there, "s2i.local" in there) == (True, False)
