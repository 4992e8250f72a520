"""Which Python: what the source asks for, met with what is offered (3.10 to 3.13)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from buildpacks.python import version
from s2i import sources
from s2i.errors import E_PYTHON_VERSION, S2IError
from s2i.planning.plan import Base, BuildPlan
from s2i.planning.settings import Given


def project(requires: str) -> str:
    return f'[project]\nname = "a"\nrequires-python = "{requires}"\n'


@pytest.mark.parametrize(
    ("files", "python", "origin"),
    [
        ({}, "3.13", "the newest offered"),
        ({".python-version": "3.11\n"}, "3.11", ".python-version:1"),
        ({".python-version": "# ours\n3.12.4\n"}, "3.12", ".python-version:2"),
        ({".python-version": ">=3.10,<3.12\n"}, "3.11", ".python-version:1"),
        ({".python-version": "3.11.7\n3.12.1\n"}, "3.11", ".python-version:1"),
        ({".python-version": "cpython-3.12.1-linux-x86_64-gnu\n"}, "3.12", ".python-version:1"),
        ({".python-version": "python-3.12\n"}, "3.12", ".python-version:1"),
        ({".python-version": "3\n"}, "3.13", ".python-version:1"),
        ({".tool-versions": "nodejs 20.1.0\npython 3.12.1 3.11.0 # ours\n"}, "3.12", ".tool-versions:2"),
        ({".tool-versions": "python latest\n"}, "3.13", "the newest offered"),
        ({"mise.toml": '[tools]\npython = "3.12"\n'}, "3.12", "mise.toml:2"),
        ({".mise.toml": '[tools]\npython = ["3.11", "3.12"]\n'}, "3.11", ".mise.toml:2"),
        ({"mise.toml": '[tools]\npython = {version = "3.10", virtualenv = ".venv"}\n'}, "3.10", "mise.toml:2"),
        ({".config/mise.toml": '[tools]\n"core:python" = "prefix:3.12"\n'}, "3.12", ".config/mise.toml"),
        ({"mise.toml": '[tools]\nnode = "20"\n'}, "3.13", "the newest offered"),
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


def warning(plan: BuildPlan) -> str:
    """Return the one W_PYTHON notice of a plan."""
    [message] = [w.message for w in plan.warnings if w.code in ("W_PYTHON", "W_PYTHON_ABSENT")]
    return message


def test_a_runtime_file_gives_way_to_the_project(plan_of, flask):
    plan = plan_of({"app.py": flask, "runtime.txt": "python-3.6.5\n", "pyproject.toml": project(">=3.11")})
    notice = next(w for w in plan.warnings if w.code == "W_PYTHON")
    assert plan.python == "3.13"
    assert notice.message == '"python-3.6.5" is overruled: pyproject.toml:3 asks for ">=3.11"'


def test_a_bound_that_nothing_on_offer_meets_is_refused_with_what_there_is(plan_of, flask):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, ".python-version": "3.8\n", "pyproject.toml": project(">=3.7,<3.9")})
    expected = 'no Python fits ">=3.7,<3.9" (pyproject.toml:3); offered are 3.13, 3.12, 3.11, 3.10'
    assert (E_PYTHON_VERSION, expected) == (refused.value.kind, refused.value.message)


@pytest.mark.parametrize(("pinned", "python"), [("3.8", "3.10"), ("3.14.2", "3.13"), ("3.5", "3.10")])
def test_a_python_that_is_not_offered_is_met_by_the_nearest_and_that_is_said(plan_of, flask, pinned, python):
    plan = plan_of({"app.py": flask, ".python-version": pinned, "pyproject.toml": project(">=3.4")})
    minor = ".".join(pinned.split(".")[:2])
    assert python == plan.python
    assert warning(plan) == (
        f'"{pinned}" is overruled: Python {minor} is not offered here; the nearest, {python}, is used. '
        f"For the exact one get its base image (`s2i doctor` lists them), or ask for {python}"
    )


def test_what_s2i_toml_says_is_never_overruled(plan_of, flask):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, "s2i.toml": 'python = "3.14"\n'})
    assert 'no Python fits "3.14" (s2i.toml:1); offered are 3.13, 3.12, 3.11, 3.10' == refused.value.message
    plan = plan_of({"app.py": flask, "s2i.toml": 'python = "3.13"\n', "requirements.txt": "numpy==1.22.0\n"})
    expected = (
        "numpy==1.22.0 will likely not install on Python 3.13: it has no wheel for a Python after 3.10. "
        "Use Python 3.10 or older, or another release of it"
    )
    assert ("3.13", expected) == (plan.python, warning(plan))


def test_a_pin_of_a_dependency_overrules_what_the_developer_pinned(plan_of, flask):
    plan = plan_of({"app.py": flask, ".python-version": "3.12\n", "requirements.txt": "flask\nnumpy==1.22.0\n"})
    decision = next(d for d in plan.decisions if d.what == "python")
    why = "numpy==1.22.0 (requirements.txt:2) has no wheel for a Python after 3.10"
    assert ("3.10", "requirements.txt:2", "likely") == (plan.python, decision.origin, decision.strength)
    assert ("3.12", f".python-version:1: {why}") == (decision.rejected[0].value, decision.rejected[0].why)
    assert f'"3.12" is overruled: {why}' == warning(plan)


def test_a_bound_beside_a_requirements_file_gives_way_to_its_pins(plan_of, flask):
    files = {"app.py": flask, "pyproject.toml": project(">=3.11"), "requirements.txt": "numpy==1.22.0\n"}
    plan = plan_of(files)
    expected = '">=3.11" is overruled: numpy==1.22.0 (requirements.txt:1) has no wheel for a Python after 3.10'
    assert ("3.10", expected) == (plan.python, warning(plan))


def test_a_bound_that_the_installer_enforces_wins_over_the_pins(plan_of, flask):
    text = project(">=3.11") + 'dependencies = ["flask", "numpy==1.22.0"]\n'
    plan = plan_of({"app.py": flask, "pyproject.toml": text})
    assert "3.11" == plan.python
    assert warning(plan).startswith("numpy==1.22.0 will likely not install on Python 3.11: ")


def test_a_python_that_has_ended_is_named_with_what_forces_it(plan_of, flask):
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\nnumpy==1.22.0\n"})
    notice = next(w for w in plan.warnings if w.code == "W_PYTHON_EOL")
    expected = "Python 3.10 reached its end of life in 2026-10; requirements.txt:2 leaves no newer one"
    assert (expected, "requirements.txt:2") == (notice.message, notice.where)


def test_the_first_of_two_developers_files_wins_and_the_other_is_named(plan_of, flask):
    plan = plan_of({"app.py": flask, ".python-version": "3.12\n", "runtime.txt": "python-3.11.4\n"})
    assert "3.12" == plan.python
    assert '"python-3.11.4" is overruled: .python-version:1 asks for "3.12"' == warning(plan)


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({".python-version": "3.12-slim\nRUN touch /INJECTED"}, ".python-version:1"),
        ({".python-version": "3.12\nRUN touch /INJECTED"}, ".python-version:2"),
        ({".python-version": "pypy3.10\n"}, ".python-version:1"),
        ({"runtime.txt": "python-3.12\nFROM evil\n"}, "runtime.txt:2"),
        ({"runtime.txt": "python:3.12\n"}, "runtime.txt:1"),
        ({"pyproject.toml": project("3.12 || true")}, "pyproject.toml:3"),
        ({".python-version": "3.99\n"}, ".python-version:1"),
        ({".tool-versions": "python pypy3.9-7.3.11\n"}, ".tool-versions:1"),
        ({".tool-versions": "python $(id)\n"}, ".tool-versions:1"),
        ({"mise.toml": "[tools]\npython = 3.12\n"}, "mise.toml:2"),
        ({"mise.toml": '[tools]\npython = "newest"\n'}, "mise.toml:2"),
        ({"s2i.toml": 'python = "latest"\n'}, "s2i.toml:1"),
    ],
)
def test_what_is_no_version_is_refused(plan_of, flask, files, where):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, **files})
    assert (E_PYTHON_VERSION, where) == (refused.value.kind, refused.value.where)


@pytest.mark.parametrize("path", [".python-version", "runtime.txt", ".tool-versions"])
def test_python_2_is_refused_in_so_many_words(plan_of, flask, path):
    text = {"runtime.txt": "python-2.7.18", ".tool-versions": "python 2.7.18"}.get(path, "2.7.18")
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, path: text})
    assert "that is Python 2, which ended in 2020" in refused.value.message
    assert "port the code to Python 3" in refused.value.advice


def test_python_2_in_a_developers_file_gives_way_to_the_project(plan_of, flask):
    plan = plan_of({"app.py": flask, "runtime.txt": "python-2.7.18\n", "pyproject.toml": project(">=3.11")})
    expected = '"python-2.7.18" is overruled: pyproject.toml:3 asks for ">=3.11"'
    assert ("3.13", expected) == (plan.python, warning(plan))


@pytest.mark.parametrize(
    ("text", "minors"),
    [
        ("^3.10", {10, 11, 12, 13}),
        ("^3.11.2", {11, 12, 13}),
        ("^3", {9, 10, 11, 12, 13}),
        ("~3.11", {11}),
        ("~3.11.2", {11}),
        ("~3", {9, 10, 11, 12, 13}),
        ("3.*", {9, 10, 11, 12, 13}),
        ("3.11.*", {11}),
        ("3.11", {11}),
        ("3.11.4", {11}),
        ("*", {9, 10, 11, 12, 13}),
        (">=3.10,<3.12", {10, 11}),
        (">=3.10 <3.12", {10, 11}),
        ("~3.10 || ^3.12", {10, 12, 13}),
        ("^2.7 || ^3.11", {11, 12, 13}),
        ("^3.9, !=3.10.*", {9, 11, 12, 13}),
        ("^2.7", set()),
    ],
)
def test_poetrys_notation_is_translated(text, minors):
    wish = version.caret(text, "pyproject.toml:9")
    assert (text, minors) == (wish.said, {m for m in range(9, 14) if wish.allows(m)})


@pytest.mark.parametrize("text", ["", "^", "latest", "^3.x", "3.9 - 3.11", "^3.10 || true", "$(id)", ">=3.9\nRUN x"])
def test_what_is_not_poetrys_notation_is_refused(text):
    with pytest.raises(S2IError) as refused:
        version.caret(text, "pyproject.toml:9")
    assert (E_PYTHON_VERSION, "pyproject.toml:9") == (refused.value.kind, refused.value.where)


CLAUSES = st.builds(
    "{}{}{}".format,
    st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~=", ">= "]),
    st.sampled_from(["3", "3.8", "3.11", "3.11.0", "3.11.4", "2.7", "4", "4.0"]),
    st.sampled_from(["", "", ".*"]),
)


@given(st.lists(CLAUSES, min_size=1, max_size=3).map(",".join))
def test_a_specifier_means_what_packaging_says_it_means(text):
    try:
        allowed = SpecifierSet(text)
    except InvalidSpecifier:
        with pytest.raises(S2IError):
            version.specifier(text, "pyproject.toml:1")
        return
    wish = version.specifier(text, "pyproject.toml:1")
    expected = {m for m in range(6, 16) if any(f"3.{m}.{patch}" in allowed for patch in (*range(31), 99))}
    assert expected == {m for m in range(6, 16) if wish.allows(m)}


WORDS = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(["3", ".", "12", "2", "7", "*", "^", "~", "=", ">", "<", ",", "|", " ", "\n", "python", "-",
                              "pypy", "#", "[tools]\n", '"', "\x00", "\ufeff", "9" * 50, "a"])).map("".join),
)  # fmt: skip
OFFERED = tuple(Base(f"3.{minor}", "", "") for minor in (9, 11, 13))


@given(st.sampled_from([".python-version", "runtime.txt", ".tool-versions", "mise.toml"]), WORDS)
def test_no_text_in_those_files_does_more_than_be_refused(path, text):
    prefix = {".tool-versions": "python ", "mise.toml": "[tools]\npython = "}.get(path, "")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, path).write_bytes((prefix + text).encode(errors="replace"))
        with sources.fetch(sources.parse(folder), policy=sources.Policy()) as tree:
            try:
                chosen = version.choose(version.wishes(tree, Given()), OFFERED)
            except S2IError:
                return
    assert chosen.base in OFFERED


@given(WORDS)
def test_no_requirement_does_more_than_be_refused(text):
    for read in (version.specifier, version.pin, version.caret):
        try:
            chosen = version.choose([read(text, "pyproject.toml:1")], OFFERED)
        except S2IError:
            continue
        assert chosen.base in OFFERED


@pytest.mark.parametrize(
    ("file", "text", "python"),
    [
        (".python-version", "3.11.x\n", "3.11"),
        ("runtime.txt", "python-3.11.x\n", "3.11"),
        (".python-version", "latest\n", "3.13"),
        (".python-version", "system\n", "3.13"),
    ],
)
def test_a_version_that_leaves_the_patch_or_all_of_it_open_is_taken_so(plan_of, flask, file, text, python):
    assert python == plan_of({"app.py": flask, "requirements.txt": "flask\n", file: text}).python


@pytest.mark.parametrize(
    ("offered", "python"),
    [
        ((("3.13", "make"), ("3.12", "here")), "3.12"),
        ((("3.10", "make"), ("3.6", "here")), "3.10"),
        ((("3.13", "make"), ("3.9", "here")), "3.13"),
        ((("3.9", "here"), ("3.6", "here")), "3.9"),
    ],
)
def test_a_base_that_is_here_is_taken_for_a_newer_one_unless_its_python_has_ended(offered, python):
    bases = tuple(Base(minor, "", "", obtain=obtain) for minor, obtain in offered)
    assert python == version.choose([], bases).base.python
