"""`s2i init`: a file that documents the decisions, changes none, and can be uncommented line by line."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from s2i import sources
from s2i.cli.init import init
from s2i.errors import S2IError
from s2i.planning import settings
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base, BuildPlan

FIXTURES = Path(__file__).parents[2] / "fixtures"
OFFERED = (Base("3.11", "build", "run", uv=True), Base("3.13", "build", "run", uv=True))
PLANNED = sorted(p.parent.name for p in FIXTURES.glob("*/plan.json") if "error" not in json.loads(p.read_text()))


@pytest.fixture(autouse=True)
def two_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2i.images.bases.offered", lambda: OFFERED)


@pytest.fixture
def copy(tmp_path: Path):
    """Copy the source of a fixture."""

    def copied(name: str) -> Path:
        return Path(shutil.copytree(FIXTURES / name / "app", tmp_path / "source"))

    return copied


def run(*words: object) -> Result:
    return CliRunner().invoke(init, [str(word) for word in words])


def planned(folder: Path) -> BuildPlan:
    with sources.fetch(sources.parse(str(folder)), policy=sources.Policy()) as tree:
        return compile_plan(tree, OFFERED)


def uncommented(text: str) -> list[str]:
    """Return the keys that are commented out, as lines of TOML."""
    return re.findall(r"^#([a-z][a-z-]* = .*)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", PLANNED)
def test_the_file_changes_nothing_until_a_line_is_uncommented(name: str, copy) -> None:
    folder = copy(name)
    before = planned(folder)
    assert 0 == run(folder, "--force").exit_code
    after = planned(folder)
    assert (before.steps, before.start, before.entry) == (after.steps, after.start, after.entry)
    assert [(d.what, d.value) for d in before.decisions] == [(d.what, d.value) for d in after.decisions]


@pytest.mark.parametrize("name", PLANNED)
def test_each_line_that_is_uncommented_is_a_setting_that_can_be_used(name: str, copy) -> None:
    folder = copy(name)
    run(folder, "--force")
    text = (folder / "s2i.toml").read_text()
    lines = uncommented(text)
    found = {key for line in lines for key in tomllib.loads(line)} | set(tomllib.loads(text))
    assert set(settings.KEYS) == found
    assert [line for line in lines for key, value in tomllib.loads(line).items() if not settings.fits(key, value)] == []


def test_the_decisions_stand_in_it_with_their_evidence(copy) -> None:
    folder = copy("flask-hello")
    run(folder)
    text = (folder / "s2i.toml").read_text()
    assert '# Now app:app, from app.py:3.\n#entry = "app:app"\n' in text
    assert (
        '# Now 3.13, from the newest offered (likely).\n# Not 3.11: the newest that fits is taken.\n#python = "3.13"\n'
        in text
    )
    assert '(likely).\n#server = "gunicorn"\n' in text


def test_what_is_left_out_of_the_packages_is_a_decision_as_well(copy) -> None:
    folder = copy("flask-hello")
    run(folder)
    assert "#prune = true\n" in (folder / "s2i.toml").read_text()


def test_a_file_that_cannot_be_parsed_is_named(copy) -> None:
    folder = copy("flask-hello")
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(\n")
    done = run(folder)
    assert "s2i cannot decide yet: app.py:2: Python cannot parse this file: " in done.stderr
    assert "# s2i could not decide: app.py:2: Python cannot parse" in (folder / "s2i.toml").read_text()


def test_what_fits_equally_well_is_left_to_the_person(copy) -> None:
    folder = copy("ambiguous-two-apps")
    done = run(folder)
    assert (0, f"wrote {folder}/s2i.toml\n") == (done.exit_code, done.stdout)
    text = (folder / "s2i.toml").read_text()
    assert {} == tomllib.loads(text)
    assert '#entry = "admin:site"  # admin:site (wsgi, flask) in admin.py:3\n#entry = "shop:site"  # ' in text
    (folder / "s2i.toml").write_text(text.replace('#entry = "shop', 'entry = "shop'))
    assert "shop:site" == planned(folder).entry


@pytest.mark.parametrize("name", ["library-only", "conda-environment"])
def test_it_is_written_where_nothing_is_found(name: str, copy) -> None:
    folder = copy(name)
    assert 0 == run(folder).exit_code
    text = (folder / "s2i.toml").read_text()
    assert {} == tomllib.loads(text)
    assert "# s2i could not decide: " in text


def test_it_is_not_written_over_by_itself(copy) -> None:
    folder = copy("flask-hello")
    (folder / "s2i.toml").write_text('python = "3.11"  # ours\n')
    result = run(folder)
    assert isinstance(result.exception, S2IError)
    assert ("E_OVERWRITE", 2) == (result.exception.code, result.exception.exit)
    assert 'python = "3.11"  # ours\n' == (folder / "s2i.toml").read_text()


def test_what_was_set_stays_set_when_it_is_written_anew(copy) -> None:
    folder = copy("flask-hello")
    (folder / "s2i.toml").write_text('python = "3.11"\nstart = ["python", "a \\"b\\".py"]\ncollectstatic = false\n')
    before = tomllib.loads((folder / "s2i.toml").read_text())
    assert 0 == run(folder, "--force").exit_code
    assert before == tomllib.loads((folder / "s2i.toml").read_text())


def test_settings_in_pyproject_are_taken_over_only_by_force(copy) -> None:
    folder = copy("flask-hello")
    (folder / "pyproject.toml").write_text('[tool.s2i]\npython = "3.11"\n')
    result = run(folder)
    assert isinstance(result.exception, S2IError)
    assert "E_OVERWRITE" == result.exception.code
    assert 0 == run(folder, "--force").exit_code
    assert {"python": "3.11"} == tomllib.loads((folder / "s2i.toml").read_text())


def test_a_file_that_is_refused_stops_it(copy) -> None:
    folder = copy("flask-hello")
    (folder / "requirements.txt").write_text("--extra-index-url http://user:pass@x/\n")
    result = run(folder)
    assert isinstance(result.exception, S2IError)
    assert 3 == result.exception.exit
    assert not (folder / "s2i.toml").exists()


def test_it_is_written_into_folders_only() -> None:
    result = run("https://host.example/owner/repo")
    assert isinstance(result.exception, S2IError)
    assert ("E_VALUE", 2) == (result.exception.code, result.exception.exit)


def test_the_schema_is_printed_without_a_folder() -> None:
    assert "s2i.toml" == json.loads(run("--schema").output)["title"]
