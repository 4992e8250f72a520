"""Run other programs: the only import of subprocess.

A command is a value, a tuple of strings; no shell ever reads it. Every process gets a process group of its own,
so that its children end with it: on a time-out, on Ctrl-C, or when the caller gives up.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

GRACE_SECONDS = 3.0
OUTPUT_LIMIT = 64 << 20


class Completed(NamedTuple):
    """The end of a process: exit status (negative: the signal that ended it), and what it printed."""

    code: int
    out: bytes
    err: bytes


class TimedOut(Exception):
    """The process ran past its limit and was ended, with all its children."""


class Missing(Exception):
    """There is no such program on PATH."""


def find(program: str) -> str | None:
    """Return the path of ``program`` on PATH, or None."""
    return shutil.which(program)


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    limit: int = OUTPUT_LIMIT,
) -> Completed:
    """Run ``argv`` to its end and return what it printed, at most ``limit`` bytes of each stream.

    ``env`` replaces the environment (None: inherit it). Raises TimedOut after ``timeout`` seconds, Missing.
    """
    process = _start(argv, env, cwd, subprocess.PIPE, subprocess.PIPE)
    out, err = bytearray(), bytearray()
    readers = [
        threading.Thread(target=_drain, args=(process.stdout, out, limit), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, err, limit), daemon=True),
    ]
    with _ended(process):
        for reader in readers:
            reader.start()
        _feed(process, stdin)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"{argv[0]} ran longer than {timeout:g} s") from None
        for reader in readers:
            reader.join(GRACE_SECONDS)
    return Completed(code, bytes(out), bytes(err))


def stream(
    argv: Sequence[str],
    on_line: Callable[[bytes], None],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    cancelled: threading.Event | None = None,
) -> int:
    """Run ``argv`` and hand each line of its output (both streams, merged) to ``on_line`` as it comes.

    Returns the exit status. ``cancelled`` ends the process early (SIGTERM, then SIGKILL after GRACE_SECONDS).
    Raises TimedOut, Missing.
    """
    process = _start(argv, env, cwd, subprocess.PIPE, subprocess.STDOUT)
    late = threading.Event()
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(process, timeout, cancelled, late, ended), daemon=True)
    with _ended(process):
        watch.start()
        _feed(process, b"")
        try:
            assert process.stdout is not None
            for line in process.stdout:
                on_line(line)
            code = process.wait()
        finally:
            ended.set()
    if late.is_set():
        raise TimedOut(f"{argv[0]} ran longer than {timeout:g} s")
    return code


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Start ``argv`` as a process that outlives this one (own session, output appended to ``log``); return its id."""
    with log.open("ab") as sink:
        process = _start(argv, env, cwd, sink, sink)
    _feed(process, b"")
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
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Missing(argv[0]) from None


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(data)


def _drain(pipe: IO[bytes], into: bytearray, limit: int) -> None:
    while chunk := pipe.read(65536):
        into += chunk[: limit - len(into)]


def _watch(
    process: subprocess.Popen[bytes],
    timeout: float,
    cancelled: threading.Event | None,
    late: threading.Event,
    ended: threading.Event,
) -> None:
    waited = 0.0
    while not ended.wait(0.1):
        waited += 0.1
        if waited >= timeout:
            late.set()
        if late.is_set() or (cancelled is not None and cancelled.is_set()):
            _end(process)
            return


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Make sure that nothing of the process group is left, whichever way the block ends."""
    try:
        yield
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
