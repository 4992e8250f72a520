"""Run other programs: the only import of subprocess.

A command is a value, a tuple of strings; no shell ever reads it. Every process gets a process group of its own,
so that its children end with it: on a time-out, on Ctrl-C, when the caller gives up, and when it ends itself. One that
is ``bound`` ends even when this process is killed, where the system can do that (Linux with util-linux).
"""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

GRACE_SECONDS = 3.0
OUTPUT_LIMIT = 64 << 20
LINE_LIMIT = 64 << 10
# A child that a process leaves behind may hold the pipes open for ever: it gets this long to say what it has to say.
STRAGGLE_SECONDS = 0.5
TICK_SECONDS = 0.1


class Completed(NamedTuple):
    """The end of a process: exit status (negative: the signal that ended it), and what it printed.

    ``cut`` says that it was ended because its output went past the limit.
    """

    code: int
    out: bytes
    err: bytes
    cut: bool = False


class TimedOut(Exception):
    """The process ran past its limit and was ended, with all its children."""


class Cancelled(Exception):
    """The caller's event was set; the process was ended, with all its children."""


class Missing(Exception):
    """There is no such program on PATH."""


def find(program: str) -> str | None:
    """Return the path of ``program`` on PATH, or None."""
    return _which(program)


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    limit: int = OUTPUT_LIMIT,
    end_at_limit: bool = False,
    cancelled: threading.Event | None = None,
    bound: bool = False,
) -> Completed:
    """Run ``argv`` to its end and return what it printed, at most ``limit`` bytes of each stream.

    ``env`` replaces the environment (None: inherit it). Output past ``limit`` is dropped, or ends the process with
    ``end_at_limit``. Raises TimedOut after ``timeout`` seconds, Cancelled, Missing.
    """
    out, err = bytearray(), bytearray()

    def take(into: bytearray, chunk: bytes) -> bool:
        into += chunk[: limit - len(into)]
        return end_at_limit and len(into) >= limit

    process = _start(argv, env, cwd, subprocess.PIPE, subprocess.PIPE, feed=bool(stdin), bound=bound)
    with _ended(process):
        assert process.stdout is not None
        assert process.stderr is not None
        takers = {process.stdout: lambda chunk: take(out, chunk), process.stderr: lambda chunk: take(err, chunk)}
        cut = _pump(process, takers, stdin, timeout, cancelled)
    return Completed(process.returncode, bytes(out), bytes(err), cut)


def stream(
    argv: Sequence[str],
    on_line: Callable[[bytes], None],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    cancelled: threading.Event | None = None,
) -> int:
    """Run ``argv``, bound, and hand each line of its output (both streams, merged) to ``on_line`` as it comes.

    Returns the exit status. ``cancelled`` ends the process early (SIGTERM, then SIGKILL after GRACE_SECONDS).
    A line longer than LINE_LIMIT comes in pieces. Raises TimedOut, Missing, and what ``on_line`` raises.
    """
    held = bytearray()

    def take(chunk: bytes) -> bool:
        held.extend(chunk)
        *lines, rest = bytes(held).split(b"\n")
        while len(rest) >= LINE_LIMIT:
            lines.append(rest[: LINE_LIMIT - 1])
            rest = rest[LINE_LIMIT - 1 :]
        held[:] = rest
        for line in lines:
            on_line(line + b"\n")
        return False

    process = _start(argv, env, cwd, subprocess.PIPE, subprocess.STDOUT, bound=True)
    with _ended(process), contextlib.suppress(Cancelled):
        assert process.stdout is not None
        _pump(process, {process.stdout: take}, b"", timeout, cancelled)
    if held:
        on_line(bytes(held))
    return process.returncode


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Start ``argv`` as a process that outlives this one (own session, output appended to ``log``); return its id."""
    with log.open("ab") as sink:
        process = _start(argv, env, cwd, sink, sink)
    # A child that was never waited for would stay as a zombie while this process lives.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


def alive(pid: int) -> bool:
    """Say whether the process ``pid`` runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self").exists()
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _start(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: Path | None,
    out: int | IO[bytes],
    err: int | IO[bytes],
    *,
    feed: bool = False,
    bound: bool = False,
) -> subprocess.Popen[bytes]:
    prefix = _binding() if bound else ()
    if prefix and _which(argv[0], (os.environ if env is None else env).get("PATH")) is None:
        raise Missing(argv[0])
    try:
        return subprocess.Popen(
            [*prefix, *argv],
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            bufsize=0,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        if cwd is not None and error.filename == str(cwd):
            raise
        raise Missing(argv[0]) from None


@functools.cache
def _binding() -> tuple[str, ...]:
    """Return what goes before a command that is to end when the thread that starts it does; () where nothing can.

    Python could ask for it between fork and exec only, which is not safe in a process with threads.
    """
    found = _which("setpriv")
    # That of busybox goes by another name in the end, and knows nothing of it.
    return (found, "--pdeathsig=KILL") if found and Path(found).resolve().name == "setpriv" else ()


def _which(program: str, path: str | None = None) -> str | None:
    import shutil  # with it come three compression libraries, which most commands have no use for

    return shutil.which(program, path=path)


def _pump(
    process: subprocess.Popen[bytes],
    takers: Mapping[IO[bytes], Callable[[bytes], bool]],
    stdin: bytes,
    timeout: float,
    cancelled: threading.Event | None,
) -> bool:
    """Move bytes until the process has ended and its pipes are closed. A taker that returns True ends it: True.

    Raises TimedOut, Cancelled.
    """
    deadline = time.monotonic() + timeout
    gone = 0.0
    with _Pipes(process, takers, stdin) as pipes:
        while True:
            if cancelled is not None and cancelled.is_set():
                raise Cancelled(_program(process))
            now = time.monotonic()
            if now >= deadline:
                raise TimedOut(f"{_program(process)} ran longer than {timeout:g} s")
            ended = process.poll() is not None
            if ended and (not pipes.open() or (gone and now - gone > STRAGGLE_SECONDS)):
                return False
            gone = gone or (now if ended else 0.0)
            if pipes.open():
                if pipes.move(min(TICK_SECONDS, deadline - now)):
                    _end(process)  # before its pipes close: a broken one would end it first, in a way of its own
                    return True
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(min(TICK_SECONDS, deadline - now))


class _Pipes:
    """The pipes of one process, watched together, so that a full one never blocks the others."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        takers: Mapping[IO[bytes], Callable[[bytes], bool]],
        stdin: bytes,
    ) -> None:
        self._ready = selectors.DefaultSelector()
        self._takers = dict(takers)
        self._stdin, self._left = process.stdin, memoryview(stdin)
        for pipe in takers:
            self._ready.register(pipe, selectors.EVENT_READ)
        if self._stdin is not None:
            os.set_blocking(self._stdin.fileno(), False)
            self._ready.register(self._stdin, selectors.EVENT_WRITE)

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_error: object) -> None:
        for pipe in [*self._takers, self._stdin]:
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._ready.close()

    def open(self) -> bool:
        """Say whether there is something to read from still, or to write to."""
        return bool(self._ready.get_map())

    def move(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for what can be moved, and move it. Returns True when a taker has enough."""
        enough = False
        for key, _ in self._ready.select(seconds):
            pipe = key.fileobj
            if pipe is self._stdin:
                self._write()
            elif chunk := os.read(key.fd, 65536):
                enough = self._takers[pipe](chunk) or enough  # type: ignore[index]
            else:
                self._ready.unregister(pipe)
        return enough

    def _write(self) -> None:
        assert self._stdin is not None
        try:
            self._left = self._left[os.write(self._stdin.fileno(), self._left[:65536]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left = memoryview(b"")
        if not self._left:
            self._ready.unregister(self._stdin)
            self._stdin.close()


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Make sure that nothing of the process group is left, whichever way the block ends."""
    try:
        yield
    finally:
        if process.poll() is None:
            _end(process)
        # The process itself is gone; what it left behind in its group goes too.
        _signal(process, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, and make it, even when a second Ctrl-C comes while it is given its time."""
    try:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # A group of which nobody is left cannot be signalled: ProcessLookupError, on some systems PermissionError.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _program(process: subprocess.Popen[bytes]) -> str:
    argv, prefix = process.args, list(_binding())
    if not isinstance(argv, list):
        return str(argv)
    return str(argv[len(prefix)] if argv[: len(prefix)] == prefix else argv[0])
