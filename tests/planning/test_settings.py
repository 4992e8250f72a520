"""s2i.toml and [tool.s2i]: each key, what it can be, and what a mistake in it is told."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from s2i.errors import E_CONFIG, S2IError
from s2i.planning import known, settings
from s2i.planning.settings import Settings

ROOT = Path(__file__).parents[2]
ALL = """\
entry = "shop.web:make()"
kind = "asgi"
python = ">=3.11,<3.13"
manager = "uv"
server = "uvicorn"
start = ["python", "-m", "shop"]
port = 5000
subdir = "services/web"
build-packages = ["libpq-dev", "g++"]
run-packages = ["libpq5"]
collectstatic = false
"""


def refusal(tree_of, text: str, file: str = "s2i.toml") -> str:
    with pytest.raises(S2IError) as refused:
        settings.read(tree_of({file: text, "app.py": ""}))
    assert ("E_CONFIG", 3) == (refused.value.code, refused.value.exit)
    return str(refused.value)


def test_every_key_is_read(tree_of) -> None:
    expected = Settings(
        entry="shop.web:make()", kind="asgi", python=">=3.11,<3.13", manager="uv", server="uvicorn",
        start=("python", "-m", "shop"), port=5000, subdir="services/web", build_packages=("libpq-dev", "g++"),
        run_packages=("libpq5",), collectstatic=False,
    )  # fmt: skip
    given = settings.read(tree_of({"s2i.toml": ALL}))
    assert expected == given.settings
    assert tomllib.loads(ALL) == given.values()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("python = 3.12", 'python cannot be 3.12: it is a version or a range, in quotes: "3.12", ">=3.11,<3.13"'),
        ('kind = "web"', 'kind cannot be "web": it is "wsgi", "asgi", "http" or "job"'),
        ('port = "80"', 'port cannot be "80": it is a number from 1 to 65535'),
        ("port = 0", "port cannot be 0: it is a number from 1 to 65535"),
        ("port = true", "port cannot be true: it is a number from 1 to 65535"),
        ("collectstatic = 1", "collectstatic cannot be 1: it is true or false"),
        ('entry = "../up.py"', 'entry cannot be "../up.py": it is "module:name", "module:factory()" or "path/script.py"'),
        ('subdir = "a/../b"', 'subdir cannot be "a/../b": it is a folder of the source, as "services/web"'),
        ('subdir = "/srv"', 'subdir cannot be "/srv": it is a folder of the source, as "services/web"'),
        ("run-packages = ['a b']", 'run-packages cannot be ["a b"]: it is a list of names of Debian packages, as ["libpq5"]'),
        ("run-packages = ['-y']", 'run-packages cannot be ["-y"]: it is a list of names of Debian packages, as ["libpq5"]'),
        ("python = 2020-01-01", 'python cannot be 2020-01-01: it is a version or a range, in quotes: "3.12", ">=3.11,<3.13"'),
        ('server = ""', 'server cannot be "": it is "gunicorn", "hypercorn" or "uvicorn"'),
        ("manager = 'a b'", 'manager cannot be "a b": it is the name of a tool or of its file, as "requirements.txt"'),
    ],
)  # fmt: skip
def test_a_value_that_a_key_cannot_have_is_named_with_its_line(line: str, message: str, tree_of) -> None:
    assert f"s2i.toml:2: cannot use this configuration: {message}" == refusal(tree_of, f"# ours\n{line}\n")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("# ours\nentry = app:app\n", 'put the text in quotes: entry = "app:app"'),
        ("kind = asgi\n", 'put the text in quotes: kind = "asgi"'),
        ("entry = \n", "mend that line; "),
    ],
)
def test_text_without_quotes_is_written_as_it_has_to_be(text: str, advice: str, tree_of) -> None:
    with pytest.raises(S2IError) as refused:
        settings.read(tree_of({"s2i.toml": text}))
    assert refused.value.advice.startswith(advice)


@pytest.mark.parametrize(
    "value", ['"python serve.py"', "[]", '["a\\\\b"]', '["cat <<END"]', '["é"]', '[""]', "[1]", '["a\\nb"]']
)
def test_a_start_command_is_words_that_can_stand_in_a_dockerfile(value: str, tree_of) -> None:
    assert "start cannot be" in refusal(tree_of, f"start = {value}\n")


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("build_packages", ": did you mean build-packages?"),
        ("Entry", ": did you mean entry?"),
        ("entrypoint", ": did you mean entry?"),
        ("pyhton", ": did you mean python?"),
        ("zzz", ""),
    ],
)
def test_a_key_that_there_is_not_gets_the_nearest_one(key: str, near: str, tree_of) -> None:
    assert f's2i.toml:1: cannot use this configuration: there is no key "{key}"{near}' == refusal(
        tree_of, f"{key} = 1\n"
    )


def test_the_line_in_pyproject_is_the_one_below_our_table(tree_of) -> None:
    text = '[tool.poetry.dependencies]\npython = "^3.11"\n\n[tool.s2i]\npython = 3\n'
    assert refusal(tree_of, text, "pyproject.toml").startswith("pyproject.toml:5: ")


@pytest.mark.parametrize(
    "text", ["[tool]\ns2i = { port = 0 }\n", "[tool]\ns2i.port = 0\n", "tool.s2i.port = 0\n[tool.s2i-other]\n"]
)
def test_our_table_is_found_however_it_is_written(text: str, tree_of) -> None:
    assert "port cannot be 0" in refusal(tree_of, text, "pyproject.toml")


def test_a_table_that_is_none_is_refused(tree_of) -> None:
    assert "tool.s2i is no table" in refusal(tree_of, "[tool]\ns2i = 1\n", "pyproject.toml")


def test_each_key_has_its_words_and_an_example_that_fits() -> None:
    rows = known.settings()
    assert set(settings.KEYS) == set(rows)
    for key, row in rows.items():
        assert settings.fits(key, tomllib.loads(f"{key} = {row.example}")[key]), key
        assert row.form


def test_the_advice_names_every_key() -> None:
    assert [key for key in settings.KEYS if key not in E_CONFIG.advice] == []


def test_the_published_schema_is_current() -> None:
    assert settings.schema() == json.loads((ROOT / "docs" / "s2i.schema.json").read_text())
