"""Which object of a source is served."""

from __future__ import annotations

import pytest

from s2i.errors import E_AMBIGUOUS, E_CONFIG, E_ENTRYPOINT, E_NO_ENTRY, S2IError
from tests.planning.conftest import commands


@pytest.mark.parametrize(
    ("files", "kind", "entry"),
    [
        ({"hello.py": "import flask\nx = flask.Flask('x')\n"}, "wsgi", "hello:x"),
        ({"hello.py": "import fastapi as f\nsite: f.FastAPI = f.FastAPI()\n"}, "asgi", "hello:site"),
        ({"a.py": "try:\n    from fastapi import FastAPI\nexcept ImportError:\n    raise\napp = FastAPI()\n"}, "asgi", "a:app"),
        ({"a.py": "from fastapi import FastAPI\nclass Mine(FastAPI):\n    pass\nmine = Mine()\n"}, "asgi", "a:mine"),
        ({"a.py": "from flask import Flask\nfrom w import Fix\napp = Flask('a')\napp = Fix(app)\n"}, "wsgi", "a:app"),
        ({"a.py": "from flask import Flask\ndef create_app() -> Flask:\n    return build()\n"}, "wsgi", "a:create_app()"),
        (
            {"a.py": "def make(config=None):\n    from flask import Flask\n    app = Flask('a')\n    return app\n"},
            "wsgi",
            "a:make()",
        ),
        (
            {
                "shop/__init__.py": "from flask import Flask\ndef create_app():\n    app = Flask('a')\n    return app\n",
                "wsgi.py": "from shop import create_app\napplication = create_app()\n",
            },
            "wsgi",
            "wsgi:application",
        ),
        (
            {"core/app.py": "from flask import Flask\napp = Flask('a')\n", "core/views.py": "from core.app import app\n"},
            "wsgi",
            "core.app:app",
        ),
        (
            {"core/__init__.py": "from .web import *\n", "core/web.py": "from flask import Flask\napp = Flask('a')\n",
             "wsgi.py": "from core import app\n"},
            "wsgi",
            "wsgi:app",
        ),
        ({"x.py": "def application(environ, start_response):\n    return []\n"}, "wsgi", "x:application"),
        ({"x.py": "async def serve(scope, receive, send):\n    pass\n"}, "asgi", "x:serve"),
        ({"src/pkg/web.py": "from flask import Flask\napp = Flask('a')\n"}, "wsgi", "pkg.web:app"),
    ],
)  # fmt: skip
def test_the_real_module_and_name_are_found(plan_of, files, kind, entry):
    plan = plan_of({"requirements.txt": "flask\n", **files})
    assert (kind, entry) == (plan.kind, plan.entry)


FACTORY = "from flask import Flask\ndef create_app(settings=None):\n    app = Flask('a')\n    return app\n"
MADE = "from shop.app import create_app\napp = create_app()\n"


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"db/env.py": MADE}, "shop.app:create_app()"),
        ({"shop/tasks.py": MADE, "celery_worker.py": MADE}, "shop.app:create_app()"),
        ({"celery_worker.py": MADE, "microblog.py": MADE}, "microblog:app"),
        ({"shop/tasks.py": MADE, "wsgi.py": MADE}, "wsgi:app"),
        ({"aaa.py": MADE, "site.py": MADE, "Dockerfile": 'CMD ["gunicorn", "site:app"]\n'}, "site:app"),
        ({"site.py": MADE, "Dockerfile": 'CMD ["gunicorn", "shop.app:create_app()"]\n'}, "shop.app:create_app()"),
        ({"wsgi.py": MADE, "README.md": "Try `flask --app shop.app:create_app run`.\n"}, "wsgi:app"),
    ],
)
def test_of_several_names_of_one_application_the_one_that_is_meant_to_serve_is_taken(plan_of, files, entry):
    assert entry == plan_of({"requirements.txt": "flask\n", "shop/app.py": FACTORY, **files}).entry


def test_a_package_that_calls_its_own_factory_serves_what_it_made(plan_of):
    files = {"shop/app.py": FACTORY, "shop/__init__.py": MADE}
    assert "shop:app" == plan_of({"requirements.txt": "flask\n", **files}).entry


def test_what_bottle_merges_into_another_application_is_not_served_by_itself(plan_of):
    routes = "from bottle import Bottle\nroutes = Bottle()\n"
    merging = "from pages.home import routes as home\nfrom pages.user import routes as user\n"
    merging += "def fill(app):\n    app.merge(home)\n    app.merge(user)\n"
    main = "from bottle import Bottle, run\nfrom pages import fill\nclass Site:\n    def run(self):\n"
    main += "        app = Bottle()\n        fill(app)\n        run(app, host='0.0.0.0', port=9000)\n"
    main += "if __name__ == '__main__':\n    Site().run()\n"
    files = {"pages/__init__.py": merging, "pages/home.py": routes, "pages/user.py": routes, "main.py": main}
    plan = plan_of({"requirements.txt": "bottle\n", **files})
    assert ("http", "main.py", 9000) == (plan.kind, plan.entry, plan.port)


def test_a_function_that_needs_an_argument_is_no_factory(plan_of):
    source = "from flask import Flask\ndef create_app(config):\n    return Flask('a')\n"
    with pytest.raises(S2IError) as refused:
        plan_of({"requirements.txt": "flask\n", "web.py": source})
    assert E_NO_ENTRY is refused.value.kind


def test_an_object_under_the_main_guard_cannot_be_imported_so_the_script_serves_it(plan_of):
    source = "from flask import Flask\nif __name__ == '__main__':\n    app = Flask('a')\n    app.run()\n"
    plan = plan_of({"run.py": source})
    assert ("http", "run.py", 5000) == (plan.kind, plan.entry, plan.port)
    assert ["W_LOOPBACK"] == [w.code for w in plan.warnings if w.code == "W_LOOPBACK"]


def test_tests_and_virtual_environments_are_not_looked_at(plan_of, flask):
    plan = plan_of({"app.py": flask, "tests/app.py": flask, "test_web.py": flask, "conftest.py": flask})
    entry = next(d for d in plan.decisions if d.what == "entry")
    assert (plan.entry, entry.rejected) == ("app:app", ())


def test_what_loses_is_named_with_the_reason(plan_of, flask):
    plan = plan_of({"app.py": flask, "examples/demo.py": flask, "admin/panel.py": flask})
    entry = next(d for d in plan.decisions if d.what == "entry")
    expected = [
        ("admin.panel:app", "it stands deeper in the tree"),
        ("examples.demo:app", "it stands among examples, documentation or scripts"),
    ]
    assert (entry.origin, entry.strength) == ("app.py:2", "likely")
    assert expected == [(lost.value, lost.why) for lost in entry.rejected]


def test_two_equal_applications_stop_the_plan_with_the_line_to_add(plan_of, flask):
    with pytest.raises(S2IError) as refused:
        plan_of({"requirements.txt": "flask\n", "shop.py": flask, "admin.py": flask})
    assert E_AMBIGUOUS is refused.value.kind
    assert refused.value.advice == 'say which one in s2i.toml: entry = "admin:app"'


@pytest.mark.parametrize("file", ["s2i.toml", "pyproject.toml"])
def test_the_line_that_the_refusal_asks_for_decides(plan_of, flask, file):
    table = '[tool.s2i]\nentry = "shop:app"\n' if file == "pyproject.toml" else 'entry = "shop:app"\n'
    plan = plan_of({"requirements.txt": "flask\n", "shop.py": flask, "admin.py": flask, file: table})
    entry = next(d for d in plan.decisions if d.what == "entry")
    assert ("shop:app", table.count("\n")) == (plan.entry, int(entry.origin.partition(":")[2]))


def test_a_wsgi_and_an_asgi_object_in_one_file_are_told_apart_by_their_names(plan_of):
    source = "from flask import Flask\nfrom fastapi import FastAPI\nwsgi = Flask('a')\napp = FastAPI()\n"
    assert plan_of({"requirements.txt": "flask\nfastapi\n", "app.py": source}).entry == "app:app"


def test_kind_narrows_the_choice(plan_of):
    source = "from flask import Flask\nfrom fastapi import FastAPI\nwsgi = Flask('a')\napp = FastAPI()\n"
    plan = plan_of({"requirements.txt": "flask\nfastapi\n", "app.py": source, "s2i.toml": 'kind = "wsgi"\n'})
    assert plan.entry == "app:wsgi"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("nowhere:app", "there is no module nowhere"),
        ("app:missing", "app.py binds no such name"),
        ("app:other", "its kind cannot be told from the code"),
        ("gone.py", "there is no such file"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(plan_of, flask, entry, why):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask + "other = 1\n", "s2i.toml": f'entry = "{entry}"\n'})
    assert (E_ENTRYPOINT, f'cannot use the entry "{entry}": {why}', "s2i.toml:1") == (
        refused.value.kind, refused.value.message, refused.value.where,
    )  # fmt: skip


def test_an_unknown_object_is_served_when_its_kind_is_said(plan_of):
    plan = plan_of({"a.py": "from odd import Site\nsite = Site()\n", "s2i.toml": 'entry = "a:site"\nkind = "asgi"\n'})
    assert (plan.kind, plan.entry) == ("asgi", "a:site")


def test_the_procfile_decides_when_it_names_an_application_of_the_code(plan_of, flask):
    procfile = "web: gunicorn shop:app --log-file -\nworker: python work.py\n"
    plan = plan_of({"requirements.txt": "flask\n", "shop.py": flask, "admin.py": flask, "Procfile": procfile})
    entry = next(d for d in plan.decisions if d.what == "entry")
    assert (entry.value, entry.origin) == ("shop:app", "Procfile:1")
    assert [w.where for w in plan.warnings if w.code == "W_PROCFILE"] == []
    assert [("worker", ("python", "work.py"), "Procfile:2")] == [(p.name, p.start, p.origin) for p in plan.processes]


def test_django_prefers_what_its_settings_name(plan_of):
    files = {
        "requirements.txt": "django\n",
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n",
        "site1/__init__.py": "",
        "site1/settings.py": "WSGI_APPLICATION = 'site1.wsgi.application'\n",
        "site1/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        "site1/asgi.py": "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
    }
    assert (plan_of(files).kind, plan_of(files).entry) == ("wsgi", "site1.wsgi:application")
    channels = files | {"site1/settings.py": "ASGI_APPLICATION = 'site1.asgi.application'\n"}
    assert (plan_of(channels).kind, plan_of(channels).entry) == ("asgi", "site1.asgi:application")


def test_django_settings_are_found_when_manage_py_computes_their_name(plan_of):
    files = {
        "requirements.txt": "django\n",
        "manage.py": "import os\nname = pick()\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', name)\n",
        "site1/settings.py": "ROOT_URLCONF = 'site1.urls'\nWSGI_APPLICATION = 'site1.wsgi.application'\n",
        "site1/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        "site1/asgi.py": "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
    }
    assert "site1.wsgi:application" == plan_of(files).entry


def test_settings_that_cannot_be_a_module_are_refused(plan_of):
    source = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', '..%2fetc.settings')\n"
    with pytest.raises(S2IError) as refused:
        plan_of({"requirements.txt": "django\n", "manage.py": source})
    assert (refused.value.kind, refused.value.where) == (E_ENTRYPOINT, "manage.py:2")


def test_a_module_that_hides_the_server_is_named_and_not_chosen(plan_of, flask):
    plan = plan_of({"app.py": flask, "gunicorn.py": flask, "logging.py": ""})
    shadow = next(w for w in plan.warnings if w.code == "W_SHADOW")
    assert plan.entry == "app:app"
    assert shadow.message == "gunicorn.py, logging.py: hides a module that Python or the server imports; rename it"


def test_a_notebook_runs_when_it_is_asked_for(plan_of):
    plan = plan_of({"requirements.txt": "pandas\n", "report.ipynb": "{}", "s2i.toml": 'entry = "report.ipynb"\n'})
    assert ("job", ("jupyter", "execute", "report.ipynb")) == (plan.kind, plan.start)
    assert any({"nbclient", "ipykernel"} <= set(command) for command in commands(plan))


def test_the_settings_name_the_server_and_the_port(plan_of, flask):
    fast = flask.replace("flask", "fastapi").replace("Flask(__name__)", "FastAPI()").replace("Flask", "FastAPI")
    settings = 'server = "uvicorn"\nport = 9000\n'
    plan = plan_of({"requirements.txt": "fastapi\n", "app.py": fast, "s2i.toml": settings})
    assert (9000, "exec uvicorn") == (plan.port, plan.start[-1][:12])
    assert ("PORT", "9000") in plan.env


def test_a_server_of_the_other_kind_is_refused(plan_of, flask):
    with pytest.raises(S2IError) as refused:
        plan_of({"requirements.txt": "flask\n", "app.py": flask, "s2i.toml": 'server = "uvicorn"\n'})
    assert (E_CONFIG, "s2i.toml:1") == (refused.value.kind, refused.value.where)


def test_the_settings_give_the_whole_command(plan_of):
    files = {
        "requirements.txt": "datasette\n",
        "x.py": "y = 1\n",
        "s2i.toml": 'start = ["datasette", "serve", "x.db"]\n',
    }
    plan = plan_of(files)
    assert ("http", ("datasette", "serve", "x.db"), 8080) == (plan.kind, plan.start, plan.port)


def test_a_kind_that_nothing_in_the_code_is_of_is_refused(plan_of, flask):
    with pytest.raises(S2IError) as refused:
        plan_of({"requirements.txt": "flask\n", "app.py": flask, "s2i.toml": 'kind = "asgi"\n'})
    assert (E_CONFIG, "s2i.toml:1") == (refused.value.kind, refused.value.where)
    assert 'kind is "asgi", but app:app (app.py:2) is wsgi' in refused.value.message


def test_a_kind_that_is_set_is_where_the_kind_comes_from(plan_of, flask):
    plan = plan_of({"requirements.txt": "flask\n", "app.py": flask, "s2i.toml": 'kind = "wsgi"\n'})
    assert "s2i.toml:1" == next(d.origin for d in plan.decisions if d.what == "kind")
