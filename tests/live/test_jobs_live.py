"""Jobs on a real engine: arrays, retries, limits, schedules, daemons; whoever is killed, nothing is run twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from home import FIXTURES, Home

from tests.live import second_engine

PROGRAM = """
import os, signal, sys, time
index = int(os.environ["JOB_INDEX"])
print("index", index, "of", os.environ["JOB_ARRAY_SIZE"], "attempt", os.environ["JOB_INDEX_RETRY_COUNT"], flush=True)
for word in sys.argv[1:]:
    if word.startswith("fail:") and index in map(int, word[5:].split(",")):
        sys.exit(7)
    if word.startswith("sleep:"):
        time.sleep(float(word[6:]))
    if word == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if word == "eat":
        held = bytearray(200 << 20)
    if word == "serve":
        import http.server
        http.server.HTTPServer(("0.0.0.0", 8000), http.server.BaseHTTPRequestHandler).serve_forever()
print("done", index, flush=True)
"""
KILLS = 20


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18840)
        source = tmp_path_factory.mktemp("work")
        (source / "main.py").write_text(PROGRAM)
        base = second_engine.base().runtime
        (source / "Dockerfile").write_text(f'FROM {base}\nCOPY main.py /main.py\nENTRYPOINT ["python3", "/main.py"]\n')
        made.ok("job", "create", "work", str(source), "--strategy", "dockerfile", "--retrylimit", "0")
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture
def engine() -> docker.DockerClient:
    return docker.from_env()


def submit(home: Home, *words: str) -> str:
    return home.ok("jobrun", "submit", "work", *words)


def got(home: Home, name: str) -> Any:
    return home.data("jobrun", "get", name)


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.1)
    return found


def ended(home: Home, name: str, seconds: float = 60.0) -> Any:
    return eventually(lambda: (one := got(home, name))["status"] not in ("pending", "running") and one, seconds)


def left(home: Home, engine: docker.DockerClient) -> list[str]:
    """Return the containers of tasks that are still there."""
    label = [f"s2i.server={home.server()['id']}", "s2i.role=task"]
    return [one.name for one in engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)]


def test_an_array_of_which_some_fail_tries_these_again_and_only_these_are_done_again(
    home: Home, engine: docker.DockerClient
) -> None:
    words = ("--array-size", "12", "--retrylimit", "1", "--argument", "fail:3,8", "--wait", "-o", "json")
    done = home.run("jobrun", "submit", "work", *words)
    assert done.returncode == 6, done.stderr
    run = home.data("jobrun", "list")[0]
    assert '"E_JOB_FAILED"' in done.stderr
    tasks = got(home, run["name"])["tasks"]
    assert [one["attempts"] for one in tasks] == [2 if number in (3, 8) else 1 for number in range(12)]
    assert {(one["status"], one["exit"]) for one in tasks if one["attempts"] == 2} == {("failed", 7)}
    lines = home.ok("jobrun", "logs", run["name"]).splitlines()
    assert Counter(line.partition(" | ")[0].strip() for line in lines)["3.1"] == 1
    assert "3.2 | index 3 of 12 attempt 1" in home.ok("jobrun", "logs", run["name"], "--index", "3")
    assert len([line for line in lines if "done" in line]) == 10
    again = home.run("jobrun", "resubmit", run["name"], "--failed", "--retrylimit", "0", "--wait")
    assert again.returncode == 6
    fixed = home.ok("jobrun", "resubmit", run["name"], "--failed", "--argument", "", "--wait")
    assert "2 of 2 tasks succeeded" in fixed
    newest = home.data("jobrun", "list")[0]["name"]
    assert "index 8 of 12 attempt 0" in home.ok("jobrun", "logs", newest)
    eventually(lambda: left(home, engine) == [])


def test_what_ignores_sigterm_is_killed_when_its_time_is_over(home: Home) -> None:
    name = submit(home, "--maxexecutiontime", "3", "--retrylimit", "2", "--argument", "deaf", "--argument", "sleep:60")
    run = ended(home, name)
    assert (run["status"], run["tasks"][0]["attempts"]) == ("timeout", 1)
    assert run["reason"] == "it did not end within 3 s"
    assert run["finished"] - run["started"] <= 3 + 10 + 2


def test_what_needs_too_much_memory_is_another_attempt_with_the_reason(home: Home) -> None:
    name = submit(home, "--memory", "64M", "--retrylimit", "1", "--argument", "eat")
    run = ended(home, name)
    assert (run["status"], run["tasks"][0]["attempts"]) == ("failed", 2)
    assert "more memory than it may have" in run["reason"]


def test_a_cancelled_run_ends_and_keeps_what_it_wrote(home: Home, engine: docker.DockerClient) -> None:
    name = submit(home, "--array-size", "30", "--argument", "sleep:60")
    eventually(lambda: got(home, name)["counts"].get("running", 0) >= 2)
    eventually(lambda: "index 0 of 30" in home.ok("jobrun", "logs", name))  # what runs has not said anything yet
    home.ok("jobrun", "cancel", name)
    run = ended(home, name, 40)
    assert (run["status"], run["counts"]) == ("cancelled", {"cancelled": 30})
    assert "index 0 of 30" in home.ok("jobrun", "logs", name)
    eventually(lambda: left(home, engine) == [])
    refused = home.run("jobrun", "cancel", name)
    assert (refused.returncode, "it has ended: cancelled" in refused.stderr) == (2, True)


def test_a_log_is_followed_over_all_indices_to_the_end_of_the_run(home: Home) -> None:
    name = submit(home, "--array-size", "6", "--parallelism", "2", "--argument", "sleep:0.5")
    lines = home.ok("jobrun", "logs", name, "--follow").splitlines()
    assert sorted(line.partition(" | ")[2] for line in lines if "done" in line) == [f"done {n}" for n in range(6)]
    assert got(home, name)["status"] == "succeeded"


def test_a_server_that_is_killed_twenty_times_loses_no_task_and_runs_none_twice(
    home: Home, engine: docker.DockerClient
) -> None:
    # Heard as they come: the engine remembers no more than 256 events, whoever they are of.
    filters = {"type": "container", "event": "start", "label": ["s2i.role=task", f"s2i.server={home.server()['id']}"]}
    told, heard = engine.events(filters=filters, decode=True), list[dict[str, str]]()
    threading.Thread(target=lambda: heard.extend(one["Actor"]["Attributes"] for one in told), daemon=True).start()
    name = submit(home, "--array-size", "40", "--argument", "fail:5,17", "--argument", "sleep:0.4")
    for number in range(KILLS):
        home.ok("job", "list")  # any command starts the next one
        time.sleep(number * 0.037)  # while tasks begin, run and end
        home.kill_server()
    run = ended(home, name, 120)
    assert run["status"] == "failed"
    assert {one["index"]: (one["status"], one["exit"], one["attempts"]) for one in run["tasks"]} == {
        index: ("failed", 7, 1) if index in (5, 17) else ("succeeded", 0, 1) for index in range(40)
    }
    told.close()
    begun = Counter(one["s2i.instance"] for one in heard if one["s2i.run"] == name)
    assert begun == {f"{index}-0": 1 for index in range(40)}
    lines = home.ok("jobrun", "logs", name)
    assert lines.count("done") == 38
    eventually(lambda: left(home, engine) == [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["StartTask", "MarkRunning", "EndTask", "FinishTask", "RemoveContainer"])
def test_a_server_that_dies_at_a_step_of_a_task_runs_it_once(
    when: str, step: str, home: Home, engine: docker.DockerClient
) -> None:
    home.ok("job", "list")
    home.kill_server()
    environment = home.environment | {"S2I_CRASH_AT": f"{when}-{step}"}
    argv = (sys.executable, "-m", "s2i", "server", "start")
    subprocess.run(argv, env=environment, capture_output=True, timeout=60, check=True)
    dying = int(str(home.server()["pid"]))
    timeout = ("--maxexecutiontime", "2") if step == "EndTask" else ()
    name = submit(home, *timeout, "--argument", "sleep:4" if timeout else "sleep:0.5")
    eventually(lambda: _gone(dying))
    run = ended(home, name)
    wanted = ("timeout", 1) if timeout else ("succeeded", 1)
    assert (run["status"], run["tasks"][0]["attempts"]) == wanted
    eventually(lambda: left(home, engine) == [])


def test_a_daemon_is_started_again_and_ends_when_it_is_cancelled(home: Home) -> None:
    name = submit(home, "--mode", "daemon", "--argument", "sleep:0.2")
    eventually(lambda: got(home, name)["tasks"][0]["attempts"] >= 3, 40)
    assert got(home, name)["status"] == "running"
    home.ok("jobrun", "cancel", name)
    assert ended(home, name)["status"] == "cancelled"


def test_a_job_that_is_a_server_is_told_so(home: Home) -> None:
    name = submit(home, "--argument", "serve")
    said = eventually(lambda: [one for one in home.data("jobrun", "events", name) if one["what"] == "listens"], 40)
    assert "it listens on port 8000" in said[0]["text"]
    home.ok("jobrun", "cancel", name)


def test_a_schedule_runs_a_job_at_the_next_minute_with_its_data(home: Home) -> None:
    words = ("--cron", "* * * * *", "--timezone", "Asia/Kathmandu", "--data", "once")
    assert "next at" in home.ok("job", "schedule", "work", *words)
    begun = time.time()
    (run,) = eventually(lambda: [one for one in home.data("jobrun", "list", "--job", "work") if one["scheduled"]], 75)
    home.ok("job", "schedule", "work", "--remove")
    assert run["scheduled"] == (begun // 60 + 1) * 60
    assert run["data"] == "once"
    assert ended(home, run["name"])["status"] == "succeeded"


def test_a_worker_of_a_procfile_runs_beside_its_app_of_the_same_image(
    home: Home, engine: docker.DockerClient, tmp_path: Path
) -> None:
    source = tmp_path / "shop"
    shutil.copytree(FIXTURES / "flask-hello/app", source)
    (source / "Procfile").write_text("web: gunicorn app:app\nworker: python worker.py\n")
    work = 'import os, time\nprint("work for", os.environ["SHOP"], flush=True)\ntime.sleep(600)\n'
    (source / "worker.py").write_text(work)
    url = home.ok("deploy", str(source), "--name", "shop", "-e", "SHOP=one")
    assert home.get(url)[0] == 200
    eventually(lambda: "work for one" in home.ok("jobrun", "logs", "shop-worker-1"))
    assert got(home, "shop-worker-1")["image"] == home.data("app", "get", "shop")["image"]
    home.ok("app", "update", "shop", "-e", "SHOP=two")
    eventually(lambda: "work for two" in home.ok("jobrun", "logs", "shop-worker-2"))
    assert got(home, "shop-worker-1")["status"] == "cancelled"
    home.ok("app", "delete", "shop", "--yes")
    eventually(lambda: left(home, engine) == [])
    assert [one["name"] for one in home.data("job", "list")] == ["work"]


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_a_run_that_is_waited_for_goes_on_when_who_waits_is_interrupted(home: Home) -> None:
    argv = (sys.executable, "-m", "s2i", "jobrun", "submit", "work", "--argument", "sleep:3", "--wait")
    process = subprocess.Popen(
        argv, env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert " of 1 done" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "it goes on: `s2i jobrun get work-" in said
    newest = home.data("jobrun", "list")[0]["name"]
    assert ended(home, newest)["status"] == "succeeded"
