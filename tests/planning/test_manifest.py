"""What is installed, from which files, and by which server the application is served."""

from __future__ import annotations

import pytest

from s2i.errors import E_TOML, E_UNSUPPORTED, S2IError
from s2i.planning.plan import Copy
from tests.planning.conftest import commands, installing

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
    """Return the words behind `uv pip install --python …` and `uv sync` of a plan."""
    return [argv[5:] if argv[1] == "pip" else argv[1:3] for argv in installing(plan) if argv[0] == "uv"]


@pytest.mark.parametrize(
    ("requirements", "words", "command"),
    [
        ("flask\n", ("-r", "requirements.txt", "gunicorn>=21,<28"), "gunicorn"),
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
        ("starlette\n", ("-r", "requirements.txt", "hypercorn>=0.11,<0.19"), "exec hypercorn"),
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
    assert installs(plan) == [("-r", "requirements.txt"), ("gunicorn>=21,<28",)]


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


@pytest.mark.parametrize("name", ["requirement.txt", "requirments.txt", "Requirements.txt.txt", "requirements.text"])
def test_a_file_that_may_be_meant_as_the_requirements_is_named(plan_of, flask, name):
    (notice,) = plan_of({"app.py": flask, name: "flask==3.0\n"}).warnings
    assert notice.message.endswith(f"; is {name} meant to be read? then call it requirements.txt")


def test_a_file_of_another_name_is_not_taken_for_the_requirements(plan_of, flask):
    (notice,) = plan_of({"app.py": flask, "robots.txt": "x\n", "experiments.txt": "y\n"}).warnings
    assert notice.message.endswith("newest version: flask")


def test_without_a_manifest_the_framework_is_installed_and_said(plan_of, flask):
    plan = plan_of({"app.py": flask})
    assert installs(plan) == [("flask", "gunicorn>=21,<28")]
    assert [w.code for w in plan.warnings] == ["W_NO_MANIFEST"]


def test_a_project_whose_version_comes_from_git_is_not_installed(plan_of):
    project = (
        '[build-system]\nrequires = []\n[project]\nname = "a"\ndynamic = ["version"]\ndependencies = ["starlette"]\n'
    )
    plan = plan_of({"src/a/web.py": ASGI, "pyproject.toml": project})
    assert ("PYTHONPATH", "/app/src") in plan.env
    assert installs(plan) == [("-r", "pyproject.toml", "hypercorn>=0.11,<0.19")]


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


def uv(plan):
    return next(command for command in commands(plan) if "sync" in command)


def test_the_uv_that_the_project_requires_installs(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["starlette"]\n[tool.uv]\nrequired-version = ">=0.6, <0.7"\n'
    plan = plan_of({"app.py": ASGI, "pyproject.toml": project, "uv.lock": LOCK})
    runs = installing(plan)
    assert {("uv", "tool", "run", "--from", "uv>=0.6,<0.7", "uv")} == {argv[:6] for argv in runs}


def test_the_uv_that_is_there_makes_the_environment_though_the_project_requires_another(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["starlette"]\n[tool.uv]\nrequired-version = ">=0.6, <0.7"\n'
    plan = plan_of({"app.py": ASGI, "pyproject.toml": project})
    assert [("uv", "venv", "--no-config", "--python")] == [c[:4] for c in commands(plan) if c[:2] == ("uv", "venv")]


def test_a_required_version_that_is_none_is_refused(plan_of):
    project = '[project]\nname = "a"\n[tool.uv]\nrequired-version = "$(id)"\n'
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": ASGI, "pyproject.toml": project})
    assert (E_TOML, "pyproject.toml:4") == (refused.value.kind, refused.value.where)


WORKSPACE = '[tool.uv.workspace]\nmembers = ["lib"]\n'


def test_the_members_of_a_workspace_need_the_source(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["starlette"]\n' + WORKSPACE
    lock = LOCK + '\n[[package]]\nname = "lib"\nversion = "1"\nsource = { editable = "lib" }\n'
    plan = plan_of({"app.py": ASGI, "pyproject.toml": project, "uv.lock": lock, "lib/pyproject.toml": ""})
    assert [(".",)] == [s.sources for s in plan.steps if isinstance(s, Copy) and s.stage == "build"]


def test_a_workspace_whose_root_is_no_project_installs_all_members(plan_of):
    lock = 'version = 1\n[[package]]\nname = "web"\nsource = { virtual = "web" }\ndependencies = [{ name = "starlette" }]\n'
    lock += '[[package]]\nname = "starlette"\nversion = "0.40"\n'
    member = '[project]\nname = "web"\ndependencies = ["starlette"]\n'
    plan = plan_of({"app.py": ASGI, "pyproject.toml": WORKSPACE, "uv.lock": lock, "web/pyproject.toml": member})
    assert ("uv", True) == (plan.manager, "--all-packages" in uv(plan))


def test_a_member_whose_workspace_lies_above_is_refused_in_words(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["lib"]\n[tool.uv.sources]\nlib = { workspace = true }\n'
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": ASGI, "pyproject.toml": project})
    assert E_UNSUPPORTED is refused.value.kind
    assert "pyproject.toml:5" == refused.value.where


def test_a_path_of_uv_that_leads_out_is_refused(plan_of):
    project = '[project]\nname = "a"\ndependencies = ["lib"]\n[tool.uv.sources]\nlib = { path = "../lib" }\n'
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": ASGI, "pyproject.toml": project})
    assert "E_PATH_ESCAPE" == refused.value.code


def test_groups_that_uv_installs_by_default_are_left_out(plan_of):
    project = (
        '[project]\nname = "a"\ndependencies = ["starlette"]\n[tool.uv]\ndefault-groups = ["dev", "lint", "prod"]\n'
    )
    plan = plan_of({"app.py": ASGI, "pyproject.toml": project, "uv.lock": LOCK})
    assert ("--no-dev", "--no-group", "lint", "--no-install-project") == uv(plan)[3:7]


@pytest.mark.parametrize(
    ("project", "reason"),
    [
        ('name = "b"\ndependencies = ["starlette"]\n', "it was made for a project called a"),
        ('name = "a"\nrequires-python = ">=3.12"\ndependencies = ["starlette"]\n', 'it was made for Python ">=3.11"'),
        ('name = "a"\ndependencies = ["starlette>=1"]\n', "it has starlette 0.40, asked for is >=1"),
        ('name = "a"\ndependencies = ["starlette", "httpx"]\n', "it was made for other dependencies (httpx)"),
    ],
)
def test_what_makes_a_lock_of_uv_out_of_date_is_said(plan_of, project, reason):
    plan = plan_of({"app.py": ASGI, "pyproject.toml": f"[project]\n{project}", "uv.lock": LOCK})
    expected = f"uv.lock is out of date: {reason}. The dependencies are resolved again"
    assert [expected] == [w.message for w in plan.warnings]


def test_a_project_in_a_folder_of_wheels_needs_the_source(plan_of, flask):
    files = {"app.py": flask, "requirements.txt": "--find-links wheels\nflask\n", "wheels/x.whl": ""}
    assert [(".",)] == [s.sources for s in plan_of(files).steps if isinstance(s, Copy) and s.stage == "build"]
