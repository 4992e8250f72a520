"""Layers: what is installed apart, what is left out, what is compiled, and which stage starts from which."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from buildpacks.python import heavy, layer, prune
from s2i.planning import toml
from s2i.planning.plan import BuildPlan, Copy, Run, stages
from tests.planning.conftest import commands
from tests.planning.test_locks import PIPFILE

JOB = "import pandas\nprint(pandas.__version__)\n"
HASH = "--hash=sha256:" + "0" * 64
PROJECT = '[project]\nname = "a"\nversion = "1"\ndependencies = ["pandas", "scipy"]\n'
UV_LOCK = """version = 1
[[package]]
name = "a"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "pandas" }, { name = "scipy" }]
[package.metadata]
requires-dist = [{ name = "pandas" }, { name = "scipy" }]
[[package]]
name = "pandas"
version = "2.3.3"
[[package]]
name = "scipy"
version = "1.16.3"
"""


def decided(plan: BuildPlan, what: str) -> str:
    return next((d.value for d in plan.decisions if d.what == what), "")


def test_large_distributions_get_a_layer_of_their_own(plan_of) -> None:
    plan = plan_of({"job.py": JOB, "requirements.txt": "pandas==2.3.3\nscipy\nrequests\n"})
    assert "pandas, scipy in one of their own" == decided(plan, "layers")
    assert (("resolve", None), ("heavy", None), ("build", "heavy"), ("runtime", None)) == stages(plan)
    copies = [(s.stage, s.from_stage, s.sources[0]) for s in plan.steps if isinstance(s, Copy) and s.from_stage]
    assert copies == [
        ("heavy", "resolve", "/tmp/heavy.txt"),
        ("build", "resolve", "/tmp/requirements.txt"),
        ("runtime", "heavy", "/out/heavy/"),
        ("runtime", "build", "/out/build/"),
    ]


def test_the_stage_of_the_large_ones_reads_nothing_but_their_pins(plan_of) -> None:
    plan = plan_of({"job.py": JOB, "requirements.txt": "pandas==2.3.3\nscipy\nrequests\n"})
    steps = [step for step in plan.steps if step.stage == "heavy"]
    assert [Copy] == [type(step) for step in steps if not isinstance(step, Run)]
    assert ("--no-deps", "-r", "/tmp/heavy.txt") == commands(plan, "heavy")[1][-3:]
    pick = ("sed", "-nE", "/^(pandas|scipy|numpy)[ =@]/w /tmp/heavy.txt", "/tmp/requirements.txt")
    assert pick == commands(plan, "resolve")[-1]


def test_what_small_applications_install_stays_in_one_step(plan_of, flask) -> None:
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n"})
    assert (("build", None), ("runtime", None)) == stages(plan)
    assert 1 == sum(isinstance(step, Run) for step in plan.steps)
    assert "" == decided(plan, "layers")


@pytest.mark.parametrize(
    ("files", "first", "rest"),
    [
        ({"pyproject.toml": PROJECT}, ("uv", "pip", "compile"), ("uv", "pip", "install")),
        ({"pyproject.toml": PROJECT, "uv.lock": UV_LOCK}, ("uv", "export", "--quiet"), ("uv", "sync", "--frozen")),
        (
            {"requirements.txt": f"pandas==2.3.3 {HASH}\nscipy==1.16.3 \\\n    {HASH}\n"},
            ("/usr/local/bin/python3", "-c"),
            ("uv", "pip", "install"),
        ),
    ],
    ids=["pyproject", "uv", "hashes"],
)
def test_each_manifest_that_has_exact_versions_is_split(plan_of, files, first, rest) -> None:
    plan = plan_of({"job.py": JOB, **files})
    assert first == commands(plan, "resolve")[0][: len(first)]
    assert rest == commands(plan, "build")[0][: len(rest)]


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "--index-url https://example.com/simple\npandas\nscipy\n"},
        {"requirements.txt": "pandas\nscipy\n-e ./lib\n", "lib/setup.py": ""},
        {"requirements.txt": "matplotlib\n"},
        {"requirements.txt": "requests\nflask\n"},
        {"pyproject.toml": PROJECT + '[[tool.uv.index]]\nurl = "https://example.com/simple"\ndefault = true\n'},
        {"Pipfile": PIPFILE.replace("flask", "scipy")},
    ],
    ids=["index", "folder", "one", "none", "uv-index", "pipfile"],
)
def test_what_cannot_be_resolved_apart_or_would_not_pay_is_not_split(plan_of, files) -> None:
    plan = plan_of({"job.py": "print(1)\n", **files})
    assert "" == decided(plan, "layers")
    assert "heavy" not in [stage for stage, _ in stages(plan)]


def test_the_tools_that_compile_stand_below_both_installations(plan_of) -> None:
    plan = plan_of({"job.py": JOB, "requirements.txt": "pandas\nscipy\npsycopg2\n"})
    expected = (("tools", None), ("resolve", "tools"), ("heavy", "tools"), ("build", "heavy"), ("runtime", None))
    assert expected == stages(plan)


def test_a_project_that_is_installed_is_a_layer_on_its_dependencies(plan_of, flask) -> None:
    built = PROJECT.replace('["pandas", "scipy"]', '["flask"]') + '[build-system]\nrequires = ["setuptools"]\n'
    plan = plan_of({"pyproject.toml": built, "src/a/__init__.py": flask})
    assert (("build", None), ("project", "build"), ("runtime", None)) == stages(plan)
    sources = [step.sources for step in plan.steps if isinstance(step, Copy) and step.stage == "runtime"]
    assert sources == [("/out/build/",), ("/out/project/",), (".",)]


def test_tests_of_dependencies_are_left_out_but_where_something_breaks(plan_of, flask) -> None:
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n"})
    (find,) = (command for command in commands(plan) if command[:2] == ("find", "/opt/venv"))
    assert "their tests" == decided(plan, "prune")
    assert ("!", "-path", "*/site-packages/*/tests/*") == find[11:14]
    for row in toml.load(prune.PATH, prune.Table).keep:
        assert f"*/site-packages/{row.package}/*" in find


def test_s2i_toml_ships_everything(plan_of, flask) -> None:
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n", "s2i.toml": "prune = false\n"})
    (find,) = (command for command in commands(plan) if command[:2] == ("find", "/opt/venv"))
    assert ("nothing", "s2i.toml:1") == next((d.value, d.origin) for d in plan.decisions if d.what == "prune")
    assert "*/site-packages/*/tests/*" not in find


@pytest.mark.parametrize(("size", "compiled"), [(1 << 10, False), (600 << 10, True)])
def test_a_large_source_is_compiled_in_the_build(plan_of, flask, size, compiled) -> None:
    plan = plan_of({"app.py": flask, "big.py": "x = 1\n" * (size // 6), "requirements.txt": "flask\n"})
    assert compiled == any(step.why.startswith("Compile the source") for step in plan.steps)
    assert ("and the source" in decided(plan, "bytecode")) == compiled


def test_a_step_of_the_runtime_stage_leaves_no_time_and_no_bytecode_behind(plan_of) -> None:
    step = layer.settled(Run("runtime", "x", ("python", "x.py"), (("A", "1"),)), "/app")
    assert ("touch", "python", "python") == tuple(command[0] for command in step.commands)
    assert (("A", "1"), ("PYTHONDONTWRITEBYTECODE", "1")) == step.env


@pytest.mark.parametrize(
    ("path", "shape"), [(heavy.PATH, heavy.Table), (prune.PATH, prune.Table)], ids=["heavy", "prune"]
)
def test_a_table_refuses_a_key_that_it_does_not_know(path: Path, shape: type, tmp_path: Path) -> None:
    (tmp_path / path.name).write_text(path.read_text() + "colour = 1\n")
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        toml.load(tmp_path / path.name, shape)
