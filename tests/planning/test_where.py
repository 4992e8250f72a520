"""Where in a source the application stands: at its root, in one folder below, or in several."""

from __future__ import annotations

import pytest

from s2i.errors import E_AMBIGUOUS, E_NO_ENTRY, E_SUBDIR, E_TEMPLATE, S2IError

LIBRARY = '[project]\nname = "lib"\nversion = "1"\nclassifiers = ["Programming Language :: Python :: 3"]\n[build-system]\nrequires = []\n'


def _refused(plan_of, files):
    with pytest.raises(S2IError) as refused:
        plan_of(files)
    return refused.value


def test_the_one_folder_with_something_to_serve_is_built_and_said(plan_of, flask):
    files = {"package.json": "{}", "front/index.js": "", "back/requirements.txt": "flask\n", "back/app.py": flask,
             "tools/requirements.txt": "x\n", "tools/t.py": "x = 1\n"}  # fmt: skip
    plan = plan_of(files)
    assert ("back", "app:app", "requirements.txt") == (plan.subdir, plan.entry, plan.manager)
    assert "back/app.py:2" == next(d.origin for d in plan.decisions if d.what == "entry")
    assert ("subdir", "back", "the only one with something to serve") == (
        plan.decisions[0].what, plan.decisions[0].value, plan.decisions[0].origin,
    )  # fmt: skip


def test_several_folders_are_listed_with_what_to_give(plan_of, flask):
    files = {
        "one/requirements.txt": "flask\n",
        "one/app.py": flask,
        "two/requirements.txt": "flask\n",
        "two/app.py": flask,
    }
    refused = _refused(plan_of, files)
    assert (E_AMBIGUOUS, 'name one: --context-dir one, or write subdir = "one" into s2i.toml') == (
        refused.kind,
        refused.advice,
    )
    assert "\n  one: app:app (wsgi, flask)\n  two: app:app (wsgi, flask)" in refused.message


def test_a_manifest_at_the_root_speaks_for_the_folders_below(plan_of, flask):
    plan = plan_of({"requirements.txt": "flask\n", "back/app.py": flask, "back/requirements.txt": "x\n"})
    assert ("", "back.app:app") == (plan.subdir, plan.entry)


def test_the_settings_name_the_folder(plan_of, flask):
    files = {
        "s2i.toml": 'subdir = "two"\n',
        "one/requirements.txt": "flask\n",
        "one/app.py": flask,
        "two/app.py": flask,
    }
    assert ("two", "app:app") == (plan_of(files).subdir, plan_of(files).entry)


def test_a_folder_that_is_not_there_is_refused(plan_of, flask):
    refused = _refused(plan_of, {"s2i.toml": 'subdir = "gone"\n', "app.py": flask})
    assert (E_SUBDIR, "s2i.toml:1") == (refused.kind, refused.where)


def test_a_folder_whose_modules_import_each_other_is_where_the_program_starts(plan_of, flask):
    files = {
        "requirements.txt": "flask\n",
        "backend/app.py": f"from models import x\n{flask}",
        "backend/models.py": "x = 1\n",
    }
    plan = plan_of(files)
    assert ("app:app", "/app/backend") == (plan.entry, plan.workdir)
    assert ("PYTHONPATH", "/app/backend") in plan.env


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        ({"src/models/user.py": "y = 1\n"}, "/app/src/web:/app/src"),
        ({"models/user.py": "y = 1\n"}, "/app/src/web:/app"),
        ({"lib/models/user.py": "y = 1\n"}, "/app/src/web"),
        ({"models/user.py": "y = 1\n", "requirements.txt": "flask\nmodels\n"}, "/app/src/web"),
    ],
)
def test_what_is_imported_from_a_folder_above_is_found_there(plan_of, flask, files, folders):
    web = {"src/web/app.py": f"import pages\nfrom models.user import y\n{flask}", "src/web/pages.py": "x = 1\n"}
    plan = plan_of({"requirements.txt": "flask\n", **web, **files})
    assert ("app:app", folders) == (plan.entry, dict(plan.env)["PYTHONPATH"])


def test_a_library_is_not_served_because_of_its_examples(plan_of, flask):
    files = {"pyproject.toml": LIBRARY, "lib/__init__.py": "", "examples/app.py": flask, "guide/server.py": flask}
    assert E_NO_ENTRY is _refused(plan_of, files).kind


def test_a_library_whose_own_package_holds_an_application_is_served(plan_of, flask):
    files = {"pyproject.toml": LIBRARY, "lib/__init__.py": "from .core import *\n", "lib/core.py": flask}
    assert "lib:app" == plan_of(files).entry


def test_notebooks_alone_are_refused_and_counted(plan_of):
    refused = _refused(plan_of, {"requirements.txt": "pandas\n", "a.ipynb": "{}", "b.ipynb": "{}"})
    assert (E_NO_ENTRY, "this is Python, but there are notebooks (a.ipynb and 1 more) and nothing that runs by itself") == (
        refused.kind, refused.message,
    )  # fmt: skip


def test_a_template_of_projects_is_refused(plan_of, flask):
    refused = _refused(plan_of, {"requirements.txt": "x\n", "{{cookiecutter.name}}/app.py": flask})
    assert E_TEMPLATE is refused.kind


def test_the_other_settings_hold_in_the_folder_that_they_name(plan_of, flask):
    settings = 'subdir = "two"\nport = 9000\nrun-packages = ["libpq5"]\npython = "3.11"\n'
    plan = plan_of({"s2i.toml": settings, "two/requirements.txt": "flask\n", "two/app.py": flask})
    assert (9000, "3.11") == (plan.port, plan.python)
    origins = {d.what: d.origin for d in plan.decisions}
    assert ("s2i.toml:1", "s2i.toml:2", "s2i.toml:4") == (origins["subdir"], origins["port"], origins["python"])


def test_settings_that_decide_nothing_change_nothing(plan_of, flask):
    files = {"back/requirements.txt": "flask\n", "back/app.py": flask, "front/index.js": ""}
    assert plan_of(files) == plan_of({**files, "s2i.toml": '# entry = "x:y"\n'})


def test_a_reason_names_the_file_from_the_root(plan_of, flask):
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = "<3.12"\ndependencies = ["flask"]\n'
    plan = plan_of({"back/pyproject.toml": project, "back/app.py": flask, "front/index.js": ""})
    python = next(d for d in plan.decisions if d.what == "python")
    assert {'back/pyproject.toml:4 asks for "<3.12"'} == {r.why for r in python.rejected if r.value in ("3.12", "3.13")}
