"""`s2i explain`: what it looks like, as data and as text of 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from s2i.cli.explain import explain
from s2i.errors import S2IError
from s2i.planning.plan import Base

FIXTURES = Path(__file__).parents[2] / "fixtures"
FLASK_HELLO = str(FIXTURES / "flask-hello" / "app")
PLANNED = sorted(p.parent.name for p in FIXTURES.glob("*/plan.json") if "error" not in json.loads(p.read_text()))
TEXT = """\
This is a web application (WSGI) made with flask. It starts app:app on Python
3.13.

What was read
  2 files. 1 Python module parsed; nothing of it was imported or run.
  requirements.txt  what to install

What was decided

  Which kind of program? wsgi
  because  app.py:3
           │ app = Flask(__name__)

  What is started? app:app
  because  the same line
  flip     entry = "module:name" in s2i.toml

  Where do the dependencies come from? requirements.txt
  because  requirements.txt:1
           │ flask>=3,<4
  flip     another manifest, and manager = "…" in s2i.toml

  Which Python? 3.13
  because  the newest offered
  how sure likely: nothing in the source says which
  not      3.11: the newest that fits is taken
  flip     python = "3.11" in s2i.toml

  Which server? gunicorn>=21,<28
  because  s2i's own table servers.toml, for wsgi
  how sure likely: nothing in the source says which
  flip     another server among the dependencies, or server = "…" in s2i.toml

  What is compiled in the build? of the dependencies
  because  1 kB of Python in the source: each start compiles them

  What of the dependencies is left out? their tests
  because  s2i's own table prune.toml, for what only developers use
  flip     prune = false in s2i.toml ships all of it

What the build does

  Each step is kept, and runs again only when what it depends on has changed.

  The build stage starts from build. What it adds to the environment is shipped.

   1.  Copy requirements.txt first: a change of code reinstalls nothing
       Dockerfile:10; again when requirements.txt changes

   2.  Install the dependencies
       $ uv venv --python /usr/local/bin/python3 /opt/venv
       $ uv pip install --python /opt/venv/bin/python -r requirements.txt
         'gunicorn>=21,<28'
       $ mkdir -p /out/build
       $ find /opt/venv '!' -type d -newermt 1980-01-03 '!' -path
         /opt/venv/.lock '(' '!' -path '*/site-packages/*/tests/*' '!' -path
         '*/site-packages/*.a' '!' -path '*/site-packages/*/uv_cache.json' -o
         …
       $ /opt/venv/bin/python -c 'from compileall import compile_dir; from
         py_compile import PycInvalidationMode;
         compile_dir("/out/build/opt/venv/lib", ddir="/opt/venv/lib", workers=0,
         …
       $ find /out/build -exec touch --no-dereference --date=1980-01-02 '{}' +
       Dockerfile:13-27; again when requirements.txt changes

  The runtime stage starts from run. This is the image: its layers are counted
  from there, and layer 1 is its working folder.

   3.  Copy the environment, without the tools that made it
       Dockerfile:39; again when requirements.txt changes; layer 2

   4.  Copy the source, last: it changes most often
       Dockerfile:42; again when any file of the source changes; layer 3

How it runs

  $ gunicorn --worker-class gthread --threads 8 --access-logfile - app:app
  listens  on $PORT, which is 8080 unless the platform sets another
  as user  1001 of group 0, who owns nothing in the image
  gets     requests from the moment that it answers one on $PORT
           a file system that is read-only, and /tmp to write to
           at most 512M of memory and 1 core, unless --memory and --cpu say
           otherwise
           SIGTERM to end, and 10 seconds before it is killed
"""
LINE = """\
Dockerfile:17  line 5 of 15 of step 2, RUN, in the build stage
           │ uv pip install --python /opt/venv/bin/python -r requirements.txt
           │ 'gunicorn>=21,<28' && \\

  does     Makes the environment and installs the dependencies into it, and what
           the start command needs beside them; the bytecode is made now, not at
           each start.
  without  The program would not start: ModuleNotFoundError for the first
           package it imports.
  layer    a layer of the build stage, kept in the build cache and not shipped
  again    when requirements.txt changes

The decisions behind it

  Where do the dependencies come from? requirements.txt
  because  requirements.txt:1
           │ flask>=3,<4
  flip     another manifest, and manager = "…" in s2i.toml

  Which server? gunicorn>=21,<28
  because  s2i's own table servers.toml, for wsgi
  how sure likely: nothing in the source says which
  flip     another server among the dependencies, or server = "…" in s2i.toml

  What of the dependencies is left out? their tests
  because  s2i's own table prune.toml, for what only developers use
  flip     prune = false in s2i.toml ships all of it
"""


@pytest.fixture(autouse=True)
def one_base(monkeypatch: pytest.MonkeyPatch) -> None:
    bases = (Base("3.11", "build:3.11", "run:3.11", uv=True), Base("3.13", "build", "run", uv=True))
    monkeypatch.setattr("s2i.images.bases.offered", lambda: bases)


def output(*words: str, color: bool = False) -> str:
    return CliRunner().invoke(explain, words, catch_exceptions=False, color=color).output


def test_an_explanation_reads_as_text() -> None:
    assert TEXT == output(FLASK_HELLO)


def test_the_explanation_of_a_line_reads_as_text() -> None:
    assert LINE == output(FLASK_HELLO, "Dockerfile:17")


@pytest.mark.parametrize("name", PLANNED)
def test_a_line_has_at_most_eighty_columns(name: str) -> None:
    text = output(str(FIXTURES / name / "app"))
    assert [line for line in text.splitlines() if len(line) > 80 and len(line.split()) > 1] == []


def test_it_is_data_on_request() -> None:
    told = json.loads(output(FLASK_HELLO, "-o", "json"))
    entry = next(argument for argument in told["decided"] if argument["what"] == "entry")
    assert {"where": "app.py:3", "text": "app = Flask(__name__)"} == entry["because"]
    assert ["summary", "kind", "read", "decided", "bases", "build", "run", "know"] == list(told)
    line = json.loads(output(FLASK_HELLO, "Dockerfile:45", "-o", "json"))
    assert ("USER 1001:0", None) == (line["text"], line["step"])


def test_colours_are_for_terminals_only() -> None:
    coloured = output(FLASK_HELLO, color=True)
    assert "\x1b[" in coloured
    assert output(FLASK_HELLO) == click.unstyle(coloured)


def test_a_place_that_is_not_there_is_a_mistake_of_the_caller() -> None:
    result = CliRunner().invoke(explain, [FLASK_HELLO, "app.py:99"])
    assert isinstance(result.exception, S2IError)
    assert ("E_PLACE", 2) == (result.exception.code, result.exception.exit)


def test_a_hostile_line_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)  # \x1b]0;owned\x07 \u202e\n")
    (tmp_path / "requirements.txt").write_text("flask\n")
    for text in (output(str(tmp_path)), output(str(tmp_path), "app.py:2")):
        assert {"\x1b", "\x07", "\u202e"} & set(text) == set()
        assert "\\x1b]0;owned\\x07" in text
