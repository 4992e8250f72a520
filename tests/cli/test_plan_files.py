"""`s2i plan --save`, `s2i build --plan`: what is written, what is left alone, what is refused before anything is built."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from s2i.cli.build import build
from s2i.cli.plan import plan
from s2i.errors import S2IError
from s2i.planning.plan import Base

FLASK_HELLO = Path(__file__).parents[2] / "fixtures" / "flask-hello" / "app"


@pytest.fixture(autouse=True)
def one_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2i.images.bases.offered", lambda: (Base("3.13", "build", "run", uv=True),))


def saved(*words: str) -> Result:
    return CliRunner().invoke(plan, [str(FLASK_HELLO), *words])


def refused(result: Result) -> tuple[str, int, str]:
    assert isinstance(result.exception, S2IError), result.output
    return result.exception.code, result.exception.exit, result.exception.message


def test_a_saved_plan_is_what_is_printed_as_json(tmp_path: Path) -> None:
    file = tmp_path / "s2i.plan.json"
    done = saved("-o", "json", "--save", str(file))
    assert json.loads(done.stdout) == json.loads(file.read_text())
    assert f"saved {file}; `s2i build SRC --plan {file}` builds it\n" == done.stderr
    assert [file] == list(tmp_path.iterdir())


def test_a_plan_is_saved_over_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"version": 7, "buildpack": "of another time"}')
    assert 0 == saved("--save", str(file)).exit_code
    assert 1 == json.loads(file.read_text())["version"]


@pytest.mark.parametrize("text", ["", "{}", "notes of mine", '{"version": "1.0", "name": "shop"}', "[1]"])
def test_what_is_no_plan_is_not_overwritten(text: str, tmp_path: Path) -> None:
    file = tmp_path / "package.json"
    file.write_text(text)
    assert ("E_OVERWRITE", 2) == refused(saved("--save", str(file)))[:2]
    assert text == file.read_text()


def test_a_link_a_folder_and_a_fifo_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "folder", "fifo"):
        assert ("E_OVERWRITE", 2) == refused(saved("--save", str(tmp_path / name)))[:2]
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    expected = f"will not write {tmp_path}/none/p.json: No such file or directory"
    assert expected == refused(saved("--save", str(tmp_path / "none" / "p.json")))[2]


def test_the_schema_is_printed_without_a_source() -> None:
    assert "A build plan of s2i" == json.loads(CliRunner().invoke(plan, ["--schema"]).output)["title"]


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    file = tmp_path / "p.json"
    saved("--save", str(file))
    return file


def test_a_plan_that_cannot_be_built_is_said_before_the_engine_is_asked(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    made = json.loads(plan_file.read_text())
    made["steps"][1]["argv"][1] = "ve\\nv"
    plan_file.write_text(json.dumps(made))
    result = CliRunner().invoke(build, [str(FLASK_HELLO), "--plan", str(plan_file)])
    message = 'cannot use this plan: $.steps[1].argv[1]: "ve\\nv" cannot stand in a Dockerfile'
    assert ("E_PLAN", 3, message) == refused(result)


@pytest.mark.parametrize("kind", ["none", "folder", "fifo"])
def test_a_plan_that_is_no_file_is_said(kind: str, tmp_path: Path) -> None:
    if kind == "folder":
        (tmp_path / kind).mkdir()
    if kind == "fifo":
        os.mkfifo(tmp_path / kind)
    result = CliRunner().invoke(build, [str(FLASK_HELLO), "--plan", str(tmp_path / kind)])
    assert ("E_PLAN", 3) == refused(result)[:2]


def test_a_plan_and_a_strategy_exclude_each_other(plan_file: Path) -> None:
    words = [str(FLASK_HELLO), "--plan", str(plan_file), "--strategy", "python"]
    assert ("E_OPTION", 2) == refused(CliRunner().invoke(build, words))[:2]
