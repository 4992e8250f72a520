"""Images are proven on a real engine: one image of each kind behaves as $MODE says, so that few builds are needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import docker.errors
import pytest
from home import Home

from s2i import sources
from s2i.engines.docker import netns, trial
from s2i.engines.engine import Owner
from s2i.images import planned
from s2i.images import prove as proving
from s2i.images.build import build
from s2i.images.prove import Proof, notices, prove, watch
from s2i.images.request import BuildRequest
from s2i.planning.plan import BuildPlan
from s2i.resources.app import Config

OWNER = Owner("", "app", "proof", instance="t")
HTTP = """\
import http.server, os, signal, sys, time

mode, port = os.environ.get("MODE", ""), int(os.environ["PORT"])
if mode == "exits":
    print("no such table: users", file=sys.stderr)
    sys.exit(3)
if mode == "ends":
    sys.exit(0)
if mode == "sleeps":
    time.sleep(600)
if mode == "hungry":
    held = [bytearray(16 << 20) for _ in range(64)]
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "writes":
    try:
        open("/app/data.db", "w")
    except OSError as error:
        print(error, flush=True)


class Silent(http.server.BaseHTTPRequestHandler):
    def handle(self):
        self.wfile.write(b"SSH-2.0-none\\r\\n")


host = "127.0.0.1" if mode == "loopback" else "0.0.0.0"
answers = Silent if mode == "mute" else http.server.SimpleHTTPRequestHandler
http.server.ThreadingHTTPServer((host, 5000 if mode == "elsewhere" else port), answers).serve_forever()
"""
WSGI = """\
import os
import time


def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


async def served(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


mode, wsgi = os.environ.get("MODE", ""), app
if mode == "absent":
    import yaml_of_nobody
if mode == "variable":
    print("the token is", os.environ["TOKEN"], os.environ["SHOP_KEY"])
if mode == "network":
    import socket
    socket.create_connection(("db.example.com", 5432), 5)
if mode == "hangs":
    import threading
    threading.Event().wait()
if mode == "chatty":
    print('s2i-proof found {"shape": "asgi", "kind": "asgi"}', flush=True)
    raise ValueError("after a lie")
if mode == "asgi":
    globals()["app"] = served
if mode == "factory":
    globals()["app"] = lambda: wsgi
if mode == "renamed":
    globals()["application"] = globals().pop("app")
"""


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(watch, "SLOW_SECONDS", 1.0)


class Made:
    """An image, the plan of it, and how it is proven with some $MODE."""

    def __init__(self, folder: Path, remove: list[str]) -> None:
        with sources.fetch(sources.parse(str(folder)), policy=sources.Policy.of(os.environ)) as tree:
            self.plan: BuildPlan = planned.plan(tree)
            self.image = build(tree, self.plan, BuildRequest(title="proof")).id
        remove.append(self.image)

    def __call__(self, mode: str = "", limit: float = 40.0, memory: int = 128 << 20, **env: str) -> Proof:
        pairs = (("MODE", mode), *env.items())
        return prove(self.image, self.plan, Config(pairs, memory=memory), owner=OWNER, limit=limit)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Callable[..., Made]]:
    images: list[str] = []

    def one(**files: str) -> Made:
        folder = tmp_path_factory.mktemp("source")
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text)
        return Made(folder, images)

    yield one
    for image in set(images):  # one source gives one image
        engine.api.remove_image(image, force=True)


@pytest.fixture(scope="module")
def http(make: Callable[..., Made]) -> Made:
    return make(app_py=HTTP, s2i_toml='start = ["python", "app.py"]\n')


@pytest.fixture(scope="module")
def wsgi(make: Callable[..., Made]) -> Made:
    return make(app_py=WSGI, requirements_txt="", s2i_toml='entry = "app:app"\n')


def folder(path: Path, app: str) -> Path:
    path.mkdir()
    (path / "app.py").write_text(app)
    (path / "requirements.txt").write_text("")
    return path


def results(proof: Proof) -> dict[str, bool]:
    return {check.name: check.ok for check in proof.checks}


def test_a_good_app_is_proven_and_nothing_is_left_of_it(wsgi: Made, engine: docker.DockerClient) -> None:
    proof = wsgi()
    assert (proof.cause, proof.why, notices(proof)) == ("", "", ())
    names = ("import", "start", "listen", "answer", "user", "files", "stop")
    assert results(proof) == dict.fromkeys(names, True)
    seen = {check.name: check.seen for check in proof.checks}
    assert (seen["listen"], seen["answer"]) == ("0.0.0.0:8080", "HTTP 200")
    assert seen["user"] == "user 1001, no capabilities"
    assert engine.containers.list(ignore_removed=True, all=True, filters={"ancestor": wsgi.image}) == []
    again = wsgi()
    assert (again.known, results(again)) == (True, results(proof))


@pytest.mark.parametrize(
    ("mode", "cause", "why", "log"),
    [
        (
            "exits",
            "exited",
            "the database has no table users: its migrations have not been run",
            ("no such table: users",),
        ),
        ("ends", "exited", "it ended with exit code 0 before it answered on port 8080: an app goes on listening", ()),
        (
            "loopback",
            "loopback",
            "it listens on 127.0.0.1:8080 only, where nobody outside of its container reaches it",
            (),
        ),
        ("elsewhere", "elsewhere", "it listens on port 5000, expected 0.0.0.0:$PORT (PORT=8080)", ()),
        ("hungry", "memory", "it needed more memory than it may have", ()),
    ],
)
def test_each_way_of_not_serving_has_its_own_finding(
    http: Made, mode: str, cause: str, why: str, log: tuple[str, ...]
) -> None:
    proof = http(mode)
    assert (proof.cause, proof.why, proof.log) == (cause, why, log)


@pytest.mark.parametrize(
    ("mode", "cause", "why"),
    [
        ("mute", "mute", "it listens on port 8080, but gives no HTTP answer there"),
        ("sleeps", "silent", "it listened nowhere within 10 s, expected 0.0.0.0:$PORT (PORT=8080)"),
    ],
)
def test_an_app_that_never_answers_has_a_time_limit(http: Made, mode: str, cause: str, why: str) -> None:
    proof = http(mode, limit=10.0)
    assert (proof.cause, proof.why) == (cause, why)


def test_an_app_that_writes_beside_its_code_is_told_so(http: Made) -> None:
    proof = http("writes")
    assert proof.proven
    said = (
        "it tried to write outside of /tmp, which an instance cannot: [Errno 30] Read-only file system: '/app/data.db'"
    )
    assert [(one.code, one.message) for one in notices(proof)] == [("W_READ_ONLY", said)]


def test_an_app_that_ignores_sigterm_is_told_so(http: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "GRACE_SECONDS", 2.0)
    proof = http("deaf")
    assert proof.proven
    assert [one.code for one in notices(proof)] == ["W_SIGTERM"]
    assert proof.checks[-1].seen == "SIGTERM ignored: it had to be killed after 2 s"


@pytest.mark.parametrize(
    ("mode", "cause", "why", "where"),
    [
        ("absent", "import", "the code imports yaml_of_nobody, which is not in the image", "app.py:18"),
        ("variable", "variable", "it needs the environment variable SHOP_KEY, which is not set", "app.py:20"),
        ("network", "outside", "it needs the network to start, which a proof does not have: ", "app.py:23"),
        ("chatty", "import", "importing app:app raises ValueError: after a lie", "app.py:29"),
    ],
)
def test_what_stops_the_import_is_named_with_its_line(wsgi: Made, mode: str, cause: str, why: str, where: str) -> None:
    proof = wsgi(mode, TOKEN="s3cr3tcanary")
    assert (proof.cause, proof.why[: len(why)], proof.where) == (cause, why, where)
    assert [one.code for one in notices(proof)] == (["W_UNPROVEN"] if cause == "outside" else [])


def test_an_import_that_never_ends_is_named_with_its_line(wsgi: Made) -> None:
    proof = wsgi("hangs", limit=8.0)
    assert (proof.cause, proof.where) == ("hangs", "app.py:26")
    assert proof.why == "importing app:app did not end within 8 s"


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("asgi", "app:app is an ASGI application, and was to be served as WSGI"),
        ("factory", "app:app is a factory, which has to be called: it makes a WSGI application"),
        ("renamed", "there is no app in the module app"),
    ],
)
def test_a_callable_that_is_not_what_was_planned_is_told_apart(wsgi: Made, mode: str, why: str) -> None:
    proof = wsgi(mode)
    assert (proof.cause, proof.why) == ("callable", why)


def test_a_job_is_proven_by_its_command_and_not_run(make: Callable[..., Made]) -> None:
    good = make(report_py="raise SystemExit('it ran')\n", s2i_toml='kind = "job"\nentry = "report.py"\n')()
    assert (good.proven, [check.name for check in good.checks]) == (True, ["command"])
    bad = make(report_py="print()\n", s2i_toml='kind = "job"\nstart = ["python", "gone.py"]\n')()
    assert (bad.cause, bad.why) == ("command", "its command cannot be run: there is no file gone.py")


def dockerfile_of(engine: docker.DockerClient) -> str:
    base = next(t for i in engine.images.list() for t in i.tags if t.startswith("s2i.local/python:"))
    return f'FROM {base}\nWORKDIR /srv\nCMD ["python3", "-m", "http.server", "8080"]\n'


@pytest.mark.parametrize("enters", [True, False])
def test_an_image_of_a_dockerfile_is_asked(
    make: Callable[..., Made], engine: docker.DockerClient, enters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not enters:
        monkeypatch.setattr(netns, "is_possible", lambda: False)
    proof = make(Dockerfile=dockerfile_of(engine))()
    assert (proof.cause, results(proof)["answer"], results(proof)["stop"]) == ("", True, True)


@pytest.mark.parametrize(("mode", "cause"), [("", ""), ("loopback", "loopback"), ("elsewhere", "elsewhere")])
def test_where_the_network_of_an_app_cannot_be_entered_it_is_asked_from_beside(
    http: Made, mode: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netns, "is_possible", lambda: False)
    # Another variable than in the tests before: what is proven is not proven again.
    proof = http(mode, SEEN="from beside")
    assert proof.cause == cause


def test_an_app_that_answers_byte_by_byte_does_not_hold_up_its_proof(make: Callable[..., Made]) -> None:
    slow = 'import time\nfor one in b"HTTP/1.1 200 OK":\n    self.wfile.write(bytes([one]))\n    time.sleep(1)\n'
    text = HTTP.replace('self.wfile.write(b"SSH-2.0-none\\r\\n")', slow.replace("\n", "\n        ").rstrip())
    proof = make(app_py=text, s2i_toml='start = ["python", "app.py"]\n')("mute", limit=8.0)
    assert proof.cause == "mute"


def test_the_leftovers_of_a_killed_proof_are_swept(http: Made, engine: docker.DockerClient) -> None:
    server = f"test-{http.image[7:19]}"  # proofs of others may run on this engine: they are left alone
    attempt = trial.Trial(http.image, Config(), OWNER, server)
    attempt.start()
    (left,) = engine.containers.list(ignore_removed=True, filters={"ancestor": http.image})
    assert left.labels["s2i.role"] == "proof"
    trial.sweep(0.0, server)
    assert [one.id for one in engine.containers.list(ignore_removed=True, filters={"ancestor": http.image})] == [
        left.id
    ]
    trial.sweep(time.time() + 10, server)
    assert engine.containers.list(ignore_removed=True, all=True, filters={"ancestor": http.image}) == []


@pytest.mark.parametrize(
    ("last", "plan"),
    [('globals()["app"] = served', ("asgi", "app:app")), ('globals()["app"] = lambda: wsgi', ("wsgi", "app:app()"))],
)
def test_a_wrong_guess_is_planned_again_and_only_then_named(
    last: str, plan: tuple[str, str], tmp_path: Path, engine: docker.DockerClient, remove_images: list[str]
) -> None:
    source = folder(tmp_path / f"guess-{plan[0]}", f"{WSGI}\n{last}\n")
    home = Home(tmp_path / "home")
    tag = f"s2i-test/guess-{plan[0]}:1"
    made = home.data("build", str(source), "--prove", "-t", tag)
    remove_images.append(made["image"])
    assert (made["proof"]["kind"], made["proof"]["entry"], made["tags"]) == (*plan, [tag])
    assert engine.images.get(tag).id == made["image"]
    titled = engine.images.list(filters={"label": f"org.opencontainers.image.title={source.name}"})
    assert [image.id for image in titled] == [made["image"]]


def test_what_is_not_proven_gets_no_name(tmp_path: Path, engine: docker.DockerClient, remove_images: list[str]) -> None:
    text = f'{WSGI}\nprint(os.environ["TOKEN"])\nraise RuntimeError("no " + os.environ["TOKEN"])\n'
    source = folder(tmp_path / "broken", text)
    home = Home(tmp_path / "home")
    failed = home.run("build", str(source), "--prove", "-t", "s2i-test/broken:1", "--env", "TOKEN=s3cr3tcanary")
    assert (failed.returncode, failed.stdout) == (5, "")
    assert "importing app:app raises RuntimeError: no ***" in failed.stderr
    assert "s3cr3tcanary" not in failed.stderr
    kept = next(line for line in failed.stderr.splitlines() if line.startswith("kept"))
    remove_images.append(kept.split()[1].rstrip(","))
    with pytest.raises(docker.errors.ImageNotFound):
        engine.images.get("s2i-test/broken:1")
