"""What is installed, from which files, and by which server the application is served."""

from __future__ import annotations

import pytest

from s2i.errors import E_TOML, E_UNSUPPORTED, S2IError
from s2i.planning.plan import Copy, Run

ASGI = "from starlette.applications import Starlette\napp = Starlette()\n"
LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "a"
version = "1"
source = { virtual = "." }

[package.metadata]
requires-dist = [{ name = "starlette" }]

[[package]]
name = "starlette"
version = "0.40"
source = { registry = "https://pypi.org/simple" }
"""


def installs(plan):
    """Return the words behind `uv pip install … --compile-bytecode` and `uv sync` of a plan."""
    runs = [
        step.argv for step in plan.steps if isinstance(step, Run) and step.argv[0] == "uv" and step.argv[1] != "venv"
    ]
    return [argv[6:] if argv[1] == "pip" else argv[1:3] for argv in runs]


@pytest.mark.parametrize(
    ("requirements", "words", "command"),
    [
        ("flask\n", ("-r", "requirements.txt", "gunicorn>=23,<28"), "gunicorn"),
        ("flask\ngunicorn==22.0.0\n", ("-r", "requirements.txt"), "gunicorn"),
        ("flask\nGunicorn\n", ("-r", "requirements.txt"), "gunicorn"),
    ],
)
def test_gunicorn_is_added_unless_the_source_declares_its_own(plan_of, flask, requirements, words, command):
    plan = plan_of({"app.py": flask, "requirements.txt": requirements})
    assert ([words], command) == (installs(plan), plan.start[0])


@pytest.mark.parametrize(
    ("requirements", "words", "server"),
    [
        ("starlette\n", ("-r", "requirements.txt", "hypercorn>=0.17,<0.19"), "exec hypercorn"),
        ("starlette\nhypercorn==0.16\n", ("-r", "requirements.txt"), "exec hypercorn"),
        ("starlette\nuvicorn[standard]\n", ("-r", "requirements.txt"), "exec uvicorn"),
    ],
)
def test_asgi_is_served_by_hypercorn_or_the_declared_server(plan_of, requirements, words, server):
    plan = plan_of({"app.py": ASGI, "requirements.txt": requirements})
    assert [words] == installs(plan)
    assert plan.start[2].startswith(server)


def test_a_factory_is_quoted_for_the_shell(plan_of):
    source = "from fastapi import FastAPI\ndef make_app():\n    return FastAPI()\n"
    plan = plan_of({"web.py": source, "requirements.txt": "fastapi\n"})
    expected = "exec hypercorn --bind 0.0.0.0:${PORT:-8080} --access-logfile - 'web:make_app()'"
    assert ("sh", "-c", expected) == plan.start


def test_what_gunicorn_conf_binds_is_overruled(plan_of, flask):
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n", "gunicorn.conf.py": "bind = '127.0.0.1:1'\n"})
    assert plan.start[2].startswith("exec gunicorn --bind 0.0.0.0:${PORT:-8080} ")


def test_hashes_are_kept_apart_from_what_is_added(plan_of, flask):
    plan = plan_of({"app.py": flask, "requirements.txt": "flask==3 --hash=sha256:ab\n"})
    assert installs(plan) == [("-r", "requirements.txt"), ("gunicorn>=23,<28",)]


def test_only_the_manifests_are_copied_before_the_dependencies(plan_of, flask):
    files = {"app.py": flask, "requirements.txt": "-r deps/web.txt\n", "deps/web.txt": "flask\n"}
    copies = [step for step in plan_of(files).steps if isinstance(step, Copy) and step.stage == "build"]
    expected = [(("requirements.txt",), "/app/"), (("deps/web.txt",), "/app/deps/")]
    assert expected == [(copy.sources, copy.to) for copy in copies]


def test_a_manifest_with_an_odd_name_is_copied_with_the_whole_source(plan_of, flask):
    files = {"app.py": flask, "requirements.txt": "-r 'deps [web].txt'\n", "deps [web].txt": "flask\n"}
    copies = [step for step in plan_of(files).steps if isinstance(step, Copy) and step.stage == "build"]
    assert [copy.sources for copy in copies] == [(".",)]


def test_a_lock_is_installed_frozen_and_its_server_is_not_added_again(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["starlette"]\n'
    lock = LOCK + '\n[[package]]\nname = "hypercorn"\nversion = "0.17"\n'
    plan = plan_of({"app.py": ASGI, "pyproject.toml": project, "uv.lock": lock})
    assert (plan.manager, installs(plan)) == ("uv", [("sync", "--frozen")])


def test_a_lock_that_was_made_for_other_dependencies_is_resolved_again(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["starlette", "httpx"]\n'
    plan = plan_of({"app.py": ASGI, "pyproject.toml": project, "uv.lock": LOCK})
    assert installs(plan)[0] == ("sync", "--no-dev")
    assert [w.code for w in plan.warnings] == ["W_LOCK_STALE"]


def test_an_empty_pyproject_is_no_manifest(plan_of, flask):
    assert plan_of({"app.py": flask, "pyproject.toml": "", "requirements.txt": "flask\n"}).manager == "requirements.txt"


def test_without_a_manifest_the_framework_is_installed_and_said(plan_of, flask):
    plan = plan_of({"app.py": flask})
    assert installs(plan) == [("flask", "gunicorn>=23,<28")]
    assert [w.code for w in plan.warnings] == ["W_NO_MANIFEST"]


def test_a_project_whose_version_comes_from_git_is_not_installed(plan_of):
    project = (
        '[build-system]\nrequires = []\n[project]\nname = "a"\ndynamic = ["version"]\ndependencies = ["starlette"]\n'
    )
    plan = plan_of({"src/a/web.py": ASGI, "pyproject.toml": project})
    assert ("PYTHONPATH", "/app/src") in plan.env
    assert installs(plan) == [("-r", "pyproject.toml", "hypercorn>=0.17,<0.19")]


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"environment.yml": "dependencies: [flask]\n"}, "a conda environment (environment.yml) is not supported"),
        ({"Pipfile": ""}, "a Pipfile is not supported"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\n"}, "Poetry's own table is not supported"),
    ],
)
def test_a_manifest_of_another_tool_is_refused_by_name(plan_of, flask, files, what):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, **files})
    assert (E_UNSUPPORTED, what) == (refused.value.kind, refused.value.message)


@pytest.mark.parametrize(
    "text",
    [
        "[project\n",
        'a = "' + "\0" + '"\n',
        "a=" + "[" * 5000 + "]" * 5000,
        ".".join(["a"] * 20000) + "=1",
        "a=" + "9" * 5000,
        '[project]\nname="a"\ndependencies=[1,{a=2}]\n',
        "project = 1\n",
    ],
)
def test_bad_toml_is_one_clear_error(plan_of, flask, text):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, "pyproject.toml": text})
    assert E_TOML is refused.value.kind
