"""`s2i build` before it builds: what it refuses, and what it calls things."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from s2i import sources
from s2i.cli.build import build, title
from s2i.errors import S2IError
from s2i.sources import Folder, Git


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["-t", "NO GOOD"], "E_TAG"),
        (["-t", "a:b:c"], "E_TAG"),
        (["--env", "A=1"], "E_OPTION"),
        (["--prove", "--env", "A"], "E_ENV"),
        (["--push"], "E_OPTION"),
        (["--push", "-t", "shop:1"], "E_TAG"),
        (["--platform", "arm64"], "E_PLATFORM"),
        (["--platform", "linux/amd64,linux/arm64"], "E_PLATFORM"),
        *((["--timeout", value], "E_LIMIT") for value in ("0", "-5", "86401", "9" * 20, "", "1.5", "nan", "٣")),
    ],
)
def test_a_bad_option_is_said_before_the_engine_is_asked(options: list[str], code: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(build, [*options, str(tmp_path)])
    assert isinstance(result.exception, S2IError)
    assert (result.exception.code, result.exception.exit) == (code, 2)


def test_an_engine_that_is_not_there_is_said_before_the_source_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    def read(*_: object, **__: object) -> None:
        raise AssertionError("the source was read")

    monkeypatch.setattr(sources, "fetch", read)
    result = CliRunner().invoke(build, [str(tmp_path)])
    assert isinstance(result.exception, S2IError)
    assert (result.exception.code, result.exception.exit) == ("E_DOCKER", 6)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (Folder(Path("/srv/shop")), "shop"),
        (Folder(Path("/srv/shop"), subdir="api/v2"), "v2"),
        (Git("https://host.example/owner/repo.git"), "repo.git"),
        (Git("git@host.example:repo"), "repo"),
    ],
)
def test_a_source_is_called_by_the_last_part_of_its_place(source: sources.Source, name: str) -> None:
    assert title(source) == name
