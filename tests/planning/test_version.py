"""Which Python: what the source asks for, met with what is offered (3.10 to 3.13)."""

from __future__ import annotations

import pytest

from s2i.errors import E_PYTHON_VERSION, S2IError


def project(requires: str) -> str:
    return f'[project]\nname = "a"\nrequires-python = "{requires}"\n'


@pytest.mark.parametrize(
    ("files", "python", "origin"),
    [
        ({}, "3.13", "the newest offered"),
        ({".python-version": "3.11\n"}, "3.11", ".python-version:1"),
        ({".python-version": "# ours\n3.12.4\n"}, "3.12", ".python-version:2"),
        ({".python-version": ">=3.10,<3.12\n"}, "3.11", ".python-version:1"),
        ({"runtime.txt": "python-3.10.2\n"}, "3.10", "runtime.txt:1"),
        ({"pyproject.toml": project(">=3.10,<3.13")}, "3.12", "pyproject.toml:3"),
        ({"pyproject.toml": project("~=3.11.2")}, "3.11", "pyproject.toml:3"),
        ({"pyproject.toml": project(">=3.10"), ".python-version": "3.11\n"}, "3.11", ".python-version:1"),
        ({"s2i.toml": 'python = "3.10"\n', ".python-version": "3.11\n"}, "3.10", "s2i.toml:1"),
    ],
)
def test_the_newest_that_every_file_allows_is_taken(plan_of, flask, files, python, origin):
    plan = plan_of({"app.py": flask, **files})
    decision = next(d for d in plan.decisions if d.what == "python")
    assert (python, python, origin) == (plan.python, decision.value, decision.origin)


def test_a_runtime_file_gives_way_to_the_project(plan_of, flask):
    plan = plan_of({"app.py": flask, "runtime.txt": "python-3.6.5\n", "pyproject.toml": project(">=3.11")})
    notice = next(w for w in plan.warnings if w.code == "W_PYTHON")
    assert plan.python == "3.13"
    assert notice.message == '"python-3.6.5" is overruled: pyproject.toml:3 asks for ">=3.11"'


def test_what_is_not_offered_is_refused_with_what_is(plan_of, flask):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, ".python-version": "3.8\n", "pyproject.toml": project(">=3.7")})
    expected = (
        'no Python fits "3.8" (.python-version:1) and ">=3.7" (pyproject.toml:3); offered are 3.13, 3.12, 3.11, 3.10'
    )
    assert (E_PYTHON_VERSION, expected) == (refused.value.kind, refused.value.message)


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({".python-version": "3.12-slim\nRUN touch /INJECTED"}, ".python-version:1"),
        ({".python-version": "3.12\nRUN touch /INJECTED"}, ".python-version:2"),
        ({".python-version": "pypy3.10\n"}, ".python-version:1"),
        ({"runtime.txt": "python-3.12\nFROM evil\n"}, "runtime.txt:2"),
        ({"runtime.txt": "python:3.12\n"}, "runtime.txt:1"),
        ({"pyproject.toml": project("3.12 || true")}, "pyproject.toml:3"),
        ({"s2i.toml": 'python = "latest"\n'}, "s2i.toml:1"),
    ],
)
def test_what_is_no_version_is_refused(plan_of, flask, files, where):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, **files})
    assert (E_PYTHON_VERSION, where) == (refused.value.kind, refused.value.where)
