"""What the code imports and no file asks for."""

from __future__ import annotations

import pytest

from tests.planning.conftest import commands

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"


def added(plan):
    words = [w for command in commands(plan) if command[:3] == ("uv", "pip", "install") for w in command[5:]]
    return [w for w in words if not w.startswith(("gunicorn", "hypercorn"))]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import requests", ["requests"]),
        ("import yaml", ["PyYAML"]),
        ("from PIL import Image", ["pillow"]),
        ("import json, os, sqlite3", []),
        ("from google.cloud import storage", ["google-cloud-storage"]),
        ("import own", []),
        ("from . import own", []),
        ("import flask_login", ["flask-login"]),
        ("import distutils", []),
    ],
)
def test_without_a_manifest_an_import_names_its_distribution(plan_of, flask, line, words):
    plan = plan_of({"app.py": f"{line}\n{flask}", "own.py": ""})
    assert ["flask", *words] == added(plan)


def test_what_is_inferred_is_weak_and_said_once(plan_of, flask):
    plan = plan_of({"app.py": f"import requests\n{flask}"})
    decision = next(d for d in plan.decisions if d.what == "manager")
    assert ("none", "the imports of the code", "weak") == (decision.value, decision.origin, decision.strength)
    expected = "no manifest: what the code imports is installed, in its newest version: flask, requests"
    assert [expected] == [w.message for w in plan.warnings]


def test_only_what_the_entry_reaches_is_installed(plan_of, flask):
    files = {
        "app.py": f"from shop.views import x\n{flask}",
        "shop/views.py": "import httpx\nx = 1\n",
        "tool.py": "import numpy\n",
    }
    assert ["flask", "httpx"] == added(plan_of(files))


def test_what_starlette_leaves_out_is_added_and_said(plan_of):
    source = f"from fastapi.templating import Jinja2Templates\nfrom fastapi import Form\n{FASTAPI}"
    plan = plan_of({"main.py": source, "requirements.txt": "fastapi\n"})
    assert ["-r", "requirements.txt", "jinja2", "python-multipart"] == added(plan)
    assert [("W_UNDECLARED", "main.py:1"), ("W_UNDECLARED", "main.py:2")] == [(w.code, w.where) for w in plan.warnings]


@pytest.mark.parametrize("requirement", ["jinja2", "fastapi[standard]", "flask"])
def test_what_another_requirement_brings_is_not_added(plan_of, requirement):
    source = f"from fastapi.templating import Jinja2Templates\n{FASTAPI}"
    plan = plan_of({"main.py": source, "requirements.txt": f"fastapi\n{requirement}\n"})
    assert ["-r", "requirements.txt"] == added(plan)


def test_an_unknown_import_beside_a_manifest_is_left_alone(plan_of, flask):
    plan = plan_of({"app.py": f"import numpy\n{flask}", "requirements.txt": "flask\n"})
    assert (["-r", "requirements.txt"], ()) == (added(plan), plan.warnings)


def test_each_row_of_what_is_forgotten_is_added_by_its_first_use(plan_of, tmp_path):
    from s2i.planning import buildpack

    buildpack.load("python")
    from buildpacks.python.manifest import imports

    for row in imports._table().forgotten:
        module, _, name = row.uses[0].rpartition(".")
        plan = plan_of({"main.py": f"from {module} import {name}\n{FASTAPI}", "requirements.txt": "fastapi\n"})
        assert row.distribution in added(plan)
        assert row.why
        assert row.link.startswith("https://")
