"""Scripts that serve by themselves, and where they are told to listen."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from s2i.errors import E_AMBIGUOUS, S2IError

ROWS = tomllib.loads((Path(__file__).parents[2] / "buildpacks/python/listening.toml").read_text())["listening"]


def _source(row: dict[str, list[str]], call: str) -> str:
    if call:
        if call.endswith(".*"):
            return f"from {call[:-2]} import ui\nui.title('x')\n"
        maker, called, method = call.partition("().")
        module, _, name = maker.rpartition(".")
        run = f"    made = {name}()\n    made.{method}()\n" if called else f"    {name}()\n"
        return f"from {module} import {name}\nif __name__ == '__main__':\n{run}"
    package = row["imports"][0]
    if "{function}" in row.get("start", ()):
        return f"import {package}\n@{package}.http\ndef hello(request):\n    return 'hi'\n"
    if row.get("touches"):
        return f"import {package} as x\nx.title('hi')\n"
    return f"import {package}\nmade = {package}.Thing()\nmade.{row['methods'][0]}()\n"


CASES = [(row, call) for row in ROWS for call in (row.get("calls") or [""])]


@pytest.mark.parametrize(("row", "call"), CASES, ids=[f"{row['name']}-{call}" for row, call in CASES])
def test_every_row_of_the_table_makes_a_server(plan_of, row, call):
    plan = plan_of({"requirements.txt": "x\n", "serve.py": _source(row, call)})
    assert ("http", row["name"], "serve.py") == (plan.kind, plan.framework, plan.entry)


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_every_row_says_why_with_a_link(row):
    assert row["why"]
    assert row["link"].startswith("https://")


@pytest.mark.parametrize(
    ("source", "start", "port"),
    [
        (
            "import os\nfrom http.server import HTTPServer\nHTTPServer(('', int(os.environ['PORT'])), None).serve_forever()\n",
            ("python", "serve.py"), 8080,
        ),
        ("from http.server import HTTPServer\nHTTPServer(('', 9001), None).serve_forever()\n", ("python", "serve.py"), 9001),
        (
            "from http.server import HTTPServer\nPORT = 9002\nserver = HTTPServer(('', PORT), None)\nserver.serve_forever()\n",
            ("python", "serve.py"), 9002,
        ),
        (
            "import tornado.web\nfrom tornado.options import define, options\ndefine('port', default=8888)\n"
            "tornado.web.Application([]).listen(options.port)\n",
            ("sh", "-c", 'exec python serve.py "--port=${PORT:-8080}"'), 8080,
        ),
        (
            "import os\nfrom mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x', port=int(os.environ['MCP_PORT']))\n"
            "if __name__ == '__main__':\n    mcp.run(transport='streamable-http')\n",
            ("sh", "-c", 'export FASTMCP_HOST="0.0.0.0"; export FASTMCP_PORT="${PORT:-8080}"; exec python serve.py'), 8080,
        ),
        (
            "import os\nfrom aiohttp import web\nweb.run_app(web.Application(), port=int(os.environ['SERVER_PORT']))\n",
            ("sh", "-c", 'export SERVER_PORT="${PORT:-8080}"; exec python serve.py'), 8080,
        ),
        ("import streamlit as st\nst.title('x')\n", None, 8080),
        ("import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch()\n", None, 8080),
    ],
)  # fmt: skip
def test_where_it_listens_is_told_in_the_way_that_it_understands(plan_of, source, start, port):
    plan = plan_of({"requirements.txt": "x\n", "serve.py": source})
    assert ("http", port) == (plan.kind, plan.port)
    assert start in (None, plan.start)
    assert "8080" in plan.start[-1] or start is not None or "${PORT:-8080}" in " ".join(plan.start)


def test_a_server_that_only_listens_to_its_own_container_is_said(plan_of):
    source = "from http.server import HTTPServer\nHTTPServer(('127.0.0.1', 8080), None).serve_forever()\n"
    plan = plan_of({"requirements.txt": "x\n", "serve.py": source})
    assert [("W_LOOPBACK", "serve.py:2")] == [(w.code, w.where) for w in plan.warnings if w.code == "W_LOOPBACK"]


def test_a_server_several_calls_away_is_found(plan_of):
    files = {
        "requirements.txt": "aiohttp\n",
        "shop/__init__.py": "",
        "shop/__main__.py": "from shop.main import main\nmain()\n",
        "shop/main.py": "import asyncio\nfrom shop.web import start\ndef main():\n    asyncio.run(start())\n",
        "shop/web.py": "from aiohttp import web\nclass Site:\n    def go(self):\n        web.run_app(web.Application())\n"
        "async def start():\n    Site().go()\n",
    }
    plan = plan_of(files)
    assert ("http", "shop/__main__.py", ("python", "-m", "shop")) == (plan.kind, plan.entry, plan.start)


def test_a_script_that_shows_hello_beside_the_server_is_a_decoy(plan_of):
    files = {
        "requirements.txt": "mcp\n",
        "main.py": "def main():\n    print('hello')\nif __name__ == '__main__':\n    main()\n",
        "weather.py": "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\nif __name__ == '__main__':\n    mcp.run()\n",
    }
    assert ("http", "weather.py") == (plan_of(files).kind, plan_of(files).entry)


def test_two_servers_with_equal_claims_stop_the_plan(plan_of):
    page = "import streamlit as st\nst.title('x')\n"
    with pytest.raises(S2IError) as refused:
        plan_of({"requirements.txt": "streamlit\n", "one.py": page, "two.py": page})
    assert (refused.value.kind, refused.value.advice) == (E_AMBIGUOUS, 'say which one in s2i.toml: entry = "one.py"')


def test_the_pages_of_a_streamlit_site_are_no_sites_of_their_own(plan_of):
    page = "import streamlit as st\nst.title('x')\n"
    plan = plan_of({"requirements.txt": "streamlit\n", "home.py": page, "pages/one.py": page})
    entry = next(d for d in plan.decisions if d.what == "entry")
    assert ("home.py", "strong", ()) == (entry.value, entry.strength, entry.rejected)


def test_an_application_that_a_name_holds_is_not_served_by_its_own_script(plan_of):
    source = "import uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nif __name__ == '__main__':\n    uvicorn.run(app)\n"
    assert ("asgi", "web:app") == (plan_of({"web.py": source}).kind, plan_of({"web.py": source}).entry)


def test_a_name_that_is_given_to_uvicorn_is_an_application_whoever_made_it(plan_of):
    source = (
        "import uvicorn\nfrom who import knows\napp = knows()\nif __name__ == '__main__':\n    uvicorn.run('web:app')\n"
    )
    assert ("asgi", "web:app") == (plan_of({"web.py": source}).kind, plan_of({"web.py": source}).entry)
