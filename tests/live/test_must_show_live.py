"""The whole way: from Git URLs and fixtures to answers, and an installed wheel far from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_http import GitServer, commit, git, repository
from home import FIXTURES, ROOT, Home

FLASK = {
    "requirements.txt": "flask\n",
    "shop.py": "from flask import Flask\nweb = Flask(__name__)\n\n@web.get('/')\ndef index():\n    return 'one'\n",
}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18800)
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path) as running:
        yield running


@pytest.mark.parametrize("fixture", ["flask-hello", "django-hello", "fastapi-hello"])
def test_a_fixture_becomes_an_app_that_is_listed_and_answers(home: Home, fixture: str) -> None:
    url = home.ok("deploy", str(FIXTURES / fixture / "app"))
    assert url == f"http://{fixture}.default.localhost:{home.port}"
    status, _ = home.get(url)
    assert status == 200
    listed = {app["name"]: app["url"] for app in home.data("app", "list")}
    assert listed[fixture] == url


def test_a_job_fixture_runs_to_its_end(home: Home) -> None:
    shown = home.ok("deploy", str(FIXTURES / "job-script/app"))
    assert shown.splitlines()[-1] == "job-script-1: succeeded, exit code 0"
    assert [(run["name"], run["status"], run["exit"]) for run in home.data("jobrun", "list")] == [
        ("job-script-1", "succeeded", 0)
    ]


def test_a_git_url_is_deployed_by_ref_and_subdir_though_the_server_ran_before_it_was_allowed(
    home: Home, server: GitServer, tmp_path: Path
) -> None:
    place = repository(tmp_path / "mono", {f"services/shop/{name}": text for name, text in FLASK.items()})
    git(place, "tag", "v1")
    commit(place, {"services/shop/shop.py": FLASK["shop.py"].replace("one", "two")})
    home.ok("server", "start")
    refused = home.run("deploy", f"{server.url('mono')}#services/shop")
    assert (refused.returncode, "E_URL" in refused.stderr) == (2, True)
    home.environment["S2I_GIT_ALLOW"] = server.host
    url = home.ok("deploy", f"{server.url('mono')}@v1#services/shop")
    assert url == f"http://shop.default.localhost:{home.port}"
    assert home.get(url) == (200, "one")
    assert home.ok("deploy", f"{server.url('mono')}#services/shop") == url
    assert home.get(url) == (200, "two")
    (shop,) = (app for app in home.data("app", "list") if app["name"] == "shop")
    assert shop["revision"] == 2


def test_a_ref_that_is_not_there_is_refused_and_leaves_nothing(home: Home, server: GitServer, tmp_path: Path) -> None:
    repository(tmp_path / "r", FLASK)
    home.environment["S2I_GIT_ALLOW"] = server.host
    done = home.run("deploy", f"{server.url('r')}@v9", "--name", "never")
    assert done.returncode == 3
    assert "v9" in done.stderr
    (listed,) = (app for app in home.data("app", "list") if app["name"] == "never")
    assert (listed["status"], listed["revision"]) == ("failed", 0)
    home.ok("app", "delete", "never", "--yes")
    assert "never" not in home.ok("app", "list")
    assert list((home.folder / "cache/work").glob("*")) == []


def test_an_installed_wheel_builds_from_outside_the_checkout(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": "", "S2I_HOME": str(tmp_path / "h")}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True, timeout=240)
    (wheel,) = tmp_path.glob("s2i-*.whl")
    # The environment's own dependencies, and the wheel's files before the checkout's.
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "v"], check=True, timeout=120)
    site = Path(sys.prefix) / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (own,) = (tmp_path / "v/lib").glob("python*/site-packages")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(own), str(wheel)], check=True, timeout=240)
    (own / "dependencies.pth").write_text(f"{site}\n")
    source = tmp_path / "source"
    source.mkdir()
    for name, text in FLASK.items():
        (source / name).write_text(text)
    python = tmp_path / "v/bin/python"
    where = [python, "-c", "import s2i; print(s2i.__file__)"]
    assert str(own) in subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    done = subprocess.run(
        [python, "-m", "s2i", "build", str(source)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sha256:")
    subprocess.run([sys.executable, "-c", _REMOVE, done.stdout.strip()], check=True, timeout=60)


_REMOVE = "import docker, sys; docker.from_env().images.remove(sys.argv[1], force=True)"
