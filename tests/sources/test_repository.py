"""What a source says to Git about itself is refused where Git, or Python, would be harmed by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.sources import Tree
from s2i.sources.local import listing

MODULE = '[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'


def tree_of(folder: Path, **files: str) -> Tree:
    (folder / "app.py").write_text("x = 1\n")
    for name, text in files.items():
        (folder / f".git{name}").write_text(text)
    return listing(str(folder))


def refusal(folder: Path, **files: str) -> S2IError:
    with pytest.raises(S2IError) as caught:
        tree_of(folder, **files)
    return caught.value


def submodule(name: str = "a", path: str = "a", url: str = "https://host/a") -> str:
    return MODULE.format(name=name, path=path, url=url)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"name": "../../x"}, "its name leads out of the repository"),
        ({"name": "a\\..\\b"}, "its name leads out of the repository"),
        ({"url": "-u./payload"}, "its url or path would be taken for an option"),
        ({"path": "-rf"}, "its url or path would be taken for an option"),
        ({"path": "../out"}, "its path leads out of the repository"),
        ({"path": "/etc"}, "its path leads out of the repository"),
        ({"url": '"ext::sh -c id"'}, 'its url "ext::sh -c id" runs a program'),
    ],
)
def test_a_submodule_that_git_refuses_is_refused(tmp_path: Path, bad: dict[str, str], why: str) -> None:
    error = refusal(tmp_path, modules=submodule() + submodule(**bad))
    assert (error.code, error.exit, error.where) == ("E_SUBMODULE", 3, ".gitmodules:4")
    assert f"cannot be used: {why}; git itself refuses it" in error.message


def test_a_plain_or_a_relative_submodule_is_none_of_these(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.py").write_text("")
    assert tree_of(tmp_path, modules=submodule(url="../a.git")).notices == ()


def test_a_submodule_without_its_files_is_said(tmp_path: Path) -> None:
    (notice,) = tree_of(tmp_path, modules=submodule(path="libs/a")).notices
    assert (notice.code, notice.where) == ("W_SUBMODULE", ".gitmodules")
    assert notice.message == "no files of these submodules are here (git submodule update): libs/a"


def test_gitmodules_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text(submodule(url="-x"))
    (tmp_path / ".gitmodules").symlink_to("bad")
    assert ".gitmodules" in tree_of(tmp_path)


@pytest.mark.parametrize("rule", ["*.py text working-tree-encoding=UTF-16", "app.py working-tree-encoding=cp1252"])
def test_python_that_git_writes_in_another_encoding_is_refused(tmp_path: Path, rule: str) -> None:
    error = refusal(tmp_path, attributes=f"# x\n{rule} eol=crlf\n")
    assert (error.code, error.exit, error.where) == ("E_GIT_ENCODING", 3, ".gitattributes:2")
    assert error.message.startswith("Git writes app.py in ")


@pytest.mark.parametrize(
    "rule",
    ["*.ps1 working-tree-encoding=UTF-16", "*.py working-tree-encoding=UTF-8", "*.py export-subst eol=crlf", "!*.py"],
)
def test_other_attributes_are_of_no_concern(tmp_path: Path, rule: str) -> None:
    assert ".gitattributes" in tree_of(tmp_path, attributes=f"{rule}\n")


@pytest.mark.parametrize("packed", [False, True])
def test_a_branch_that_is_an_option_is_refused(tmp_path: Path, packed: bool) -> None:
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/refs/heads/main").write_text("0" * 40)
    if packed:
        (tmp_path / ".git/packed-refs").write_text(f"# pack-refs\n{'0' * 40} refs/heads/--upload-pack=x\n")
    else:
        (tmp_path / ".git/refs/heads/--upload-pack=x").write_text("0" * 40)
    error = refusal(tmp_path)
    assert (error.code, error.exit, error.where) == ("E_REF", 2, ".git")
    assert error.message.startswith('"--upload-pack=x" cannot be a branch: programs take it for an option')


def test_a_git_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other/refs/heads").mkdir(parents=True)
    (tmp_path / "other/refs/heads/-x").write_text("")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/.git").symlink_to("../other")
    assert "app.py" in tree_of(tmp_path / "app")
