"""Secrets on a real engine: in the container, and in no file, image, log or list of the server. What runs is measured."""

from __future__ import annotations

import base64
import json
import os
import shutil
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
MOUNTED = "an0ther/canary+of-files"


def forms(value: str) -> tuple[bytes, ...]:
    """Return how a value would look that somebody has written somewhere."""
    data = value.encode()
    quoted = urllib.parse.quote(value, safe="").encode()
    return data, base64.b64encode(data), quoted, data.hex().encode(), value.encode("utf-16-le")


FORMS = (*forms(CANARY), *forms(MOUNTED))
PROGRAM = """
import base64, json, os, sys, urllib.parse
from flask import Flask

app = Flask(__name__)


def say():
    with open("/etc/shop/PASSWORD") as file:
        values = [os.environ["DB_PASSWORD"], file.read()]
    for value in values:
        print("raw", value)
        print("base64", base64.b64encode(b"user:" + value.encode()).decode())
        print("url", urllib.parse.quote(value, safe=""))
        print("json", json.dumps({"value": value}))
        print("hex", value.encode().hex())
        for at in range(0, len(value), 7):
            print(value[at:at + 7], end="", flush=True)
        print(flush=True)


@app.route("/say")
def said():
    say()
    return "said"


if "CRASH" in os.environ:
    say()
    sys.exit(3)


@app.route("/")
def page():
    return f"{os.environ['DB_USER']} {len(os.environ['DB_PASSWORD'])} {os.environ['COLOUR']}"


@app.route("/files")
def files():
    folder = "/etc/shop"
    rows = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        found = os.stat(path)
        with open(path) as file:
            rows.append([name, len(file.read()), found.st_uid, oct(found.st_mode & 0o7777), os.access(path, os.W_OK)])
    with open("/proc/mounts") as table:
        kind = next(line.split()[2] for line in table if line.split()[1] == folder)
    try:
        open(folder + "/new", "w").close()
        rows.append("written")
    except OSError:
        pass
    return {"files": rows, "kind": kind, "user": os.getuid()}
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
    home.ok("secret", "create", "keys", "--from-literal", f"PASSWORD={MOUNTED}", "--from-literal", "USER=shop")
    home.ok("configmap", "create", "look", "--from-literal", "COLOUR=red")
    words = ("--env-from-secret", "DB_=db", "--env-from-configmap", "look", "--min-scale", "1")
    words = (*words, "--mount-secret", "/etc/shop=keys")
    url = home.ok("deploy", str(tmp_path), "--name", "shop", *words)
    assert home.get(url) == (200, f"shop {len(CANARY)} red")
    mounted = {
        "files": [["PASSWORD", len(MOUNTED), 1001, "0o400", False], ["USER", 4, 1001, "0o400", False]],
        "kind": "tmpfs",
        "user": 1001,
    }
    assert json.loads(home.get(url, path="/files")[1]) == mounted
    home.ok("configmap", "update", "look", "--from-literal", "COLOUR=blue")
    assert home.get(url)[1].endswith("red")
    assert home.data("app", "get", "shop")["outdated"] == ["configmap look"]
    home.ok("app", "restart", "shop")
    assert home.get(url)[1].endswith("blue")
    assert json.loads(home.get(url, path="/files")[1]) == mounted
    label = {"label": f"s2i.server={home.server()['id']}"}
    boxes = engine.containers.list(all=True, filters=label, ignore_removed=True)
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
    # Where the folder of sockets is in memory, what is mounted lies there.
    files = [path for path in home.folder.rglob("*") if path.is_file() and home.folder / "run" not in path.parents]
    seen = {str(path): path.read_bytes() for path in files} | {"shown": shown.encode(), "processes": processes.encode()}
    image = home.data("app", "get", "shop")["image"]
    seen["image"] = repr(engine.api.inspect_image(image)).encode() + repr(engine.api.history(image)).encode()
    details = {box.name: repr(box.attrs).encode() for box in boxes}
    assert any(b"/etc/shop" in data for data in details.values())
    assert [name for name, data in details.items() for form in forms(MOUNTED) if form in data] == []
    assert len(files) > 10
    assert [name for name, data in seen.items() for form in FORMS if form in data] == []
    assert CANARY in home.ok("secret", "get", "db", "--decode")
    refused = home.run("secret", "delete", "db", "--yes")
    assert (refused.returncode, "is used by app shop" in refused.stderr) == (7, True)


def test_what_an_app_prints_of_its_secrets_is_in_no_log_event_or_file(home: Home) -> None:
    url = home.data("app", "get", "shop")["url"]
    assert home.get(url, path="/say") == (200, "said")
    until = time.monotonic() + 20
    while (shown := home.ok("app", "logs", "shop")).count("***") < 12:
        assert time.monotonic() < until, shown
        time.sleep(0.2)
    failed = home.run("app", "update", "shop", "--env", "CRASH=1")
    assert (failed.returncode, "***" in failed.stdout + failed.stderr) == (6, True)
    home.run("app", "restart", "shop")
    until = time.monotonic() + 60
    while home.ok("app", "logs", "shop", "--previous").count("***") < 12:
        assert time.monotonic() < until
        time.sleep(0.5)
    job = ("--env-from-secret", "DB_=db", "--mount-secret", "/etc/shop=keys", "--env", "CRASH=1", "--retrylimit", "0")
    home.ok("job", "create", "say", "--image", home.data("app", "get", "shop")["image"], *job)
    home.run("jobrun", "submit", "say", "--command", "python -c 'import app'", "--wait")
    assert home.ok("jobrun", "logs", "say-1").count("***") >= 12
    told = [home.run(*words) for words in (
        ("app", "logs", "shop"), ("app", "logs", "shop", "--previous"), ("app", "events", "shop"), ("app", "get", "shop"),
        ("app", "get", "shop", "-o", "json"), ("jobrun", "logs", "say-1"), ("jobrun", "get", "say-1", "-o", "json"),
    )]  # fmt: skip
    text = "".join(one.stdout + one.stderr for one in (*told, failed)) + shown
    files = [path for path in home.folder.rglob("*") if path.is_file() and home.folder / "run" not in path.parents]
    seen = {"text": text.encode()} | {str(path): path.read_bytes() for path in files}
    printed = [base64.b64encode(b"user:" + value.encode())[8:-8] for value in (CANARY, MOUNTED)]
    assert [name for name, data in seen.items() for form in (*FORMS, *printed) if form in data] == []
    home.ok("app", "update", "shop", "--env-rm", "CRASH")


def test_what_is_mounted_goes_with_its_container_and_is_there_again_after_a_reboot(home: Home) -> None:
    engine, server = docker.from_env(), home.server()["id"]
    places = [
        place
        for place in (home.folder / "run" / "mounts", Path(f"/dev/shm/s2i-{os.geteuid()}/mounts"))
        if place.is_dir()
    ]

    def laid() -> list[Path]:
        return [path for place in places for path in place.glob(f"s2i-{server}.*")]

    until = time.monotonic() + 60
    while [path.name for path in laid()] != [
        f"s2i-{server}.default.shop.r{home.data('app', 'get', 'shop')['revision']}-0"
    ]:  # what served before runs on a while
        assert time.monotonic() < until, laid()
        time.sleep(0.2)
    label = {"label": [f"s2i.server={server}", "s2i.role=instance"]}
    (box,) = engine.containers.list(filters=label)
    shutil.rmtree(laid()[0])
    box.kill()
    url = home.data("app", "get", "shop")["url"]
    until = time.monotonic() + 30
    while home.answer_within(url, 30) and '"PASSWORD"' not in home.get(url, path="/files")[1]:
        assert time.monotonic() < until
        time.sleep(0.2)
    home.ok("job", "create", "report", "--image", box.attrs["Config"]["Image"], "--mount-secret", "/run/shop=keys")
    words = ("--command", "python -c \"import os; print(sorted(os.listdir('/run/shop')))\"", "--retrylimit", "0")
    home.ok("jobrun", "submit", "report", *words, "--wait")
    assert "['PASSWORD', 'USER']" in home.ok("jobrun", "logs", "report-1")
    home.ok("app", "stop", "shop")
    until = time.monotonic() + 30
    while laid():
        assert time.monotonic() < until, laid()
        time.sleep(0.2)
    home.ok("app", "start", "shop")
    home.answer_within(url, 30)


def test_what_runs_is_measured_as_the_engine_does(home: Home) -> None:
    engine, server = docker.from_env(), home.server()["id"]

    def used(instance: str) -> int:
        label = [f"s2i.server={server}", f"s2i.instance={instance}", "s2i.role=instance"]
        (box,) = engine.containers.list(filters={"label": label}, ignore_removed=True) or (None,)
        stats = box.stats(stream=False)["memory_stats"] if box else {}
        files = stats.get("stats", {})
        return int(stats.get("usage", 0)) - int(files.get("total_inactive_file", files.get("inactive_file", 0)))

    until = time.monotonic() + 60
    while True:  # what it was measured at is up to some seconds old, and an app that has just begun grows
        found = [one for one in home.data("top") if one["name"] == "shop" and one["instance"]]
        there = used(found[0]["instance"]) if found else 0
        if there and abs(found[0]["memory"] - there) <= 0.05 * there:
            break
        assert time.monotonic() < until, (found, there)
        time.sleep(0.5)
    assert 0 <= found[0]["cpu"] < 100
