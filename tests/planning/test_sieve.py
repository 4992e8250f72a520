"""Of a large source those modules are parsed that may matter."""

from __future__ import annotations

from s2i.planning import code
from s2i.planning.sieve import Part, ordered

MARKS = frozenset({b"Flask"})


def names(**texts: str) -> list[str]:
    """Give modules by their dotted name (with __ for the dot) and return the names that are let through."""
    parts = [Part(name, name.replace("__", "."), "", text.encode()) for name, text in texts.items()]
    return [part.name for part in ordered(parts, MARKS)]


def test_the_outermost_two_levels_come_first_whatever_is_in_them() -> None:
    assert ["a", "b.c"] == names(a="x = 1", b__c="x = 1", b__c__d="x = 1")


def test_a_module_that_makes_an_application_is_let_through() -> None:
    assert ["a.b.c"] == names(a__b__c="from flask import Flask", a__b__d="from flask import g")


def test_who_imports_from_one_is_let_through_and_who_imports_from_that() -> None:
    found = names(
        a__b__other="import os", a__b__second="from .first import app", a__b__first="from a.b import (\n  make,\n)",
        a__b__make="Flask(__name__)", a__b__talks="make = 'a string'",
    )  # fmt: skip
    assert ["a.b.make", "a.b.first", "a.b.second"] == found


def test_a_circle_of_imports_ends() -> None:
    assert ["a.b.c", "a.b.d"] == names(a__b__c="from .d import x\nFlask", a__b__d="from .c import x")


def test_a_small_source_is_parsed_whole(tree_of) -> None:
    tree = tree_of({"a/b/c.py": "x = 1\n", "a/b/d.py": "y = 2\n"})
    assert ["a.b.c", "a.b.d"] == list(code.read(tree, marks=lambda: MARKS).modules)


def test_a_large_source_is_parsed_where_it_may_matter_in_the_order_of_depth(tree_of) -> None:
    big = "x = [" + "(),\n" * 20_000 + "]\n"
    files = {f"a/b/big{n}.py": big for n in range(6)}
    read = code.read(
        tree_of({**files, "a/b/c/web.py": "Flask()\n", "z.py": "", "a/b/use.py": "from .c.web import q\n"}),
        marks=lambda: MARKS,
    )
    assert (["z", "a.b.use", "a.b.c.web"], ()) == (list(read.modules), read.notices)


def test_a_source_with_too_much_that_may_matter_says_where_it_stopped(tree_of) -> None:
    big = "Flask\nx = [" + "(),\n" * 20_000 + "]\n"
    read = code.read(tree_of({f"a/b/big{n}.py": big for n in range(6)}), marks=lambda: MARKS)
    (notice,) = read.notices
    assert (["a.b.big0", "a.b.big1", "a.b.big2"], "W_PARTIAL", "a/b/big3.py") == (
        list(read.modules), notice.code, notice.where,
    )  # fmt: skip
    assert "of 6 Python files only the outermost that may matter were read" == notice.message


def test_a_module_that_nobody_wrote_is_not_parsed(tree_of) -> None:
    (broken,) = code.read(tree_of({"a.py": "@a\n" * 160_000 + "def f(): pass\n", "b.py": ""})).broken
    assert ("a.py", "it has more in it than a program that somebody wrote") == (broken.path, broken.why)


def test_each_file_is_opened_once(tree_of, monkeypatch) -> None:
    from s2i.planning.compile import compile as compile_plan
    from s2i.planning.plan import Base
    from s2i.sources import beneath

    opened: list[str] = []
    open_at = beneath.open_at
    monkeypatch.setattr(beneath, "open_at", lambda root, path: opened.append(path) or open_at(root, path))
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["flask"]\n[tool.s2i]\n'
    tree = tree_of({
        "pyproject.toml": project, "requirements.txt": "-r more.txt\n", "more.txt": "flask\n", "Procfile": "web: gunicorn a:app\n",
        "a.py": "from flask import Flask\napp = Flask(__name__)\n", "p/b.py": "x = 1\n", ".python-version": "3.12\n",
    })  # fmt: skip
    compile_plan(tree, (Base("3.12", "b", "r"),))
    assert sorted(set(opened)) == sorted(opened)
    assert len(opened) == 7
