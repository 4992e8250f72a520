"""One package index: what a source may name beside PyPI, and what a lock has to say."""

import tomllib
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Run
from tests.planning.conftest import OFFERED

CORP = "https://pypi.corp.example/simple"
HASHED = "`uv pip compile --generate-hashes requirements.in -o requirements.txt` (requirements.in: what you ask for)"
HASH = f"--hash=sha256:{'0' * 64}"
PYPROJECT = '[project]\nname = "a"\nversion = "1"\ndependencies = ["flask"]\n'
POETRY = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\nflask = "*"\n'
PIPFILE = '[packages]\nflask = "*"\n'


def named(plan):
    return [(d.what, d.value, d.origin) for d in plan.decisions if d.what in ("index", "extra index")]


@pytest.mark.parametrize(
    ("path", "text", "where", "why"),
    [
        (
            "requirements.txt",
            f"--extra-index-url {CORP}\nflask\n",
            "requirements.txt:1",
            "beside https://pypi.org/simple",
        ),
        (
            "requirements.txt",
            f"flask\n--extra-index-url={CORP}\n",
            "requirements.txt:2",
            "beside https://pypi.org/simple",
        ),
        ("requirements.txt", f"-f {CORP}/\nflask\n", "requirements.txt:1", "beside https://pypi.org/simple"),
        (
            "requirements.txt",
            f"-i {CORP}\n--extra-index-url https://pypi.org/simple\nflask\n",
            "requirements.txt:2",
            f"https://pypi.org/simple is named beside {CORP}",
        ),
        (
            "requirements.txt",
            f"--extra-index-url {CORP}\nflask {HASH}\nclick\n",
            "requirements.txt:1",
            "beside https://pypi.org/simple",
        ),
        ("pyproject.toml", PYPROJECT + f'[[tool.uv.index]]\nurl = "{CORP}"\n', "pyproject.toml:6", "beside"),
        ("pyproject.toml", PYPROJECT + f'[tool.uv]\nextra-index-url = ["{CORP}"]\n', "pyproject.toml:6", "beside"),
        (
            "pyproject.toml",
            POETRY + f'[[tool.poetry.source]]\nname = "c"\nurl = "{CORP}"\npriority = "supplemental"\n',
            "pyproject.toml:7",
            "beside",
        ),
        (
            "Pipfile",
            f'[[source]]\nurl = "https://pypi.org/simple"\n[[source]]\nurl = "{CORP}"\n{PIPFILE}',
            "Pipfile:2",
            "beside",
        ),
    ],
)
def test_a_second_index_is_refused_where_it_is_named(plan_of, flask, path, text, where, why):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, path: text})
    assert ("E_EXTRA_INDEX", 3, where) == (refused.value.code, refused.value.exit, refused.value.where)
    assert why in refused.value.message


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"requirements.txt": f"-i {CORP}\nflask\n"}, [("index", CORP, "requirements.txt:1")]),
        ({"requirements.txt": "-i https://pypi.org/simple/\nflask\n"}, []),
        ({"requirements.txt": "--extra-index-url https://pypi.org/simple\nflask\n"}, []),
        (
            {"requirements.txt": "--extra-index-url https://download.pytorch.org/whl/cpu\nflask\n"},
            [("extra index", "https://download.pytorch.org/whl/cpu", "requirements.txt:1")],
        ),
        (
            {"requirements.txt": f"--extra-index-url {CORP}\nflask==3.0 {HASH}\n"},
            [("extra index", CORP, "requirements.txt:1")],
        ),
        (
            {"pyproject.toml": PYPROJECT + f'[[tool.uv.index]]\nurl = "{CORP}"\nexplicit = true\n'},
            [],
        ),
        (
            {"pyproject.toml": PYPROJECT + f'[[tool.uv.index]]\nurl = "{CORP}"\ndefault = true\n'},
            [("index", CORP, "pyproject.toml:6")],
        ),
        (
            {"pyproject.toml": POETRY + f'[[tool.poetry.source]]\nname = "c"\nurl = "{CORP}"\n'},
            [("index", CORP, "pyproject.toml:7")],
        ),
        (
            {"Pipfile": f'[[source]]\nurl = "{CORP}"\n{PIPFILE}'},
            [("index", CORP, "Pipfile:2")],
        ),
    ],
)
def test_one_index_and_what_cannot_be_confused_are_taken(plan_of, flask, files, expected):
    assert expected == named(plan_of({"app.py": flask, **files}))


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"Pipfile": '[[source]]\nurl = "https://${TOKEN}@corp.example/simple"\n' + PIPFILE}, "Pipfile:2"),
        ({"pyproject.toml": PYPROJECT + f'[[tool.pdm.source]]\nname = "c"\nurl = "{CORP}"\n'}, "pyproject.toml:7"),
    ],
)
def test_an_index_that_uv_is_not_told_of_is_a_decision(plan_of, flask, files, where):
    assert [("index", "left out", where)] == named(plan_of({"app.py": flask, **files}))


def test_the_one_source_of_poetry_takes_the_place_of_pypi(plan_of, flask):
    plan = plan_of(
        {"app.py": flask, "pyproject.toml": POETRY + f'[[tool.poetry.source]]\nname = "c"\nurl = "{CORP}"\n'}
    )
    commands = (command for step in plan.steps if isinstance(step, Run) for command in step.commands)
    install = next(command for command in commands if "flask" in command)
    assert ("--default-index", CORP, "flask") == install[install.index("--default-index") :][:3]


TABLE = Path(__file__).parents[2] / "buildpacks/python/indexes.toml"


@pytest.mark.parametrize("row", tomllib.loads(TABLE.read_text())["index"], ids=lambda row: row["url"])
def test_each_known_index_may_stand_beside_pypi_and_its_like_may_not(plan_of, flask, row):
    assert (row["url"].startswith("https://"), bool(row["why"]), row["link"][:8]) == (True, True, "https://")
    plan = plan_of({"app.py": flask, "requirements.txt": f"--extra-index-url {row['url']}\nflask\n"})
    assert [] == [w for w in plan.warnings if w.code == "W_INDEX"]
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, "requirements.txt": f"--extra-index-url {row['url']}.evil.example\nflask\n"})
    assert "E_EXTRA_INDEX" == refused.value.code


# --locked -------------------------------------------------------------------------------------------------------------

UV = 'version = 1\nrequires-python = ">=3.9"\n[[package]]\nname = "a"\nsource = { virtual = "." }\n'
UV += 'dependencies = [{ name = "flask" }, { name = "gunicorn" }]\n[package.metadata]\n'
UV += 'requires-dist = [{ name = "flask" }, { name = "gunicorn" }]\n'
UV += '[[package]]\nname = "flask"\nversion = "3.0"\n[[package]]\nname = "gunicorn"\nversion = "23.0"\n'
PROJECT = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["flask", "gunicorn"]\n'
PINNED = f"flask==3.0 {HASH}\ngunicorn==23.0 {HASH}\n"


@pytest.mark.parametrize(
    "files",
    [{"pyproject.toml": PROJECT, "uv.lock": UV}, {"requirements.txt": PINNED}],
    ids=["uv.lock", "hashes"],
)
def test_a_lock_is_all_that_a_locked_build_needs(tree_of, flask, files):
    tree = tree_of({"app.py": flask, **files})
    assert compile_plan(tree, OFFERED) == compile_plan(tree, OFFERED, locked=True)


@pytest.mark.parametrize(
    ("files", "why", "advice"),
    [
        ({}, "the source has no lock", f"make a lock and commit it: {HASHED}"),
        (
            {"requirements.txt": "flask==3.0\n"},
            "requirements.txt does not pin every file by its hash",
            f"make a lock and commit it: {HASHED}",
        ),
        (
            {"requirements.txt": f"flask==3.0 {HASH}\ngunicorn==23.0\n"},
            "requirements.txt does not pin every file by its hash",
            f"make a lock and commit it: {HASHED}",
        ),
        (
            {"requirements.txt": f"flask==3.0 {HASH}\n"},
            "gunicorn>=21,<28 would be installed beside the lock",
            f"add it to the dependencies and lock them again: {HASHED}",
        ),
        (
            {"pyproject.toml": PROJECT.replace('"flask"', '"flask", "click"'), "uv.lock": UV},
            "uv.lock is out of date: it was made for other dependencies (click)",
            "make it anew: `uv lock`",
        ),
    ],
)
def test_a_locked_build_refuses_what_is_not_in_a_lock(tree_of, flask, files, why, advice):
    with pytest.raises(S2IError) as refused:
        compile_plan(tree_of({"app.py": flask, **files}), OFFERED, locked=True)
    assert ("E_LOCK", 3) == (refused.value.code, refused.value.exit)
    assert (f"a lock is required (--locked): {why}", advice) == (refused.value.message, refused.value.advice)


def test_a_password_in_the_address_of_a_package_is_named_and_not_shown(plan_of, flask):
    lines = (
        "flask", "a @ https://me:s3cretcanary@corp.example/a-1.0.tar.gz", "git+https://git@host.example/b",
        "c @ https://corp.example/c-1.0.tar.gz", "d @ git+https://me:s3cretcanary@host.example/d",
    )  # fmt: skip
    plan = plan_of({"app.py": flask, "requirements.txt": "\n".join(lines) + "\n"})
    found = [w for w in plan.warnings if w.code == "W_SECRET_URL"]
    assert ["requirements.txt:2", "requirements.txt:5"] == [w.where for w in found]
    assert "s3cretcanary" not in str(found)
