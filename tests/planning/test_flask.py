"""Flask's instance folder, and projects that ask for their own metadata."""

from __future__ import annotations

import pytest

from tests.planning.conftest import installing

RELATIVE = "from flask import Flask\napp = Flask(__name__, instance_relative_config=True)\n"
BUILT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n[build-system]\nrequires = ["hatchling"]\n'


def _links(plan):
    return [step.then[0][-1] for step in plan.steps if "instance folder" in step.why]


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"requirements.txt": "flask\n", "app.py": RELATIVE}, "/app/instance"),
        ({"requirements.txt": "flask\nFlask-SQLAlchemy\n", "app.py": RELATIVE.split(",")[0] + ")\n"}, "/app/instance"),
        ({"pyproject.toml": BUILT, "src/shop/__init__.py": RELATIVE}, "/opt/venv/var/shop-instance"),
        ({"requirements.txt": "flask\n", "back/app.py": f"import models\n{RELATIVE}", "back/models.py": ""}, "/app/back/instance"),
    ],
)  # fmt: skip
def test_an_instance_folder_that_is_made_at_start_leads_to_what_can_be_written(plan_of, files, path):
    plan = plan_of(files)
    assert [path] == _links(plan)
    assert ["W_INSTANCE_FOLDER"] == [w.code for w in plan.warnings if w.code == "W_INSTANCE_FOLDER"]


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "flask\n", "app.py": "from flask import Flask\napp = Flask(__name__)\n"},
        {"requirements.txt": "flask\n", "app.py": RELATIVE, "instance/config.py": "X = 1\n"},
    ],
)
def test_nobody_who_needs_none_gets_one(plan_of, files):
    assert [] == _links(plan_of(files))


def test_a_project_that_asks_for_its_own_version_is_installed(plan_of, flask):
    source = f"from importlib.metadata import version\n{flask}v = version('shop')\n"
    plan = plan_of({"pyproject.toml": BUILT, "shop/__init__.py": source})
    assert [("--no-deps", ".")] == [command[-2:] for command in installing(plan, "project")]


def test_a_project_that_can_be_imported_as_it_stands_is_not_installed(plan_of, flask):
    plan = plan_of({"pyproject.toml": BUILT, "shop/__init__.py": flask})
    assert [] == [step for step in plan.steps if step.why.startswith("Install the project")]
