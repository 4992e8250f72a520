"""`s2i build` before it builds: what it refuses, and what it calls things."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from s2i import sources
from s2i.cli.build import build, limit, title
from s2i.errors import S2IError
from s2i.sources import Folder, Git


@pytest.mark.parametrize("value", ["1", "86400"])
def test_a_limit_is_a_number_of_seconds(value: str) -> None:
    assert limit(value) == float(value)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0", "E_LIMIT"), ("-5", "E_LIMIT"), ("86401", "E_LIMIT"), ("99999999999999999999", "E_LIMIT"),
        ("", "E_VALUE"), ("1.5", "E_VALUE"), ("nan", "E_VALUE"), ("٣", "E_VALUE"), ("--5", "E_VALUE"), ("1 ", "E_VALUE"),
    ],
)  # fmt: skip
def test_another_limit_is_refused_with_exit_2(value: str, code: str) -> None:
    with pytest.raises(S2IError) as caught:
        limit(value)
    assert (caught.value.code, caught.value.exit) == (code, 2)


@pytest.mark.parametrize(
    ("options", "code"), [(["-t", "NO GOOD"], "E_TAG"), (["--timeout", "0"], "E_LIMIT"), (["-t", "a:b:c"], "E_TAG")]
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
