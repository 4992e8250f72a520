"""`s2i plan` and `s2i dockerfile`: what they print, and what they do not import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2i.cli.dockerfile import dockerfile
from s2i.cli.plan import plan
from s2i.planning.plan import Base

ROOT = Path(__file__).parents[2]
FLASK_HELLO = str(ROOT / "fixtures" / "flask-hello" / "app")
TEXT = """\
kind     wsgi (flask)
entry    app:app
python   3.13
manager  requirements.txt
start    gunicorn --worker-class gthread --threads 8 --access-logfile - app:app
port     $PORT, 8080 by default
base     run

steps
   1. build    Copy requirements.txt first: a change of code reinstalls nothing
   2. build    Install the dependencies
      $ uv venv --python /usr/local/bin/python3 /opt/venv
      $ uv pip install --python /opt/venv/bin/python -r requirements.txt 'gunicorn>=21,<28'
      $ mkdir -p /out/build
      $ find /opt/venv '!' -type d -newermt 1980-01-03 '!' -path /opt/venv/.lock '(' '!' -path '*/site-packages/*/tests/*' '!' -path '*/site-packages/*.a' '!' -path '*/site-packages/*/uv_cache.json' -o -path … (387 characters)
      $ /opt/venv/bin/python -c 'from compileall import compile_dir; from py_compile import PycInvalidationMode; compile_dir("/out/build/opt/venv/lib", ddir="/opt/venv/lib", workers=0, quiet=2, invalidation_m… (240 characters)
      $ find /out/build -exec touch --no-dereference --date=1980-01-02 '{}' +
   3. runtime  Copy the environment, without the tools that made it
   4. runtime  Copy the source, last: it changes most often

why
  kind          wsgi                      app.py:3
  entry         app:app                   app.py:3
  manager       requirements.txt          requirements.txt:1
  python        3.13                      the newest offered  (likely)
  server        gunicorn>=21,<28          servers.toml: wsgi  (likely)
  bytecode      of the dependencies       1 kB of Python in the source: each start compiles them
  prune         their tests               prune.toml: what only developers use
"""


@pytest.fixture(autouse=True)
def one_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2i.images.bases.offered", lambda: (Base("3.13", "build", "run", uv=True),))


def test_a_plan_reads_as_text():
    assert CliRunner().invoke(plan, [FLASK_HELLO], catch_exceptions=False).output == TEXT


def test_a_plan_is_data_on_request():
    done = CliRunner().invoke(plan, [FLASK_HELLO, "-o", "json"], catch_exceptions=False)
    made = json.loads(done.output)
    assert (made["version"], made["kind"], made["entry"], made["port"]) == (1, "wsgi", "app:app", 8080)


def test_a_context_dir_is_planned_alone():
    root = str(ROOT / "fixtures")
    done = CliRunner().invoke(plan, [root, "--context-dir", "job-script/app", "-o", "json"], catch_exceptions=False)
    assert json.loads(done.output)["entry"] == "report.py"


def test_the_dockerfile_is_printed():
    done = CliRunner().invoke(dockerfile, [FLASK_HELLO], catch_exceptions=False)
    assert done.output.startswith("# Made by s2i")
    assert done.output.endswith('"app:app"]\n')


@pytest.mark.world
def test_a_plan_imports_nothing_that_is_slow():
    code = f"import sys; from s2i.cli.plan import plan; plan([{FLASK_HELLO!r}], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    slow = {
        "docker",
        "git",
        "httpx",
        "litestar",
        "rich",
        "jinja2",
        "packaging",
        "asyncio",
        "subprocess",
        "hashlib",
        "tempfile",
    }
    assert set() == slow & set(done.stdout.splitlines()[-1].split())
