"""Which of several manifests is installed from, and what is said of those that lose."""

from __future__ import annotations

import pytest

from s2i.errors import E_CONFIG, E_UNSUPPORTED, S2IError
from tests.planning.conftest import commands

PEP621 = '[project]\nname = "a"\nversion = "1"\ndependencies = ["flask>=3"]\n'
POETRY = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.10"\nflask = "^3.0"\n'
PIPFILE = '[packages]\nflask = "*"\n'
CONDA = "dependencies:\n  - python=3.12\n  - pip\n  - pip:\n    - flask==3.0.3\n"
SETUP = 'from setuptools import setup\nsetup(name="a", install_requires=["flask>=3"])\n'
SETUP_CFG = "[metadata]\nname = a\n[options]\ninstall_requires =\n    flask>=3\n"
HATCH = '[tool.hatch.envs.default]\ndependencies = ["flask>=3"]\n'


def chosen(plan):
    decision = next(d for d in plan.decisions if d.what == "manager")
    return decision.value, decision.origin, [(r.value, r.why) for r in decision.rejected]


def installed(plan):
    """Return the words behind `uv pip install --python …`, without the server that is added."""
    found = [command[5:] for command in commands(plan) if command[:3] == ("uv", "pip", "install")]
    return [tuple(w for w in words if not w.startswith("gunicorn")) for words in found]


@pytest.mark.parametrize(
    ("files", "manager", "origin", "words"),
    [
        ({"requirements.txt": "flask\n"}, "requirements.txt", "requirements.txt:1", ("-r", "requirements.txt")),
        ({"requirements/production.txt": "flask\n"}, "requirements.txt", "requirements/production.txt:1", ("-r", "requirements/production.txt")),
        ({"requirements/prod.txt": "flask\n"}, "requirements.txt", "requirements/prod.txt:1", ("-r", "requirements/prod.txt")),
        ({"requirements/base.txt": "flask\n"}, "requirements.txt", "requirements/base.txt:1", ("-r", "requirements/base.txt")),
        ({"requirements-prod.txt": "flask\n"}, "requirements.txt", "requirements-prod.txt:1", ("-r", "requirements-prod.txt")),
        ({"requirements.in": "flask\n"}, "requirements.txt", "requirements.in:1", ("-r", "requirements.in")),
        ({"pyproject.toml": PEP621}, "pyproject", "pyproject.toml:1", ("-r", "pyproject.toml")),
        ({"pyproject.toml": HATCH}, "pyproject", "pyproject.toml:1", ("flask>=3",)),
        ({"pyproject.toml": POETRY}, "poetry", "pyproject.toml:1", ("flask>=3.0,<4",)),
        ({"Pipfile": PIPFILE}, "pipenv", "Pipfile:1", ("flask",)),
        ({"setup.py": SETUP}, "setup.py", "setup.py:2", ("flask>=3",)),
        ({"setup.cfg": SETUP_CFG}, "setup.cfg", "setup.cfg:4", ("flask>=3",)),
        ({"environment.yml": CONDA}, "conda-pip", "environment.yml:1", ("flask==3.0.3",)),
    ],
)  # fmt: skip
def test_each_manifest_is_installed_from_when_it_is_alone(plan_of, flask, files, manager, origin, words):
    plan = plan_of({"app.py": flask, **files})
    assert ((manager, origin, []), [words]) == (chosen(plan), installed(plan))


def test_the_first_in_the_order_wins_and_the_others_are_named(plan_of, flask):
    files = {"environment.yml": CONDA, "setup.py": SETUP, "pyproject.toml": PEP621, "Pipfile": PIPFILE}
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n", **files})
    lost = [
        (path, "requirements.txt comes first") for path in ("Pipfile", "pyproject.toml", "setup.py", "environment.yml")
    ]
    assert ("requirements.txt", "requirements.txt:1", lost) == chosen(plan)


def test_of_several_requirements_files_the_one_that_runs_wins(plan_of, flask):
    files = {f"requirements/{name}.txt": "flask\n" for name in ("base", "dev", "production")}
    expected = (
        "requirements.txt",
        "requirements/production.txt:1",
        [("requirements/base.txt", "requirements/production.txt comes first")],
    )
    assert expected == chosen(plan_of({"app.py": flask, **files}))


def test_a_file_that_the_chosen_one_includes_has_not_lost(plan_of, flask):
    files = {"requirements/base.txt": "flask\n", "requirements/prod.txt": "-r base.txt\n"}
    assert [] == chosen(plan_of({"app.py": flask, **files}))[2]


def test_the_manager_of_the_settings_is_taken(plan_of, flask):
    files = {"requirements.txt": "flask\n", "Pipfile": PIPFILE, "s2i.toml": 'manager = "pipenv"\n'}
    assert ("pipenv", "s2i.toml:1", [("requirements.txt", "s2i.toml:1 names another")]) == chosen(
        plan_of({"app.py": flask, **files})
    )


@pytest.mark.parametrize(
    ("manager", "message", "advice"),
    [
        ("poetry", 'cannot use this configuration: manager = "poetry", but the source has no file of it', "leave the line out, or name one that is there: requirements.txt (requirements.txt)"),
        ("npm", 'cannot use this configuration: there is no manager "npm"', "manager is one of uv, poetry, pdm, pylock, pipenv, requirements.txt, pyproject, setup.py, setup.cfg, conda-pip, none"),
    ],
)  # fmt: skip
def test_a_manager_without_its_file_is_refused(plan_of, flask, manager, message, advice):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, "requirements.txt": "flask\n", "s2i.toml": f'manager = "{manager}"\n'})
    assert (E_CONFIG, message, advice, "s2i.toml:1") == (
        refused.value.kind, refused.value.message, refused.value.advice, refused.value.where,
    )  # fmt: skip


def test_a_setup_cfg_of_other_tools_is_no_manifest(plan_of, flask):
    assert "none" == plan_of({"app.py": flask, "setup.cfg": "[flake8]\nmax-line-length = 100\n"}).manager


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("dependencies:\n- python=3.11\n- flask\n", "environment.yml: flask"),
        ("dependencies: [python=3.11, flask]\n", "environment.yml: flask"),
        ("dependencies:\n  - conda-forge::numpy=1.26\n", "environment.yml: conda-forge::numpy=1.26"),
        ("dependencies:\n  - &all [x]\n", "environment.yml: - &all [x]"),
    ],
)
def test_packages_of_conda_are_refused_by_name(plan_of, flask, text, package):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, "environment.yml": text})
    expected = f"a conda environment ({package}) is not supported"
    assert (E_UNSUPPORTED, expected) == (refused.value.kind, refused.value.message)


def test_the_python_of_an_environment_is_wished_for(plan_of, flask):
    assert "3.12" == plan_of({"app.py": flask, "environment.yml": CONDA}).python


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ('deps = ["flask", "httpx"]\nsetup(install_requires=deps)\n', ("flask", "httpx")),
        ('setup(install_requires=["flask"] + ["httpx"])\n', ("flask", "httpx")),
        ('setup(install_requires="""\n  flask\n  # comment\n  httpx\n""")\n', ("flask", "httpx")),
        ('if __name__ == "__main__":\n    setuptools.setup(install_requires=["flask"])\n', ("flask",)),
        ('setup(install_requires=open("r.txt").read().splitlines())\n', ("-r", "r.txt")),
        ('with open("r.txt") as f:\n    deps = f.readlines()\nsetup(install_requires=deps)\n', ("-r", "r.txt")),
        (
            'def lines(p):\n    return open(p).read().split("\\n")\nsetup(install_requires=lines("r.txt"))\n',
            ("-r", "r.txt"),
        ),
        ('setup(install_requires=[l.strip() for l in open("r.txt")])\n', ("-r", "r.txt")),
        ("setup(install_requires=ask())\n", (".",)),
        ("setup(**arguments)\n", (".",)),
        ('deps = ["flask"]\ndeps.append(more())\nsetup(install_requires=deps)\n', (".",)),
        ('deps = ["flask"]\nif True:\n    deps = []\nsetup(install_requires=deps)\n', (".",)),
        ("print(1\n", (".",)),
    ],
)
def test_setup_py_is_read_as_far_as_it_is_plain_and_else_built(plan_of, flask, setup, words):
    plan = plan_of({"app.py": flask, "setup.py": setup, "r.txt": "flask\n"})
    assert [words] == installed(plan)


def test_setup_py_without_requirements_leaves_them_to_setup_cfg(plan_of, flask):
    plan = plan_of({"app.py": flask, "setup.py": "from setuptools import setup\nsetup()\n", "setup.cfg": SETUP_CFG})
    assert [("flask>=3",)] == installed(plan)


def test_dynamic_dependencies_that_stand_in_a_file_are_read_from_there(plan_of, flask):
    project = '[project]\nname = "a"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {file = ["r.txt"]}\n'
    plan = plan_of({"app.py": flask, "pyproject.toml": project, "r.txt": "flask\n"})
    assert ("pyproject", [("-r", "r.txt")]) == (plan.manager, installed(plan))


def test_a_group_of_production_is_installed_when_the_project_names_nothing(plan_of, flask):
    project = '[dependency-groups]\nweb = ["flask"]\nprod = [{include-group = "web"}, "httpx"]\ndev = ["pytest"]\n'
    plan = plan_of({"app.py": flask, "pyproject.toml": project})
    assert [("--group", "prod")] == installed(plan)


def test_windows_only_pins_are_left_out_and_said(plan_of, flask):
    text = 'flask\npywin32==306\nPyWinPTY==2\ncolorama\npyreadline3; sys_platform == "win32"\n'
    plan = plan_of({"app.py": flask, "requirements.txt": text})
    dropped = next(command for command in commands(plan) if "sys.argv[2:]" in str(command))
    notices = [(w.code, w.where) for w in plan.warnings if w.code == "W_WINDOWS_ONLY"]
    assert ("pywin32,pywinpty", "requirements.txt") == dropped[3:]
    assert [("W_WINDOWS_ONLY", "requirements.txt:2"), ("W_WINDOWS_ONLY", "requirements.txt:3")] == notices


def test_each_windows_only_row_leaves_its_distribution_out():
    from s2i.planning import buildpack

    buildpack.load("python")
    from buildpacks.python.manifest import windows
    from buildpacks.python.requirements import Requirement, normalise

    rows = windows._rows()
    assert all(name == normalise(name) and row.why and row.link.startswith("https://") for name, row in rows.items())
    found, _ = windows.only(Requirement(name, "", "r:1") for name in rows)
    assert set(rows) == {r.name for r in found}
