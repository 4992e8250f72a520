"""System packages: each row of system.toml, what a source lists itself, and the steps that bring them in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from buildpacks.python import debian, packages, system
from s2i.errors import E_CONFIG, S2IError
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base, Copy, Run

ROOT = Path(__file__).parents[2]
NEEDS = system.table().need
NAME = re.compile(r"[a-z0-9][a-z0-9.+-]+")
SLIM = (Base("3.13", "python:3.13-slim", "python:3.13-slim"),)
OURS = (Base("3.13", "s2i.local/python-build:3.13", "s2i.local/python:3.13", "/usr/bin/python3", uv=True),)
APT = "apt-get satisfy -q -y --no-install-recommends"


def needed(plan):
    """Return the words after the script of the step that installs, and of the step that fetches."""
    found = {"Install": (), "Fetch": ()}
    for step in plan.steps:
        if isinstance(step, Run) and APT in " ".join(step.argv):
            found[step.why.partition(" ")[0]] = step.argv[4:]
    return found["Install"], found["Fetch"]


def said(plan):
    return [(d.value, d.origin) for d in plan.decisions if d.what == "system packages"]


def warned(plan):
    return [(w.message, w.where) for w in plan.warnings if w.code == "W_SYSTEM"]


# The table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.case)
def test_a_row_gives_the_packages_for_its_case(tree_of, flask, need):
    files = {"app.py": f"{flask}{need.case}\n"} if need.imports else {"app.py": flask, "requirements.txt": need.case}
    plan = compile_plan(tree_of(files), SLIM)
    build, run = needed(plan)
    assert set(need.build) <= set(build)
    assert {package for package in need.run if "{python}" not in package} <= set(run)
    assert not need.say or need.say in [message for message, _ in warned(plan)]


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.case)
def test_a_row_is_complete(need):
    alternatives = [name for package in (*need.build, *need.run) for name in package.split(" | ")]
    assert [name for name in alternatives if not NAME.fullmatch(name.replace("{python}", "3.13"))] == []
    assert need.why
    assert need.link.startswith(("https://", "http://"))
    assert need.build or need.run or need.say
    assert need.names or need.imports


def test_the_modules_looked_for_are_those_of_the_rows():
    assert tuple(name for need in NEEDS for name in need.imports) == system.MODULES


def test_what_a_base_of_ours_has_is_in_its_recipe():
    recipe = tomllib.loads((ROOT / "s2i/images/bases/recipe.toml").read_text())
    present = system.table().present
    assert present.build - {"gcc"} <= set(recipe["build"]["packages"])  # g++ brings gcc
    assert present.run <= set(recipe["runtime"]["packages"])


# When a row holds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("psycopg2-binary", ((), ())),
        ("psycopg[binary]>=3", ((), ())),
        ("psycopg[c]>=3", (("libpq-dev",), ("libpq5",))),
        ("psycopg>=3", ((), ("libpq5",))),
        ("opencv-python-headless", ((), ())),
        ("lxml", ((), ())),
        ("lxml>=4.9", ((), ())),
        ("lxml==5.3.0", ((), ())),
        ("lxml==4.9.3", (("libxml2-dev", "libxslt1-dev", "zlib1g-dev"), ("libxml2-16 | libxml2", "libxslt1.1"))),
        ("lxml~=4.9.0", (("libxml2-dev", "libxslt1-dev", "zlib1g-dev"), ("libxml2-16 | libxml2", "libxslt1.1"))),
        ("uwsgi", ((), ("libcrypt1", "libpython3.13"))),
        ("gevent==20.6.1", ((), ())),
    ],
)
def test_packages_are_taken_where_no_wheel_brings_them(tree_of, flask, requirement, expected):
    plan = compile_plan(tree_of({"app.py": flask, "requirements.txt": requirement}), OURS)
    assert expected == needed(plan)


def test_geodjango_is_seen_in_the_installed_apps(tree_of):
    tree = tree_of({"app.py": 'INSTALLED_APPS = ["django.contrib.gis"]\nprint(1)\n'})
    (decision,) = said(compile_plan(tree, OURS))
    assert decision[1].startswith("app.py (")


def test_a_lock_needs_what_its_packages_need(tree_of, flask):
    lock = (
        '[[package]]\nname = "a"\nsource = { virtual = "." }\ndependencies = [{ name = "python-magic" }]\n'
        '[[package]]\nname = "python-magic"\nversion = "0.4.27"\n'
    )
    project = '[project]\nname = "a"\nversion = "1"\ndependencies = []\n'
    plan = compile_plan(tree_of({"app.py": flask, "pyproject.toml": project, "uv.lock": lock}), OURS)
    assert said(plan) == [("python-magic: libmagic1 to run", "uv.lock:1 (it loads libmagic when it is imported)")]


def test_a_decision_names_the_requirement_and_why(plan_of, flask):
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\npsycopg2\n"})
    why = "it is never a wheel, and binds to PostgreSQL's client library"
    assert said(plan) == [("psycopg2: libpq-dev to build; libpq5 to run", f"requirements.txt:2 ({why})")]


# What a source lists itself ------------------------------------------------------------------------------------------


def test_s2i_toml_adds_packages(tree_of, flask):
    config = 'build-packages = ["libfoo-dev"]\nrun-packages = ["foo", "libgl1-mesa-glx"]\n'
    plan = compile_plan(tree_of({"app.py": flask, "s2i.toml": config}), OURS)
    assert needed(plan) == (("libfoo-dev",), ("foo", "libgl1"))
    assert said(plan) == [
        ("libfoo-dev to build", "s2i.toml:1 (build-packages)"),
        ("foo, libgl1-mesa-glx to run", "s2i.toml:2 (run-packages)"),
    ]


@pytest.mark.parametrize(
    "name", ["", "x", "-o", "A", "a b", "a|b", "$(id)", "a;b", "a\n", "../a", "a=1", "é1", "a" * 101]
)
def test_a_name_that_is_no_packages_is_refused(tree_of, flask, name):
    with pytest.raises(S2IError) as refused:
        compile_plan(tree_of({"app.py": flask, "s2i.toml": f"run-packages = [{name!r}]\n"}), OURS)
    assert (refused.value.kind, refused.value.where) == (E_CONFIG, "s2i.toml:1")


@pytest.mark.parametrize("path", ["Aptfile", "apt.txt"])
def test_a_list_of_packages_is_honoured(tree_of, flask, path):
    text = "# ours\nffmpeg\nlibpq-dev\ngcc\n:repo:deb http://x y z\nhttps://x/y.deb\n"
    plan = compile_plan(tree_of({"app.py": flask, path: text}), SLIM)
    assert needed(plan) == (("libpq-dev", "gcc"), ("ffmpeg", "libpq-dev"))
    assert said(plan) == [("ffmpeg, libpq-dev, gcc", f"{path}:1")]
    assert warned(plan) == [
        ('left out, no name of a Debian package: ":repo:deb http://x y z"', f"{path}:5"),
        ('left out, no name of a Debian package: "https://x/y.deb"', f"{path}:6"),
    ]


def test_packages_txt_counts_for_streamlit_alone(tree_of, flask):
    files = {"app.py": flask, "packages.txt": "ffmpeg\n"}
    assert needed(compile_plan(tree_of(files), OURS)) == ((), ())
    files["requirements.txt"] = "flask\nstreamlit\n"
    assert needed(compile_plan(tree_of(files), OURS)) == ((), ("ffmpeg",))


def test_a_long_list_is_cut_and_said(tree_of, flask):
    text = "".join(f"lib{number}\n" for number in range(packages.MOST + 50))
    plan = compile_plan(tree_of({"app.py": flask, "Aptfile": text}), OURS)
    assert len(needed(plan)[1]) == packages.MOST
    assert warned(plan)[0] == (f"left out, more than {packages.MOST} packages", f"Aptfile:{packages.MOST + 1}")


def test_a_dockerfile_is_a_hint(tree_of, flask):
    text = "FROM python\nRUN apt-get update -y && apt-get install -y graphviz=2.4* curl libpq-dev $X && apt-get clean\n"
    plan = compile_plan(tree_of({"app.py": flask, "Dockerfile": text}), OURS, "python")
    message = "the Dockerfile installs graphviz; what the application needs of it goes into s2i.toml: "
    assert warned(plan) == [(message + 'run-packages = ["graphviz"]', "Dockerfile:2")]


def test_what_is_there_already_is_no_hint(tree_of, flask):
    files = {"app.py": flask, "Dockerfile": "FROM x\nRUN apt install graphviz\n", "requirements.txt": "pydot\n"}
    assert warned(compile_plan(tree_of(files), OURS, "python")) == []


# The steps -----------------------------------------------------------------------------------------------------------


def test_nothing_is_done_where_nothing_is_needed(tree_of, flask):
    plan = compile_plan(tree_of({"app.py": flask, "requirements.txt": "flask\nlightgbm\n"}), OURS)
    assert needed(plan) == ((), ())
    assert [
        step for step in plan.steps if isinstance(step, Copy) and (step.image or "/opt/system/" in step.sources)
    ] == []


def test_packages_are_installed_fetched_and_copied_before_what_changes_more_often(tree_of, flask):
    plan = compile_plan(tree_of({"app.py": flask, "requirements.txt": "psycopg2\n"}), OURS)
    lists, cache, trust = plan.steps[0].mounts
    assert (plan.steps[0].argv[0], plan.steps[0].argv[1], plan.steps[0].argv[3:]) == ("sh", "-c", ("sh", "libpq-dev"))
    assert [(m.target, m.locked) for m in (lists, cache)] == [("/var/lib/apt/lists", True), ("/var/cache/apt", True)]
    assert trust.id == "ca"
    assert plan.steps[1] == Copy(
        "build", "Get the list of what the image has already", ("/var/lib/dpkg/",), "/opt/base/", image=OURS[0].runtime
    )
    assert plan.steps[2].argv[3:] == ("sh", "libpq5")
    runtime = [step for step in plan.steps if step.stage == "runtime"]
    assert runtime[0] == Copy("runtime", "Copy system packages: libpq5", ("/opt/system/",), "/", from_stage="build")
    assert runtime[1] == Run("runtime", "Make them known to the loader", ("sh", "-c", debian.script("finish")))
    assert runtime[2].from_stage == "build"


@pytest.mark.parametrize("name", ["install", "collect", "finish"])
def test_a_script_can_stand_in_a_dockerfile_which_makes_one_line_of_it(name):
    text = debian.script(name)
    code = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    assert code[0] == "set -eu;"
    assert not re.search(r"[^ -\[\]-~\n]|<<", text)
    assert [line for line in code if " #" in line] == []
    assert [line for line in code if not line.endswith((";", "do", "then"))] == []


def test_the_script_that_installs_is_three_lines_and_a_comment():
    comment, *code = debian.script("install").split("\n")
    assert comment.startswith("# Install what the dependencies are compiled with")
    assert code == ["set -eu;", "apt-get update -qq -o APT::Update::Error-Mode=any;", f'{APT} "$@";']
