"""Services on a real engine: a Django app on a PostgreSQL of its project, and Redis; their passwords are nowhere."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import Home

SETTINGS = """
import os
from urllib.parse import urlsplit

url = urlsplit(os.environ.get("DATABASE_URL", "postgresql://x:x@nowhere/x"))
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "PASSWORD": url.password,
        "HOST": url.hostname,
        "PORT": url.port or 5432,
    }
}
"""
URLS = """
import json, os
from django.http import HttpResponse
from django.urls import path
from shop.models import Note

def page(request):
    return HttpResponse(",".join(Note.objects.order_by("id").values_list("text", flat=True)))

def add(request, text):
    Note.objects.create(text=text)
    return HttpResponse("added")

def drop(request, text):
    return HttpResponse(str(Note.objects.filter(text=text).delete()[0]))

def bound(request):
    found = json.loads(os.environ["CE_SERVICES"])
    return HttpResponse(" ".join(sorted(f"{kind} {one['name']}" for kind in found for one in found[kind])))

urlpatterns = [path("", page), path("add/<text>", add), path("drop/<text>", drop), path("bound", bound)]
"""
FILES = {
    "manage.py": (
        'import os, sys\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
        "from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
    ),
    "requirements.txt": "django~=5.1\npsycopg[binary]~=3.2\n",
    "shop/__init__.py": "",
    "shop/settings.py": SETTINGS,
    "shop/urls.py": URLS,
    "shop/wsgi.py": (
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    ),
    "shop/models.py": "from django.db import models\n\n\nclass Note(models.Model):\n    text = models.TextField()\n",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": (
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    initial = True\n"
        "    dependencies = []\n    operations = [migrations.CreateModel(name='Note', fields=[\n"
        "        ('id', models.BigAutoField(primary_key=True)), ('text', models.TextField())])]\n"
    ),
}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18945)
        yield made
        made.run("server", "stop", "--all", "--volumes", "--yes")


def container_of(home: Home, service: str) -> docker.models.containers.Container:
    labels = [f"s2i.server={home.server()['id']}", f"s2i.job={service}"]
    (found,) = docker.from_env().containers.list(filters={"label": labels}, ignore_removed=True)
    return found


def password_of(home: Home, service: str) -> str:
    return str(home.data("secret", "get", f"{service}-service", "--decode")["values"]["password"])


def await_answer(home: Home, service: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not home.data("service", "get", service)["answers"]:
        assert time.monotonic() < until, home.ok("service", "logs", service)
        time.sleep(0.2)


def test_a_django_app_is_migrated_serves_from_postgres_and_is_restored(home: Home, tmp_path: Path) -> None:
    """Must show 4."""
    for name, text in FILES.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    src, dump = str(tmp_path / "src"), tmp_path / "db.dump"
    home.ok("service", "create", "postgres", "db")
    home.ok("job", "create", "migrate", src, "--command", "python3 manage.py migrate")
    home.ok("job", "bind", "migrate", "db")
    home.ok("jobrun", "submit", "migrate", "--wait")
    url = home.ok("deploy", src, "--name", "shop", "--min-scale", "1").splitlines()[-1]
    home.ok("app", "bind", "shop", "db")
    assert home.answer_within(url, 20) == ""
    assert home.get(url, path="/bound") == (200, "postgres db")
    assert "bound to  db (DATABASE_URL)" in home.ok("app", "get", "shop")
    for word in ("one", "two"):
        assert home.get(url, path=f"/add/{word}") == (200, "added")

    home.ok("service", "backup", "db", str(dump))
    assert (dump.stat().st_mode & 0o777, dump.read_bytes()[:5]) == (0o600, b"PGDMP")
    assert home.get(url, path="/drop/one") == (200, "1")
    for content in (b"PGDMP and no more", b"", dump.read_bytes()[:-200]):
        torn = tmp_path / "torn.dump"
        torn.write_bytes(content)
        assert home.run("service", "restore", "db", str(torn), "--yes").returncode == 6
        assert home.get(url) == (200, "two")
    home.ok("service", "restore", "db", str(dump), "--yes")
    assert home.get(url) == (200, "one,two")

    container_of(home, "db").kill()
    await_answer(home, "db")
    assert home.answer_within(url, 30) == "one,two"
    refused = home.run("service", "delete", "db", "--yes")
    assert (refused.returncode, "is bound to app shop, job migrate" in refused.stderr) == (7, True)


def test_redis_keeps_what_it_was_given_and_is_restored(home: Home, tmp_path: Path) -> None:
    home.ok("service", "create", "redis", "cache")
    ask = ("sh", "-c")
    login = 'REDISCLI_AUTH="$(cat /run/service/password)" redis-cli '
    assert container_of(home, "cache").exec_run([*ask, "redis-cli get a"]).output.startswith(b"NOAUTH")
    assert container_of(home, "cache").exec_run([*ask, f"{login} set a 1"]).output == b"OK\n"
    home.ok("service", "backup", "cache", str(tmp_path / "a.rdb"))
    container_of(home, "cache").exec_run([*ask, f"{login} set a 2"])
    (tmp_path / "torn.rdb").write_bytes((tmp_path / "a.rdb").read_bytes()[:-9])
    assert home.run("service", "restore", "cache", str(tmp_path / "torn.rdb"), "--yes").returncode == 6
    assert container_of(home, "cache").exec_run([*ask, f"{login} get a"]).output == b"2\n"
    home.ok("service", "restore", "cache", str(tmp_path / "a.rdb"), "--yes")
    await_answer(home, "cache")
    assert container_of(home, "cache").exec_run([*ask, f"{login} get a"]).output == b"1\n"
    home.ok("app", "bind", "shop", "cache")
    url = home.data("app", "get", "shop")["url"]
    assert home.get(url, path="/bound") == (200, "postgres db redis cache")
    home.ok("app", "unbind", "shop", "cache")
    home.ok("service", "delete", "cache", "--yes")
    assert [one["name"] for one in home.data("volume", "list")] == ["db"]


def test_the_password_of_a_service_is_nowhere_but_in_the_variables_of_what_is_bound(home: Home) -> None:
    """THREATS T60: what the engine tells of anything, lists of processes, logs, and every file of the state folder."""
    secret, engine, server = password_of(home, "db"), docker.from_env(), str(home.server()["id"])
    assert len(secret) == 48
    boxes = engine.containers.list(all=True, filters={"label": f"s2i.server={server}"}, ignore_removed=True)
    told = {box.name: json.dumps(box.attrs) for box in boxes if box.labels.get("s2i.job") == "db"}
    told |= {one.name: json.dumps(one.attrs) for one in engine.volumes.list()}
    told["processes"] = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    told["log"] = home.ok("service", "logs", "db")
    told |= {box.name + " log": box.logs().decode() for box in boxes}
    for path in home.folder.rglob("*"):
        if path.is_file():
            told[str(path)] = path.read_bytes().decode("latin-1")
    assert [where for where, text in told.items() if secret in text] == []
