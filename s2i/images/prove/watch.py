"""Watch an image start: ask its port from inside, until it answers, ends, or has no more time."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from s2i import shell
from s2i.engines.docker import ports, trial
from s2i.engines.docker.trial import Trial
from s2i.errors import S2IError
from s2i.images.prove.inside import Program, probe
from s2i.images.prove.proof import Found, Seen
from s2i.planning.plan import BuildPlan

LIMIT_SECONDS = 60.0  # as a roll-out has
SETTLE_SECONDS = 5.0  # an app that listens elsewhere by then will not come to $PORT any more
SLOW_SECONDS = 5.0  # an app that takes longer to answer may hang: its entry is imported beside it
STATE_SECONDS = 0.25  # between two looks at the container while nothing is said
LOG_LINES = 200
LISTENERS_LIMIT = 100
LATE, UNASKED = "late", "unasked"
_LISTENS = re.compile(r"[0-9A-F]{8}(?:[0-9A-F]{24})?:[0-9A-F]{4}")
_ANSWERS = re.compile(r"[1-5][0-9]{2}|nothing|late")

T = TypeVar("T")
Listening = tuple[tuple[str, int], ...]
Heard = str | Listening  # how the port answered, or who listens


def web(
    attempt: Trial,
    plan: BuildPlan,
    port: int,
    limit: float,
    cancelled: threading.Event | None = None,
    slow: Callable[[str], None] = lambda text: None,
) -> Seen:
    """Start the image of a web app, and return what was seen. Raises E_DOCKER and its kin, shell.Cancelled."""
    began = time.monotonic()
    importing = _Importing(attempt, plan, limit)
    said = _begun(_looked(attempt, plan, port, limit))
    attempt.start()
    waits = f"it does not answer yet: wait for up to {limit:g} s"
    with _after(SLOW_SECONDS, lambda: slow(waits)), _after(0.0 if is_eager(plan) else SLOW_SECONDS, importing.begin):
        answer, listening = _follow(said, attempt, port, began + limit, cancelled)
    state = attempt.state()
    seconds = round(time.monotonic() - began, 3)
    seen = Seen(
        port=port,
        limit=limit,
        running=state.running,
        seconds=seconds,
        exit=state.exit,
        oom=state.oom,
        answer=answer,
        listening=listening,
        privileges=trial.privileges(state.pid) if state.running else "",
    )
    if seen.is_served and not is_eager(plan):
        return seen
    found = importing.result(cancelled)
    return msgspec.structs.replace(seen, found=found, log=() if seen.is_served else attempt.log(LOG_LINES))


def is_eager(plan: BuildPlan) -> bool:
    """Say whether the entry is imported while the app starts: Hypercorn serves a WSGI application without a word.

    Where another server got an answer out of the application, that says what it is; else it is imported afterwards.
    """
    return plan.kind == "asgi" and any("hypercorn" in word for word in plan.start)


def found_in(program: Program, lines: Iterator[bytes]) -> Found:
    """Return what the lines of a classification say; "hangs" with the stack when its time was up."""
    begun, stack = False, list[str]()
    for line in lines:
        said = program.said(line)
        if said and said[0] == "found":
            try:
                return msgspec.json.decode(said[1], type=Found)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return Found("nothing")
        begun = begun or (said is not None and said[0] == "importing")
        if line.startswith((b"Timeout (", b"Thread 0x")) or (stack and line.startswith(b"  File ")):
            stack.append(line.decode("utf-8", "replace"))
    hung = begun and any(line.startswith("Timeout (") for line in stack)
    return Found("hangs", stack=tuple(stack[:100])) if hung else Found("nothing")


@contextlib.contextmanager
def _after(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Do ``work``, in a thread of its own, when the block takes longer than ``seconds``."""
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Importing:
    """The import of the entry in a container of its own, which goes on beside whatever else is done."""

    def __init__(self, attempt: Trial, plan: BuildPlan, limit: float) -> None:
        self._attempt, self._plan, self._limit = attempt, plan, limit
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: Found | None = None

    def begin(self) -> None:
        """Begin, when the plan has an entry that can be imported, and it has not begun."""
        with self._lock:
            if self._plan.kind in ("wsgi", "asgi") and ":" in self._plan.entry and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="proof import", daemon=True)
                self._thread.start()

    def result(self, cancelled: threading.Event | None) -> Found | None:
        """Return what was found; None when there is nothing to import or it cannot be told."""
        self.begin()
        until = time.monotonic() + self._limit + SETTLE_SECONDS
        while self._thread is not None and self._thread.is_alive() and time.monotonic() < until:
            _check(cancelled)
            self._thread.join(0.1)
        return self._found

    def _work(self) -> None:
        program = Program("classify", self._plan.entry, f"{self._limit:g}")
        try:
            self._found = found_in(program, self._attempt.run(("python", "-I", *program.words)))
        except S2IError:  # the start says what is wrong, or the engine is gone and the next call says that
            self._found = None


def _looked(attempt: Trial, plan: BuildPlan, port: int, limit: float) -> Callable[[], Iterator[Heard]]:
    """Return what yields what is heard of the port, in a thread of its own: asked from within the app's network.

    From this machine where that can be entered, else from a container beside, with the app's Python or one of ours.
    """

    def look() -> Iterator[Heard]:
        if attempt.enter():
            yield from _heard(probe.probe(port, limit, lambda: attempt.is_closed))
        else:
            yield from _beside(attempt, plan, port, limit)

    return look


def _beside(attempt: Trial, plan: BuildPlan, port: int, limit: float) -> Iterator[Heard]:
    program = Program("probe", str(port), f"{limit:g}")
    image = attempt.image if plan.base is not None else next(iter(trial.base_images()), "")
    if not image:
        return _tables(attempt, port)
    interpreter = plan.base.interpreter if plan.base is not None else "python3"
    lines = attempt.beside(image, (interpreter, "-I", "-S", *program.words))
    return _heard(said for line in lines if (said := program.said(line)))


def _heard(told: Iterable[tuple[str, str]]) -> Iterator[Heard]:
    for word, value in told:
        if word == "answers" and _ANSWERS.fullmatch(value):
            yield value
        elif word == "listens":
            words = [one for one in value.split()[:LISTENERS_LIMIT] if _LISTENS.fullmatch(one)]
            yield tuple(sorted({ports.address(one) for one in words}))


def _tables(attempt: Trial, port: int) -> Iterator[Heard]:
    """Yield who listens as this machine's /proc shows it, and "unasked" when somebody does on ``port``."""
    while True:
        found = ports.listening(attempt.state().pid)
        yield found
        if any(number == port for _, number in found):
            yield "unasked"
        time.sleep(STATE_SECONDS)


def _follow(
    said: queue.SimpleQueue[Heard | None],
    attempt: Trial,
    port: int,
    until: float,
    cancelled: threading.Event | None,
) -> tuple[str, Listening]:
    """Return the answer and who listened, once there is an answer, the container has ended, or nothing will come."""
    answer, elsewhere = "", 0.0
    listening: Listening = ()
    while (now := time.monotonic()) < until:
        _check(cancelled)
        try:
            heard = said.get(timeout=min(STATE_SECONDS, until - now))
        except queue.Empty:
            heard = None
        if heard is None and not attempt.state().running:
            break
        if isinstance(heard, tuple):
            listening = heard
        elif heard:
            answer = heard if heard != LATE else answer
            if heard in (LATE, UNASKED) or heard.isdigit():
                break
        here = any(number == port for _, number in listening)
        elsewhere = 0.0 if here or not listening else elsewhere or now
        if elsewhere and now - elsewhere > SETTLE_SECONDS:
            break
    return answer, listening


def gathered(lines: Callable[[], Iterator[T]], limit: float, cancelled: threading.Event | None = None) -> list[T]:
    """Return what comes within ``limit`` seconds. Raises shell.Cancelled."""
    until, said, found = time.monotonic() + limit, _begun(lines), list[T]()
    while (left := until - time.monotonic()) > 0:
        _check(cancelled)
        try:
            one = said.get(timeout=min(STATE_SECONDS, left))
        except queue.Empty:
            continue
        if one is None:
            break
        found.append(one)
    return found


def _begun(lines: Callable[[], Iterator[T]]) -> queue.SimpleQueue[T | None]:
    """Return where the items come in that a thread of its own waits for; None at their end."""
    said: queue.SimpleQueue[T | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            for one in lines():
                said.put(one)
        except (S2IError, OSError):  # the container has ended, or the engine: both are asked for next
            pass
        finally:
            said.put(None)

    threading.Thread(target=work, name="proof", daemon=True).start()
    return said


def _check(cancelled: threading.Event | None) -> None:
    if cancelled is not None and cancelled.is_set():
        raise shell.Cancelled("the proof")
