"""Measure job runs: what a task costs beside `docker run`, a thousand that wait, five hundred schedules of one minute.

`python -m benchmarks.jobs [CASE...]`, on an engine that answers. Each row ends in ok or MISS.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from benchmarks.running.server import Row, Server, memory, server
from s2i.control.store import Store
from s2i.images import bases
from s2i.images.bases import offer
from s2i.resources.job import Execution, Schedule

PORT = 18900
TASKS, AT_ONCE = 100, 4
QUEUED = 1000
JOBS = 500
TRIES = 7
ROUNDS = 3


def main() -> int:
    """Print a row for each figure."""
    words = sys.argv[1:] or list(CASES)
    if unknown := set(words) - set(CASES):
        sys.exit(f"no such case: {' '.join(sorted(unknown))}; there are {' '.join(CASES)}")
    rows: list[bool] = []
    with server(PORT, ROUNDS) as shared:
        for case in (case for name, case in CASES.items() if name in words):
            for text, well in case(shared):
                print(f"{text} {'ok' if well else 'MISS'}", flush=True)
                rows.append(well)
    print(f"{sum(rows)} of {len(rows)} rows are within their limits")
    return 0 if all(rows) else 1


def tasks(shared: Server) -> Iterator[Row]:
    """A hundred tasks of `true`, four at once, beside as many `docker run`."""
    image, docker = base(), shutil.which("docker") or sys.exit("no docker on PATH")
    shared.s2i("job", "create", "nothing", "--image", image, "--command", "true")
    numbers = "\n".join(map(str, range(TASKS)))
    argv = ("xargs", "-P", str(AT_ONCE), "-I", "{}", docker, "run", "--rm", image, "true")
    ours, theirs = [], []
    for _ in range(shared.rounds):
        began = time.monotonic()
        subprocess.run(argv, input=numbers, text=True, check=True, capture_output=True, timeout=600)
        theirs.append(time.monotonic() - began)
        began = time.monotonic()
        wanted = ("--array-size", str(TASKS), "--parallelism", str(AT_ONCE), "--wait")
        shared.s2i("jobrun", "submit", "nothing", *wanted)
        ours.append(time.monotonic() - began)
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    seconds = f"{statistics.median(ours):.1f} s, docker run {statistics.median(theirs):.1f} s"
    yield (
        f"{TASKS} tasks of true, {AT_ONCE} at once: {ratio:.2f} of xargs docker run ({seconds}; at most 1.3)",
        ratio <= 1.3,
    )


def queued(shared: Server) -> Iterator[Row]:
    """A thousand tasks that wait behind one that does not end."""
    shared.s2i("job", "create", "long", "--image", base(), "--command", "sleep 600")
    time.sleep(3)
    before = resident(shared)
    name = shared.s2i("jobrun", "submit", "long", "--array-size", str(QUEUED), "--parallelism", "1")
    took = []
    for _ in range(TRIES):
        began = time.monotonic()
        counts = shared.data("jobrun", "get", name)["counts"]
        took.append(time.monotonic() - began)
        time.sleep(1)
    assert sum(counts.values()) == QUEUED
    more = (resident(shared) - before) / 1e6
    yield f"{QUEUED} tasks queued: the server has {more:.0f} MB more (at most 50)", more <= 50
    median = statistics.median(took) * 1000
    yield f"{QUEUED} tasks queued: jobrun get in {median:.0f} ms (at most 200)", median <= 200
    shared.s2i("jobrun", "cancel", name)


def schedules(shared: Server) -> Iterator[Row]:
    """Five hundred jobs of the same minute."""
    shared.s2i("job", "create", "tick", "--image", base(), "--command", "true")
    shared.s2i("server", "stop")
    store = Store(shared.home / "state/s2i.db")
    made = store.job("default", "tick")
    once = msgspec.structs.replace(made, execution=Execution(retry_limit=0))
    now = time.time()
    for number in range(JOBS):
        name = f"tick-{number:03}"
        store.accept_job(msgspec.structs.replace(once, name=name), "", now, None)
        wanted = Schedule("* * * * *", since=now + 20)
        store.change_job("default", name, lambda job, wanted=wanted: msgspec.structs.replace(job, schedule=wanted))  # type: ignore[misc]
    store.close()
    shared.s2i("server", "start")
    minute = (time.time() // 60 + 1) * 60
    minute += 60 if minute <= now + 20 else 0
    time.sleep(minute - time.time())
    while True:
        runs = [one for one in shared.api("/v1/projects/default/jobruns") if one["scheduled"] == minute]
        took = time.time() - minute
        if len(runs) == JOBS or took > 30:
            break
        time.sleep(0.1)
    yield (
        f"{JOBS} schedules of one minute: {len(runs)} runs after {took:.1f} s (all within 5)",
        (len(runs) == JOBS and took <= 5),
    )


def base() -> str:
    """Return a base image that the engine has."""
    bases.refresh()
    return next(one.runtime for one in offer.recall().bases if one.python in bases.defaults())


def resident(shared: Server) -> int:
    """Return the bytes that the server has as its own."""
    return memory(int(shared.api("/v1/server")["pid"]))


CASES: dict[str, Callable[[Server], Iterator[Row]]] = {"tasks": tasks, "queued": queued, "schedules": schedules}


if __name__ == "__main__":
    sys.exit(main())
