"""What was tried against the planner, and has to end: in time, in words, and the same way each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2i.errors import S2IError

ROOT = Path(__file__).parents[2]
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
STAR = {"requirements.txt": "flask\n", "main.py": "from x import *\n", "app.py": FLASK}
WIDE = "".join(
    f"{name}=[{','.join([inner] * 300)}]\n" for name, inner in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))
)
GROUPS = "".join(f"g{n}=[{','.join([f'{{include-group={chr(34)}g{n + 1}{chr(34)}}}'] * 60)}]\n" for n in range(8))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "files",
    [
        {"app.py": FLASK, "Dockerfile": "# a=x" + " " * 200_000 + "y\nFROM scratch\n"},
        {"app.py": FLASK, "requirements.txt": "flask\npsycopg2\n", "Dockerfile": "FROM scratch\nRUN " + "apt " * 60_000},
        {"app.py": FLASK, "Dockerfile": "FROM scratch\nENV a1=xx\n" + "".join(f"ENV a{n}=$a{n - 1}$a{n - 1}\n" for n in range(2, 40))},
        {"app.py": FLASK, "Dockerfile": "FROM scratch\nRUN " + "<<A " * 3000 + "\n" + "x\n" * 100_000},
        {"app.py": FLASK, "setup.py": f"e='x'\n{WIDE}setup(name='x', install_requires=a)\n"},
        {"app.py": FLASK, "pyproject.toml": f'[dependency-groups]\nproduction=[{{include-group="g0"}}]\n{GROUPS}g8=["flask"]\n'},
    ],
    ids=["directive", "apt", "env", "documents", "setup.py", "groups"],
)  # fmt: skip
def test_small_files_that_multiply_end_in_time(plan_of, files):
    assert "app:app" == plan_of(files).entry


@pytest.mark.parametrize(
    "files",
    [
        {**STAR, ".s2i/environment": "APP_MODULE=main:a b$(id)\n"},
        {**STAR, "Procfile": "web: gunicorn \"main:create_app('x')\"\n"},
        {**STAR, "gunicorn.conf.py": "wsgi_app = 'main:a.b'\n"},
        {**STAR, "serve.py": "import uvicorn\nuvicorn.run('main:é', host='0.0.0.0')\n"},
        {**STAR, "shop/__init__.py": "from .core import *\n", "shop/core.py": "from flask import Flask\né = Flask('x')\n"},
        {**STAR, "odd.py": "from flask import Flask\ndef create() -> 'class':\n    return 1\n"},
        {**STAR, "pyproject.toml": "tool=1\n[project]\nname='x'\ndependencies=['flask']\n", "poetry.lock": ""},
        {**STAR, "poetry.lock": f"# Poetry {'9' * 5000}.1\n[[package]]\nname='flask'\n"},
        {**STAR, "pyproject.toml": f"[tool.poetry.dependencies]\nflask='^{'9' * 5000}'\n"},
        {**STAR, "README.md": "x" * 2_000_000, "two.py": FLASK, "s2i.toml": 'entry = "app:app"\n'},
    ],
)  # fmt: skip
def test_an_odd_name_or_number_is_no_fault_of_ours(plan_of, files):
    assert _end(plan_of, files) in ("planned", 3, 4)


def _end(plan_of, files):
    try:
        return "planned" if plan_of(files).entry else "nothing"
    except S2IError as refused:
        return refused.exit


def test_a_port_that_is_no_number_is_none(plan_of):
    page = "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch(server_port='²')\n"
    assert 8080 == plan_of({"requirements.txt": "gradio\n", "app.py": page}).port


def test_a_folder_with_braces_in_its_name_is_listed(plan_of):
    files = {f"{folder}/{name}": text for folder in ("[x]", "a{y}") for name, text in
             (("app.py", FLASK), ("requirements.txt", "flask\n"))}  # fmt: skip
    with pytest.raises(S2IError) as refused:
        plan_of(files)
    assert "--context-dir [x]" in refused.value.advice


def test_a_console_script_is_a_plain_name_of_a_plain_function(plan_of):
    project = '[project]\nname = "a"\nversion = "1"\n[project.scripts]\n"a;id$(id)" = "x:main"\n"-c" = "x:main"\nb = "x:main#foo"\n'
    source = "import gradio as gr\ndef main():\n    gr.Interface().launch()\n"
    with pytest.raises(S2IError) as refused:
        plan_of({"pyproject.toml": f"{project}[build-system]\nrequires = []\n", "x.py": source})
    assert 4 == refused.value.exit


def test_what_a_procfile_sets_reaches_the_program_and_not_the_eye(plan_of, flask):
    started = plan_of(
        {"requirements.txt": "x\n", "a.py": "x = 1\n", "run.sh": "", "Procfile": "web: MODE=prod ./run.sh\n"}
    )
    assert ("sh", "-c", "exec env MODE=prod ./run.sh") == started.start
    shown = plan_of({"requirements.txt": "flask\n", "app.py": flask, "Procfile": "web: SECRET_KEY=hush ./gone.sh\n"})
    assert ["`web: SECRET_KEY=… ./gone.sh` is not run: there is no ./gone.sh"] == [
        w.message for w in shown.warnings if w.code == "W_PROCFILE"
    ]


@pytest.mark.world
def test_a_plan_is_the_same_bytes_whatever_the_order_of_sets(tmp_path):
    (tmp_path / "app.py").write_text("import aa, bb, cc, dd\nfrom flask import Flask\napp = Flask(__name__)\n")
    for name in ("aa", "bb", "cc", "dd"):
        (tmp_path / f"{name}.py").write_text(f"import x{name}, y{name}\n")
    command = (sys.executable, "-m", "s2i", "plan", str(tmp_path), "-o", "json")
    made = {
        subprocess.run(
            command, cwd=ROOT, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in "0123"
    }
    assert 1 == len(made)
