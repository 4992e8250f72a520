"""What names hold, followed through everything that stands between an application and its name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

FRAMEWORKS = tomllib.loads((Path(__file__).parents[2] / "buildpacks/python/frameworks.toml").read_text())["framework"]
MADE = [(row, call) for row in FRAMEWORKS for call in row.get("calls", ())]


def _source(row: dict[str, object], call: str) -> str:
    """Write a module that makes an application with ``call``, in the way that its row says."""
    if "()." in call:
        maker, _, method = call.partition("().")
        module, _, name = maker.rpartition(".")
        return f"from {module} import {name}\nmade = {name}()\napp = made.{method}()\n"
    module, _, name = call.rpartition(".")
    inside = "def inner(environ, start_response):\n    return []\n" if row.get("wraps") else ""
    made = f"{name}({'inner' if inside else ''})"
    if "item" in row:
        return f"from {module} import {name}\napp, other = {made}\n"
    if "attribute" in row:
        return f"from {module} import {name}\nmade = {made}\napp = made.{row['attribute']}\n"
    return f"from {module} import {name}\n{inside}app = {made}\n"


@pytest.mark.parametrize(("row", "call"), MADE, ids=[call for _, call in MADE])
def test_every_row_of_the_table_makes_an_application(plan_of, row, call):
    pin = f"=={'2.14' if row['versions'] == '<3' else '3.1'}" if "versions" in row else ""
    plan = plan_of({"requirements.txt": f"{row['package']}{pin}\n", "app.py": _source(row, call)})
    assert (row["kind"], "app:app") == (plan.kind, plan.entry)


def test_an_application_that_a_package_has_ready_is_known(plan_of):
    source = "from litellm.proxy import proxy_server\napp = proxy_server.app\n"
    assert ("asgi", "app:app") == (plan_of({"app.py": source}).kind, plan_of({"app.py": source}).entry)


@pytest.mark.parametrize(
    ("files", "kind", "entry"),
    [
        ({"a.py": "from fasthtml.common import *\napp, rt = fast_app()\nserve()\n"}, "asgi", "a:app"),
        ({"a.py": "from flask import Flask\ndb, app = object(), Flask('a')\n"}, "wsgi", "a:app"),
        (
            {"a.py": "from flask import Flask\ndef make():\n    return Flask('a'), 1\napp, one = make()\n"},
            "wsgi",
            "a:app",
        ),
        (
            {"a.py": "from fastapi import FastAPI\nclass Site:\n    def build(self):\n        return FastAPI()\n"
                     "app = Site().build()\n"},
            "asgi",
            "a:app",
        ),
        (
            {"a.py": "from fastapi import FastAPI\nclass Site:\n    def __init__(self):\n        self.api = FastAPI()\n"
                     "site = Site()\napp = site.api\n"},
            "asgi",
            "a:app",
        ),
        (
            {"a.py": "class Raw:\n    def __call__(self, environ, start_response):\n        return []\napp = Raw()\n"},
            "wsgi",
            "a:app",
        ),
        (
            {"a.py": "class Raw:\n    async def __call__(self, scope, receive, send):\n        pass\napp = Raw()\n"},
            "asgi",
            "a:app",
        ),
        ({"a.py": "import falcon\napi = application = falcon.App()\n"}, "wsgi", "a:api"),
        ({"a.py": "from flask import Flask\napp = None\napp = Flask('a')\n"}, "wsgi", "a:app"),
        ({"a.py": "from flask import Flask\nfrom b import c\napp = c() or Flask('a')\n"}, "wsgi", "a:app"),
        ({"a.py": "from flask import Flask\nfrom asgiref.wsgi import WsgiToAsgi\napp = Flask('a')\n"
                  "asgi_app = WsgiToAsgi(app)\n"}, "asgi", "a:asgi_app"),
        ({"a.py": "from flask import Flask\nfrom asgiref.wsgi import WsgiToAsgi\napp = WsgiToAsgi(Flask('a'))\n"}, "asgi", "a:app"),
        ({"a.py": "from fastapi import FastAPI\nimport socketio\napp = FastAPI()\nsio = socketio.AsyncServer()\n"
                  "served = socketio.ASGIApp(sio, other_asgi_app=app)\n"}, "asgi", "a:served"),
        ({"a.py": "from fastapi import FastAPI\nfrom starlette.applications import Starlette\n"
                  "from starlette.routing import Mount\napp = FastAPI()\nouter = Starlette(routes=[Mount('/x', app=app)])\n"},
         "asgi", "a:outer"),
        ({"a.py": "from fastapi import FastAPI\napi = FastAPI()\napp = FastAPI()\napp.mount('/api', api)\n"}, "asgi", "a:app"),
        ({"a.py": "from flask import Flask\nfrom who import Knows\napp = Flask('a')\napplication = Knows(app)\n"},
         "wsgi", "a:application"),
        ({"a.py": "from flask import Flask\nfrom flask_migrate import Migrate\napp = Flask('a')\nmigrate = Migrate(app)\n"},
         "wsgi", "a:app"),
        ({"py/app/__init__.py": "", "py/app/web.py": "from app.core import x\nfrom fastapi import FastAPI\napp = FastAPI()\n",
          "py/app/core.py": "x = 1\n"}, "asgi", "app.web:app"),
        ({"my-app.py": "from flask import Flask\napp = Flask('a')\n"}, "wsgi", "my-app:app"),
    ],
)  # fmt: skip
def test_an_application_is_found_behind(plan_of, files, kind, entry):
    plan = plan_of({"requirements.txt": "flask\n", **files})
    assert (kind, entry) == (plan.kind, plan.entry)


def test_the_name_under_which_all_routes_are_loaded_is_served(plan_of):
    files = {
        "requirements.txt": "flask\n",
        "hello/__init__.py": "from flask import Flask\napp = Flask('a')\n",
        "hello/views.py": "from . import app\n@app.route('/')\ndef home():\n    return 'hi'\n",
        "hello/site.py": "from . import app\nfrom . import views\n",
    }
    assert "hello.site:app" == plan_of(files).entry


def test_a_circle_of_imports_holds_nothing(plan_of, flask):
    files = {
        "a.py": "from b import *\nfrom b import x\n",
        "b.py": "from a import *\nfrom a import x\n",
        "app.py": flask,
    }
    assert "app:app" == plan_of({"requirements.txt": "flask\n", **files}).entry


def test_a_deep_hierarchy_of_classes_ends(plan_of, flask):
    classes = "class C0:\n    pass\n" + "".join(f"class C{n}(C{n - 1}):\n    pass\n" for n in range(1, 400))
    assert "app:app" == plan_of({"app.py": flask, "deep.py": f"{classes}thing = C399()\n"}).entry


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ('name = f"{"x" + "y"}"', "3.12"),
        ("type Pair[T] = tuple[T, T]", "3.12"),
        ("def first[T](items: list[T]) -> T: return items[0]", "3.12"),
    ],
)
def test_what_only_a_newer_python_parses_does_not_hide_the_rest(tree_of, line, python):
    from s2i.planning import code

    module = code.read(tree_of({"app.py": f"from flask import Flask\n{line}\napp = Flask('a')\n"})).modules["app"]
    assert "app" in module.bindings
    assert (module.python, module.python_line) in ((python, 2), ("", 0))  # ("", 0): this Python parses it itself
