"""Projects on a real engine: apart from each other, kept to their limits, and ended as a whole and alone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import Home

from tests.live import second_engine
from tests.live.test_jobs_live import eventually

OPEN = ("pending", "running")
PROGRAM = """
import http.server, os, sys, time

if "JOB_INDEX" in os.environ:
    time.sleep(float(sys.argv[1]))
    sys.exit(0)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["WHO"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""

ASK = """
import json, socket, sys, urllib.error, urllib.request
for place in sys.argv[1:]:
    try:
        if place.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(place[5:])
            found = "connected"
        else:
            url, _, host = place.partition("#")
            asked = urllib.request.Request(url, headers={"Host": host} if host else {})
            found = urllib.request.urlopen(asked, timeout=3).read().decode()
    except urllib.error.HTTPError as error:
        found = str(error.code)
    except OSError:
        found = ""
    print(json.dumps([place, found]), flush=True)
"""
WAIT = """
import sys, time, urllib.request
print("waits", flush=True)
while True:
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode(), flush=True)
        break
    except OSError as error:
        time.sleep(0.2)
"""
SMALL = ("--memory", "64M", "--cpu", "0.5", "--max-scale", "1")


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18880)
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("web")
    (folder / "main.py").write_text(PROGRAM)
    base = second_engine.base().runtime
    (folder / "Dockerfile").write_text(f'FROM {base}\nCOPY main.py /main.py\nENTRYPOINT ["python3", "/main.py"]\n')
    return str(folder)


@pytest.fixture
def engine() -> docker.DockerClient:
    return docker.from_env()


def web(home: Home, project: str, source: str, *words: str) -> str:
    limits = ("--memory", "64M", "--cpu", "0.5", "--max-scale", "2", "--min-scale", "1")
    way = ("--strategy", "dockerfile", "--env", f"WHO={project}", "--project", project)
    return home.ok("app", "create", "web", source, *limits, *way, *words)


def work(home: Home, project: str, source: str) -> None:
    limits = ("--memory", "64M", "--cpu", "0.5", "--retrylimit", "0")
    home.ok("job", "create", "work", source, "--strategy", "dockerfile", "--project", project, *limits)


def refused(home: Home, *words: str) -> dict[str, str]:
    """Return the error of a command that has to be refused because of a limit."""
    done = home.run(*words, "-o", "json")
    assert done.returncode == 2, done.stdout + done.stderr
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["code"] == "E_QUOTA"
    return error


def labelled(home: Home, engine: docker.DockerClient, project: str) -> tuple[list[str], list[str]]:
    """Return the containers and the networks of a project, as the engine knows them by their labels."""
    label = [f"s2i.server={home.server()['id']}", f"s2i.project={project}"]
    boxes = engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)
    return sorted(one.name for one in boxes), [one.name for one in engine.networks.list(filters={"label": label})]


def running(engine: docker.DockerClient, home: Home, project: str) -> int:
    label = [f"s2i.server={home.server()['id']}", f"s2i.project={project}", "s2i.role=task"]
    return len(engine.containers.list(filters={"label": label}, ignore_removed=True))


def test_two_projects_have_an_app_of_the_same_name_and_both_are_served(home: Home, source: str) -> None:
    home.ok("project", "create", "one", "--limit-cpu", "2", "--limit-memory", "1G", "--limit-runs", "3")
    urls = {project: web(home, project, source) for project in ("one", "two")}
    assert urls == {project: f"http://web.{project}.localhost:{home.port}" for project in ("one", "two")}
    assert {project: home.get(url) for project, url in urls.items()} == {"one": (200, "one"), "two": (200, "two")}
    # What its Dockerfile adds to the base: one small file. The layers of Docker are counted, not what lies below.
    assert 0 < home.data("project", "get", "one")["used"]["images"] < 1 << 20
    assert {one["name"]: one["created"] > 0 for one in home.data("project", "list")} == {
        "default": False,
        "one": True,
        "two": False,
    }


def test_a_container_reaches_its_neighbours_by_name_and_nothing_of_other_projects_or_the_machine(
    home: Home, source: str, engine: docker.DockerClient
) -> None:
    image = home.data("app", "get", "web", "--project", "one")["image"]
    home.ok(
        "app", "create", "late", source, "--strategy", "dockerfile", "--env", "WHO=late", "--project", "one", *SMALL
    )
    home.ok("app", "stop", "late", "--project", "one")
    others = [
        part
        for box in engine.containers.list(filters={"label": [f"s2i.server={home.server()['id']}", "s2i.project=two"]})
        for part in box.attrs["NetworkSettings"]["Networks"].values()
        if part["IPAddress"]
    ]
    own = engine.networks.get(f"s2i-{home.server()['id']}-one").attrs["IPAM"]["Config"][0]["Gateway"]
    reached = {
        "http://web": "one",
        f"http://{own}/": "404",  # the router, which knows no app of that name
        f"http://{own}/#web.two.localhost": "404",  # nor any of another project, by whatever name
        f"http://{own}/#web.one.localhost": "404",
        "http://late": "503",  # it is there, and stopped
        "http://web.two.localhost": "",
        f"http://{others[0]['IPAddress']}:8080": "",
        f"http://{others[0]['Gateway']}": "",
        f"http://{others[0]['Gateway']}:{home.port}": "",
        f"http://{own}:{home.port}": "",
        f"http://{own}:2019/config/": "",
        f"http://{own}:2375/version": "",
        "http://169.254.169.254/latest/": "",
        "unix:/var/run/docker.sock": "",
        f"unix:{home.folder}/run/s2i.sock": "",
    }
    limits = ("--memory", "64M", "--cpu", "0.5", "--retrylimit", "0")
    home.ok("job", "create", "ask", "--image", image, "--project", "one", *limits)
    words = ("--command", "python3", *(word for part in ("-c", ASK, *reached) for word in ("--argument", part)))
    run = home.ok("jobrun", "submit", "ask", *words, "--project", "one")
    eventually(lambda: home.data("jobrun", "get", run, "--project", "one")["status"] not in OPEN)
    said = [json.loads(line) for line in home.ok("jobrun", "logs", run, "--project", "one").splitlines()]
    assert dict(said) == reached
    home.ok("app", "delete", "late", "--yes", "--project", "one")
    home.ok("job", "delete", "ask", "--yes", "--project", "one")


def test_a_neighbour_that_comes_later_is_known_to_what_runs_and_wakes_from_zero(home: Home, source: str) -> None:
    image = home.data("app", "get", "web", "--project", "one")["image"]
    limits = ("--memory", "64M", "--cpu", "0.5", "--retrylimit", "0")
    home.ok("job", "create", "wait", "--image", image, "--project", "one", *limits)
    words = ("--command", "python3", "--argument", "-c", "--argument", WAIT, "--argument", "http://later")
    run = home.ok("jobrun", "submit", "wait", *words, "--project", "one")
    eventually(lambda: "waits" in home.ok("jobrun", "logs", run, "--project", "one"))
    scale = ("--max-scale", "1", "--visibility", "project", "--env", "WHO=later")
    home.ok("app", "create", "later", "--image", image, "--project", "one", *SMALL, *scale)
    eventually(lambda: home.data("jobrun", "get", run, "--project", "one")["status"] not in OPEN)
    assert "later" in home.ok("jobrun", "logs", run, "--project", "one").splitlines()
    home.ok("app", "delete", "later", "--yes", "--project", "one")
    home.ok("job", "delete", "wait", "--yes", "--project", "one")


def test_the_project_that_is_selected_is_meant_until_another_one_is_named(home: Home) -> None:
    home.ok("project", "select", "one")
    assert home.ok("project", "current") == "one"
    assert [one["project"] for one in home.data("app", "list")] == ["one"]
    assert [one["project"] for one in home.data("app", "list", "--project", "two")] == ["two"]
    home.ok("project", "select", "default")


def test_what_would_pass_a_limit_is_refused_with_the_numbers_and_changes_nothing(
    home: Home, source: str, engine: docker.DockerClient
) -> None:
    before = labelled(home, engine, "one"), home.data("project", "get", "one")["forecast"]
    amounts = {"cpu": 1.0, "memory": 128 << 20, "instances": 2, "apps": 1, "jobs": 0, "runs": 0}
    assert {field: before[1][field] for field in amounts} == amounts
    error = refused(home, "app", "scale", "web", "--max-scale", "5", "--project", "one")
    assert error["message"] == (
        'the project "one" is limited to 2 CPUs: it comes to 1 CPU now, and to 2.5 CPUs with the app web'
    )
    assert "--max-scale" in error["advice"]
    assert "`s2i project update one --limit-cpu 2.5`" in error["advice"]
    refused(home, "app", "update", "web", "--max-scale", "5", "--dry-run", "--project", "one")
    refused(home, "app", "update", "web", "--memory", "600M", "--project", "one")
    more = ("--strategy", "dockerfile", "--project", "one", "--memory", "64M")
    error = refused(home, "app", "create", "other", source, *more)  # the default --max-scale is 10
    builds = home.data("buildrun", "list")
    assert refused(home, "deploy", source, "--name", "other", *more) == error  # known to be an app by its plan
    assert home.data("buildrun", "list") == builds
    home.ok("app", "delete", "other", "--yes", "--project", "one")
    assert "it comes to 1 CPU now, and to 11 CPUs with the app other" in error["message"]
    assert (labelled(home, engine, "one"), home.data("project", "get", "one")["forecast"]) == before
    assert [one["name"] for one in home.data("app", "list", "--project", "one")] == ["web"]
    eventually(lambda: home.data("project", "get", "one")["used"]["instances"] == 1)


def test_tasks_beyond_the_limit_wait_say_for_what_and_all_run_while_another_project_goes_on(
    home: Home, source: str, engine: docker.DockerClient
) -> None:
    for project in ("one", "two"):
        work(home, project, source)
    array = ("--array-size", "6", "--argument", "1.5", "--project")
    names = {project: home.ok("jobrun", "submit", "work", *array, project) for project in ("one", "two")}
    waits = eventually(lambda: home.data("jobrun", "get", names["one"], "--project", "one")["waits"])
    assert waits == "the project's 2 CPUs are taken, 1 CPU by its apps at max-scale"
    assert waits in home.ok("jobrun", "get", names["one"], "--project", "one")
    most = {"one": 0, "two": 0}
    while any(home.data("jobrun", "get", names[each], "--project", each)["status"] in OPEN for each in names):
        most = {each: max(most[each], running(engine, home, each)) for each in most}
    assert most["one"] == 2
    assert most["two"] > 2
    for project, name in names.items():
        run = home.data("jobrun", "get", name, "--project", project)
        assert (run["status"], run["counts"], run["waits"]) == ("succeeded", {"succeeded": 6}, "")
    told = [one["text"] for one in home.data("jobrun", "events", names["one"], "--project", "one")]
    assert waits in told


def test_a_task_that_could_never_run_and_a_run_too_many_are_refused(home: Home) -> None:
    error = refused(home, "jobrun", "submit", "work", "--cpu", "1.5", "--project", "one")
    assert "it comes to 1 CPU now, and to 2.5 CPUs with one task of the job work" in error["message"]
    waiting = ("jobrun", "submit", "work", "--argument", "60", "--array-size", "2", "--project", "one")
    names = [home.ok(*waiting) for _ in range(3)]
    assert "is limited to 3 open job runs" in refused(home, *waiting)["message"]
    for name in names:
        home.ok("jobrun", "delete", name, "--project", "one", "--yes")


def test_a_project_ends_with_all_that_is_in_it_and_leaves_the_other_alone(
    home: Home, source: str, engine: docker.DockerClient
) -> None:
    for project in ("one", "two"):
        home.ok("secret", "create", "db", "--from-literal", "A=b", "--project", project)
        home.ok("job", "schedule", "work", "--cron", "0 0 1 1 *", "--project", project)
        home.ok("jobrun", "submit", "work", "--argument", "120", "--project", project)
    eventually(lambda: running(engine, home, "one") == running(engine, home, "two") == 1)
    kept = labelled(home, engine, "two")
    done = home.run("project", "delete", "one", "--yes")
    assert (done.returncode, 'still has app web, job work, secret db"' in done.stderr.replace("\n", '"')) == (7, True)
    assert labelled(home, engine, "one")[0]
    home.ok("project", "delete", "one", "--yes", "--force")
    assert labelled(home, engine, "one") == ([], [])
    assert home.get(f"http://web.one.localhost:{home.port}")[0] == 404
    (gone,) = home.data("project", "list", "--deleted")
    assert (gone["name"], gone["until"] - gone["deleted"], gone["holds"]) == (
        *("one", 7 * 86400),
        ["app web", "job work", "secret db"],
    )
    again = home.run("app", "create", "web", source, "--strategy", "dockerfile", "--project", "one", "-o", "json")
    error = json.loads(again.stderr.splitlines()[-1])["error"]
    assert (again.returncode, error["code"]) == (2, "E_PROJECT_DELETED"), error
    assert all(words in error["advice"] for words in ("`s2i project restore one`", "--hard"))
    home.kill_server()
    assert [one["name"] for one in home.data("project", "list")] == ["default", "two"]
    home.ok("project", "restore", "one")
    assert home.answer_within(f"http://web.one.localhost:{home.port}", 60) == "one"
    assert home.data("job", "get", "work", "--project", "one")["schedule"]["cron"] == "0 0 1 1 *"
    assert home.data("jobrun", "list", "--project", "one")[0]["status"] == "cancelled"
    assert home.data("project", "get", "one")["limits"]["runs"] == 3
    home.ok("project", "delete", "one", "--yes", "--force")
    home.ok("project", "delete", "one", "--yes", "--hard")
    assert labelled(home, engine, "one") == ([], [])
    assert home.data("project", "list", "--deleted") == []
    assert [one["name"] for one in home.data("project", "list")] == ["default", "two"]
    assert home.get(f"http://web.one.localhost:{home.port}")[0] == 404
    assert labelled(home, engine, "two") == kept
    assert home.get(f"http://web.two.localhost:{home.port}") == (200, "two")
    assert home.data("job", "get", "work", "--project", "two")["schedule"]["cron"] == "0 0 1 1 *"
    assert home.data("jobrun", "list", "--project", "two")[0]["status"] == "running"
    folder = home.folder / "state" / "logs"
    assert {one.name for kind in ("apps", "jobruns") for one in (folder / kind).glob("*")} == {"two"}
    web(home, "one", source)  # by its use, and without limits
    assert home.data("project", "get", "one")["limits"]["cpu"] == 0.0


def test_a_project_ends_while_something_is_built_in_it(home: Home, source: str, engine: docker.DockerClient) -> None:
    way = ("--strategy", "dockerfile", "--project", "three", "--no-wait")
    home.ok("app", "create", "web", source, *way)
    home.ok("project", "delete", "three", "--yes", "--force")
    assert labelled(home, engine, "three") == ([], [])
    assert "three" not in [one["name"] for one in home.data("project", "list")]
