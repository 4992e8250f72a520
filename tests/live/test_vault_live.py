"""Secrets on a real engine: in the container, and in no file, image, log or list of the server. What runs is measured."""

from __future__ import annotations

import base64
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import Home

CANARY = "s3cret/canary+value"
FORMS = (
    CANARY.encode(),
    base64.b64encode(CANARY.encode()),
    urllib.parse.quote(CANARY, safe="").encode(),
    CANARY.encode().hex().encode(),
    CANARY.encode("utf-16-le"),
)
PROGRAM = """
import os
from flask import Flask

app = Flask(__name__)


@app.route("/")
def page():
    return f"{os.environ['DB_USER']} {len(os.environ['DB_PASSWORD'])} {os.environ['COLOUR']}"
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18860)
        yield made
        made.run("server", "stop", "--all", "--yes")


def test_a_secret_is_in_its_container_and_nowhere_else(home: Home, tmp_path: Path) -> None:
    engine = docker.from_env()
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "requirements.txt").write_text("flask\n")
    (tmp_path.parent / "password").write_text(CANARY)
    home.ok(
        "secret", "create", "db", "--from-literal", "USER=shop", "--from-file", f"PASSWORD={tmp_path.parent}/password"
    )
    home.ok("configmap", "create", "look", "--from-literal", "COLOUR=red")
    words = ("--env-from-secret", "DB_=db", "--env-from-configmap", "look", "--min-scale", "1")
    url = home.ok("deploy", str(tmp_path), "--name", "shop", *words)
    assert home.get(url) == (200, f"shop {len(CANARY)} red")
    home.ok("configmap", "update", "look", "--from-literal", "COLOUR=blue")
    assert home.get(url)[1].endswith("red")
    assert home.data("app", "get", "shop")["outdated"] == ["configmap look"]
    home.ok("app", "restart", "shop")
    assert home.get(url)[1].endswith("blue")
    shown = "".join(
        home.run(*words).stdout + home.run(*words).stderr
        for words in (
            ("app", "get", "shop", "-o", "json"),
            ("app", "diff", "shop", "r1", "r2"),
            ("app", "events", "shop"),
            ("app", "logs", "shop"),
            ("secret", "get", "db", "-o", "json"),
            ("app", "update", "shop", "--memory", "300M", "--dry-run"),
        )
    )
    processes = subprocess.run(("ps", "-eo", "args"), capture_output=True, text=True, check=True).stdout
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    seen = {str(path): path.read_bytes() for path in files} | {"shown": shown.encode(), "processes": processes.encode()}
    image = home.data("app", "get", "shop")["image"]
    seen["image"] = repr(engine.api.inspect_image(image)).encode() + repr(engine.api.history(image)).encode()
    assert len(files) > 10
    assert [name for name, data in seen.items() for form in FORMS if form in data] == []
    assert CANARY in home.ok("secret", "get", "db", "--decode")
    refused = home.run("secret", "delete", "db", "--yes")
    assert (refused.returncode, "is used by app shop" in refused.stderr) == (7, True)


def test_what_runs_is_measured_as_the_engine_does(home: Home) -> None:
    engine = docker.from_env()
    until = time.monotonic() + 30
    while not (found := [one for one in home.data("top") if one["name"] == "shop" and one["instance"] == "r2-0"]):
        assert time.monotonic() < until
        time.sleep(0.5)
    (box,) = engine.containers.list(
        filters={"label": [f"s2i.server={home.server()['id']}", "s2i.instance=r2-0", "s2i.role=instance"]}
    )
    stats = box.stats(stream=False)["memory_stats"]
    used = stats["usage"] - stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
    assert abs(found[0]["memory"] - used) <= 0.05 * used
    assert 0 <= found[0]["cpu"] < 100
