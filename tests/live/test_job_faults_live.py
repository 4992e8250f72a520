"""The engine dies and comes back while tasks run: none is lost, none that had succeeded runs again, all end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.live import second_engine
from tests.live.second_engine import SecondEngine
from tests.live.test_deploy_faults_live import Inside
from tests.live.test_jobs_live import PROGRAM, ended, eventually, got

DONE, RUN, WAIT = range(3), range(3, 6), range(6, 9)  # indices when the engine dies
WORDS = ("--array-size", "9", "--parallelism", "3", "--retrylimit", "2")


@pytest.fixture(scope="module")
def home(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    base = second_engine.base().runtime
    with SecondEngine(engine, size="1g") as doomed, tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        doomed.take(base)
        made = Inside(Path(folder), doomed)
        source = tmp_path_factory.mktemp("work")
        # The first three are done at once, the others take their time in their first attempt.
        late = PROGRAM.replace("index = int", "first = os.environ['JOB_INDEX_RETRY_COUNT'] == '0'\nindex = int", 1)
        late = late.replace(
            "time.sleep(float(word[6:]))", "time.sleep(float(word[6:]) if first and index > 2 else 0.2)"
        )
        (source / "main.py").write_text(late)
        (source / "Dockerfile").write_text(f'FROM {base}\nCOPY main.py /main.py\nENTRYPOINT ["python3", "/main.py"]\n')
        made.ok("job", "create", "work", str(source), "--strategy", "dockerfile", "--no-prove")
        yield made
        made.run("server", "stop", "--all", "--yes")


def test_tasks_of_an_engine_that_died_are_tried_again_and_those_that_had_succeeded_are_not(home: Inside) -> None:
    run = home.ok("jobrun", "submit", "work", *WORDS, "--argument", "sleep:8")
    eventually(lambda: [one["status"] for one in got(home, run)["tasks"]][:6] == ["succeeded"] * 3 + ["running"] * 3)
    home.engine.die()
    home.engine.start()
    assert ended(home, run, 120)["status"] == "succeeded"
    tasks = got(home, run)["tasks"]
    assert [one["status"] for one in tasks] == ["succeeded"] * 9
    attempts = [one["attempts"] for one in tasks]
    assert [attempts[index] for index in DONE] == [1, 1, 1], "what had succeeded ran again"
    assert [attempts[index] for index in RUN] == [2, 2, 2], "an engine that comes back ends what it finds"
    assert [attempts[index] for index in WAIT] == [1, 1, 1]
    told = [one["text"] for one in home.data("jobrun", "events", run)]
    why = "exit code 143, as of SIGTERM; it is tried again in 2 s"
    assert {f"task {index}, attempt 1: {why}" for index in RUN} <= set(told)
    logs = home.ok("jobrun", "logs", run)
    assert [f"done {index}" in logs for index in range(9)] == [True] * 9
    assert home.engine.client().containers.list(all=True, ignore_removed=True) == []
