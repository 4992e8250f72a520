"""Repairs: what old pins need beside them, and that a pin of the source is never overruled."""

from __future__ import annotations

import pytest

from buildpacks.python import repairs
from tests.planning.conftest import commands

ROWS = repairs.table()


def installed(plan):
    """Return what the step that installs is given beside the manifest and the server."""
    (command,) = (command for command in commands(plan) if "-r" in command)
    after = command[command.index("requirements.txt") + 1 :]
    return tuple(word for word in after if not word.startswith("gunicorn"))


def plan_with(plan_of, flask, requirements):
    return plan_of({"app.py": flask, "requirements.txt": requirements})


def warnings(plan):
    return [(w.message, w.where) for w in plan.warnings if w.code == "W_REPAIR"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.case)
def test_a_row_adds_its_requirements_for_its_case(plan_of, flask, row):
    plan = plan_with(plan_of, flask, row.case)
    assert installed(plan) == row.add
    (decision,) = (d for d in plan.decisions if d.what == "repair")
    assert decision.value == ", ".join(row.add)
    assert decision.origin.startswith("requirements.txt:1 (")
    assert decision.origin.endswith(f": {row.why})")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.case)
def test_a_row_says_why_and_where_that_is_known_from(row):
    assert row.why
    assert row.link.startswith("https://")


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("gunicorn", ()),
        ("gunicorn>=20", ()),
        ("gunicorn>=20,<22", ()),
        ("gunicorn==21.2.0", ()),
        ("gunicorn==23.*", ()),
        ("gunicorn~=23.0", ()),
        ("gunicorn!=20.1", ()),
        ("gunicorn~=20", ("setuptools<81",)),  # no row can tell: but its pin is of Python 3.11 and older
        ("gunicorn==20.1.0rc1", ()),
        ("gunicorn<21", ("setuptools<81",)),
        ("gunicorn==20.*", ("setuptools<81",)),
        ("gunicorn~=20.0", ("setuptools<81",)),
        ("gunicorn>=19,<20", ("setuptools<81",)),
        ("gunicorn===20.0.4", ("setuptools<81",)),
        ("gunicorn==20.1\nsetuptools", ("setuptools<81",)),
        ("gunicorn==20.1\nsetuptools>=60", ("setuptools<81",)),
        ("gunicorn==20.1\nsetuptools==69.0", ()),
        ("gunicorn==20.1\nsetuptools<70", ()),
        ("Flask==2.2.5", ()),
        ("Flask==3.0.0\nJinja2==3.1.2", ()),
    ],
)
def test_a_repair_is_made_only_where_it_is_known_to_be_needed(plan_of, flask, requirement, expected):
    plan = plan_with(plan_of, flask, requirement)
    assert installed(plan) == expected
    assert warnings(plan) == []


@pytest.mark.parametrize(
    ("requirements", "python", "expected"),
    [
        ("asyncpg==0.26.0", "3.10", ("setuptools<81",)),
        ("asyncpg==0.26.0\nsetuptools==65.0", "3.10", ()),
        ("pydantic==2.5.2", "3.12", ()),
        ("numpy", "3.13", ()),
    ],
)
def test_pins_of_a_time_when_setuptools_were_always_there_get_them(plan_of, flask, requirements, python, expected):
    plan = plan_with(plan_of, flask, requirements)
    assert (python, expected) == (plan.python, installed(plan))


def test_a_python_that_is_only_asked_for_brings_no_setuptools(plan_of, flask):
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n", ".python-version": "3.10\n"})
    assert ("3.10", ()) == (plan.python, installed(plan))


@pytest.mark.parametrize("partner", ["setuptools==82.0", "setuptools>=82"])
def test_a_pin_is_never_overruled_but_named(plan_of, flask, partner):
    plan = plan_with(plan_of, flask, f"{partner}\ngunicorn==20.1.0\n")
    text = f"gunicorn==20.1.0 needs setuptools<81, and the source asks for {partner}: " + ROWS[0].why
    assert installed(plan) == ()
    assert warnings(plan) == [(text, "requirements.txt:2")]


def test_a_lock_is_repaired_too_and_not_overruled(plan_of, flask):
    project = '[project]\nname = "a"\nversion = "1"\ndependencies = ["gunicorn"]\n'
    lock = (
        '[[package]]\nname = "a"\nsource = {{ virtual = "." }}\nmetadata = {{ requires-dist = [{{ name = "gunicorn" }}] }}\n'
        '[[package]]\nname = "gunicorn"\nversion = "20.1.0"\n{}'
    )
    files = {"app.py": flask, "pyproject.toml": project, "uv.lock": lock.format("")}
    plan = plan_of(files)
    assert [d.value for d in plan.decisions if d.what == "repair"] == ["setuptools<81"]
    assert any(command[-1] == "setuptools<81" for command in commands(plan))
    plan = plan_of({**files, "uv.lock": lock.format('[[package]]\nname = "setuptools"\nversion = "82.0.1"\n')})
    text = f"gunicorn==20.1.0 needs setuptools<81, and the source asks for setuptools==82.0.1: {ROWS[0].why}"
    assert warnings(plan) == [(text, "pyproject.toml:4")]


@pytest.mark.parametrize(
    ("requirement", "cpu"),
    [("torch", True), ("torch==2.3.1", True), ("torch==2.3.1+cu121", False), ("torchmetrics", False)],
)
def test_torch_is_taken_in_its_cpu_build_unless_the_source_says_which(plan_of, flask, requirement, cpu):
    plan = plan_with(plan_of, flask, requirement)
    command = next(command for command in commands(plan) if "requirements.txt" in command)
    assert (command[0] == "sh") == cpu
    assert [d.value for d in plan.decisions if d.what == "torch"] == (["the CPU build"] if cpu else [])
    if cpu:
        assert command[2].startswith('UV_TORCH_BACKEND=cpu "$@" || ')
        assert command[3:7] == ("sh", "uv", "pip", "compile")
