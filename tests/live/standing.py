"""Run the s2i command, and stand still at one point of a build so that a test can strike there: STANDING on stderr.
A line on standard input, or its end, lets it go on.

    python tests/live/standing.py POINT build SRC ...

``staged``: the context is written. ``sending``: half of the context is sent, to the engine itself. ``admitted``: the bases are there. ``exporting``: the engine writes the image (it
does not stand still for us: the test is told, and has to be quick). ``built``: the image has its name.

    python tests/live/standing.py POINT server run

``fetched``: the server has the source. ``planned``: it has the plan.
"""

import socket
import sys
from collections.abc import Callable
from typing import Any

from s2i import cli
from s2i.cli.eventlines import EventLines
from s2i.cli.progress import Progress
from s2i.control import pipeline
from s2i.images import admission, build, planned

CONTEXT = 10_000  # bytes; an archive has no less, and what else is sent has


def stand() -> None:
    print("STANDING", file=sys.stderr, flush=True)
    sys.stdin.readline()  # until the test says to go on


def after(call: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*words: Any, **options: Any) -> Any:
        result = call(*words, **options)
        stand()
        return result

    return wrapped


def before(call: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*words: Any, **options: Any) -> Any:
        stand()
        return call(*words, **options)

    return wrapped


def telling(step: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(progress: Progress | EventLines, event: Any) -> Any:
        if (event.name, event.status) == ("write the image", "started"):
            print("STANDING", file=sys.stderr, flush=True)
        return step(progress, event)

    return wrapped


def halving(send: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(connection: Any, data: Any) -> Any:
        if len(data) < CONTEXT:
            return send(connection, data)
        send(connection, data[: CONTEXT // 2])
        stand()
        return send(connection, data[CONTEXT // 2 :])

    return wrapped


match point := sys.argv.pop(1):
    case "staged":
        build._stage = after(build._stage)
    case "sending":
        socket.socket.sendall = halving(socket.socket.sendall)  # type: ignore[method-assign]
    case "fetched":
        pipeline.with_commit = before(pipeline.with_commit)
    case "planned":
        planned.plan = after(planned.plan)
    case "admitted":
        admission.admit = after(admission.admit)
    case "exporting":
        Progress.step = telling(Progress.step)  # type: ignore[method-assign]
        EventLines.step = telling(EventLines.step)  # type: ignore[method-assign]
    case "built":
        build._image = before(build._image)
    case _:
        sys.exit(f"no such point: {point}")
cli.main()
