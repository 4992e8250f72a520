"""Folders of state and sockets are private, or are not used."""

import os
from pathlib import Path

import pytest

from s2i import dirs
from s2i.errors import S2IError


def test_a_folder_and_its_missing_parents_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    made = dirs.make_private(tmp_path / "a" / "b" / "c")
    assert [oct(part.stat().st_mode & 0o777) for part in (made, made.parent, made.parent.parent)] == ["0o700"] * 3


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert dirs.make_private(tmp_path / "open").stat().st_mode & 0o777 == 0o700


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(S2IError, match="it is not a folder") as caught:
        dirs.make_private(tmp_path / "link")
    assert (caught.value.code, caught.value.exit) == ("E_NOT_PRIVATE", 6)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(S2IError, match=f"it belongs to user {owner}"):
        dirs.make_private(tmp_path)


@pytest.mark.parametrize("place", ["file/state", "n" * 300])
def test_a_folder_that_cannot_be_made_is_refused_with_what_to_set(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(S2IError) as caught:
        dirs.make_private(tmp_path / place)
    assert (caught.value.code, caught.value.advice) == (
        "E_NOT_PRIVATE",
        "name a folder that you can write to with S2I_HOME",
    )


@pytest.mark.parametrize("part", ["state", "cache", "runtime"])
def test_one_variable_moves_everything(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_HOME", str(tmp_path))
    assert getattr(dirs, part)().parent == tmp_path
