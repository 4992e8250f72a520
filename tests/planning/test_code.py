"""Reading modules defensively, and what is a job."""

from __future__ import annotations

import pytest

from s2i.errors import E_AMBIGUOUS, E_NO_ENTRY, E_NOT_PYTHON, E_PY_SYNTAX, S2IError
from s2i.planning import code

NESTED = "x = " + "(" * 5000 + ")" * 5000
LONG_SUM = "x = " + "+".join(["1"] * 50_000)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (b"app = 1\x00\n", "the file contains a null byte"),
        (b"# caf\xe9\napp = 1\n", "byte 5 is not utf-8"),
        (b"# coding: nonsense\napp = 1\n", "unknown encoding: nonsense"),
        (b"\xef\xbb\xbf# coding: latin-1\napp = 1\n", "encoding problem: iso-8859-1 with BOM"),
        (b"def f(:\n", "invalid syntax"),
    ],
)
def test_what_python_cannot_parse_is_said_and_not_raised(tree_of, source, why):
    found = code.read(tree_of({"app.py": source}))
    assert ((why,), {}) == (tuple(b.why for b in found.broken), found.modules)


@pytest.mark.parametrize("source", [NESTED, LONG_SUM])
def test_a_parser_bomb_is_one_broken_file(tree_of, source):
    found = code.read(tree_of({"bomb.py": source, "ok.py": "x = 1\n"}))
    assert ([b.path for b in found.broken], list(found.modules)) == (["bomb.py"], ["ok"])


def test_a_latin_1_file_with_the_right_cookie_is_read(tree_of):
    found = code.read(tree_of({"app.py": b"# coding: latin-1\nname = 'caf\xe9'\n"}))
    assert found.modules["app"].bindings["name"].text == "café"


def test_a_file_that_cannot_be_imported_is_left_out(tree_of):
    found = code.read(tree_of({"$(touch x).py": "x = 1\n", "2nd.py": "x = 1\n", "two-words.py": "x = 1\n"}))
    assert ["two-words"] == list(found.modules)  # importlib takes the dash, and so does every server


def test_relative_imports_are_resolved(tree_of):
    found = code.read(
        tree_of({"a/__init__.py": "from .b import x\n", "a/b.py": "x = 1\n", "a/c/d.py": "from ..b import x\n"})
    )
    assert [found.modules[m].bindings["x"].target for m in ("a", "a.c.d")] == ["a.b.x", "a.b.x"]


def test_python_2_is_recognised(plan_of):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": 'print "x"\n'})
    assert (refused.value.kind, refused.value.where) == (E_PY_SYNTAX, "app.py:1")
    assert refused.value.message.endswith("it looks like Python 2")


def test_a_broken_file_beside_an_application_is_a_warning(plan_of, flask):
    plan = plan_of({"app.py": flask, "old.py": 'print "x"\n'})
    assert [(w.code, w.where) for w in plan.warnings if w.code == "W_PY_SYNTAX"] == [("W_PY_SYNTAX", "old.py:1")]


@pytest.mark.parametrize(
    ("files", "entry", "start"),
    [
        ({"main.py": "import asyncio\nasync def main(): ...\nasyncio.run(main())\n"}, "main.py", ("python", "main.py")),
        ({"report.py": "if __name__ == '__main__':\n    pass\n", "lib.py": "x = 1\n"}, "report.py", ("python", "report.py")),
        ({"tool/__main__.py": "print(1)\n", "tool/__init__.py": ""}, "tool/__main__.py", ("python", "-m", "tool")),
        ({"main.py": "print(1)\n", "other.py": "print(2)\n"}, "main.py", ("python", "main.py")),
    ],
)  # fmt: skip
def test_a_script_is_a_job(plan_of, files, entry, start):
    plan = plan_of(files)
    assert ("job", entry, start, None) == (plan.kind, plan.entry, plan.start, plan.port)


def test_two_equal_scripts_stop_the_plan(plan_of):
    with pytest.raises(S2IError) as refused:
        plan_of({"one.py": "print(1)\n", "two.py": "print(2)\n"})
    assert (refused.value.kind, refused.value.advice) == (E_AMBIGUOUS, 'say which one in s2i.toml: entry = "one.py"')


@pytest.mark.parametrize("table", ["[build-system]\nrequires = []\n", "[tool.uv]\npackage = true\n"])
def test_a_library_is_refused(plan_of, table):
    with pytest.raises(S2IError) as refused:
        plan_of({"pyproject.toml": table, "pkg/__main__.py": "x()\n", "__main__.py": "x()\n"})
    assert E_NO_ENTRY is refused.value.kind


def test_what_is_no_python_says_what_was_looked_for_and_found(plan_of):
    with pytest.raises(S2IError) as refused:
        plan_of({"package.json": "{}", "index.js": ""})
    assert E_NOT_PYTHON is refused.value.kind
    assert refused.value.message.endswith("found index.js, package.json")
