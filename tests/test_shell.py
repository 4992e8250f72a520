"""Programs are run with limits, and leave nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i import shell

pytestmark = pytest.mark.world
ROOT = Path(__file__).parents[1]

# Starts a child that outlives it and keeps the pipes open; the child's id goes to a file.
ORPHAN = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal, time; {ignore}; time.sleep(600)"], {options})
open(sys.argv[1], "w").write(str(child.pid))
print("done", flush=True)
{then}
"""
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def python(code: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *map(str, arguments))


def orphan(tmp_path: Path, *, ignore: str = "pass", options: str = "", then: str = "") -> tuple[str, ...]:
    return python(ORPHAN.format(ignore=ignore, options=options, then=then), tmp_path / "pid")


def eventually(check: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.01)
    return check()


def child_is_gone(tmp_path: Path) -> bool:
    pid = int((tmp_path / "pid").read_text())
    return eventually(lambda: not shell.alive(pid))


def test_a_program_gives_its_status_and_both_streams() -> None:
    done = shell.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), timeout=60)
    assert done == shell.Completed(3, b"out\n", b"err\n")


def test_a_program_that_is_not_there_is_missing() -> None:
    with pytest.raises(shell.Missing):
        shell.run(("no-such-program",), timeout=60)


def test_a_file_that_cannot_be_run_is_missing(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(shell.Missing):
        shell.run((str(tmp_path / "x"),), timeout=60)


def test_no_shell_reads_an_argument() -> None:
    hostile = "$(id) `id`; id | id > /dev/null \n * ~"
    done = shell.run(python("import sys; sys.stdout.write(sys.argv[1])", hostile), timeout=60)
    assert done.out.decode() == hostile


def test_input_and_output_larger_than_any_pipe_pass() -> None:
    data = os.urandom(1 << 20) * 8
    copy = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert shell.run(python(copy), timeout=60, stdin=data).out == data


def test_input_that_nobody_reads_is_no_hang_and_no_error() -> None:
    assert shell.run(python("pass"), timeout=60, stdin=b"x" * (8 << 20)).code == 0


def test_a_program_without_input_reads_an_end() -> None:
    assert shell.run(python("import sys; print(sys.stdin.read() == '')"), timeout=60).out == b"True\n"


def test_output_past_the_limit_is_dropped() -> None:
    done = shell.run(python("print('x' * 1000000)"), timeout=60, limit=10)
    assert done == shell.Completed(0, b"x" * 10, b"")


def test_endless_output_ends_the_program_when_asked() -> None:
    done = shell.run(python("while True: print('x' * 1000)"), timeout=60, limit=100_000, end_at_limit=True)
    assert (done.cut, len(done.out), done.code) == (True, 100_000, -signal.SIGTERM)


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    argv = orphan(tmp_path, ignore=IGNORE, then="import time; time.sleep(600)")
    with pytest.raises(shell.TimedOut, match="ran longer than 1 s"):
        shell.run(argv, timeout=1)
    assert child_is_gone(tmp_path)


def test_a_program_that_ends_leaves_no_child_that_holds_its_pipes(tmp_path: Path) -> None:
    done = shell.run(orphan(tmp_path, ignore=IGNORE), timeout=60)
    assert (done.code, done.out) == (0, b"done\n")
    assert child_is_gone(tmp_path)


def test_a_daemon_with_our_pipes_does_not_hold_us(tmp_path: Path) -> None:
    done = shell.run(orphan(tmp_path, options="start_new_session=True"), timeout=60)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (done.code, done.out) == (0, b"done\n")


def test_a_program_that_closes_its_pipes_is_still_limited() -> None:
    with pytest.raises(shell.TimedOut):
        shell.run(python("import os, time; os.close(1); os.close(2); time.sleep(600)"), timeout=0.5)


def test_an_event_cancels_a_program() -> None:
    event = threading.Event()
    threading.Timer(0.3, event.set).start()
    with pytest.raises(shell.Cancelled):
        shell.run(python("import time; time.sleep(600)"), timeout=60, cancelled=event)


@pytest.mark.parametrize("how", ["run", "stream"])
def test_ctrl_c_leaves_no_child(tmp_path: Path, how: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
    argv = orphan(tmp_path, ignore=IGNORE, then="import time; time.sleep(600)")
    pid = tmp_path / "pid"

    def interrupt() -> None:
        eventually(lambda: pid.exists() and pid.read_text() != "")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        shell.run(argv, timeout=60) if how == "run" else shell.stream(argv, lambda _: None, timeout=60)
    assert child_is_gone(tmp_path)


def test_lines_come_as_they_are_printed() -> None:
    lines: list[bytes] = []
    code = shell.stream(
        python("import sys; print('a'); sys.stdout.flush(); print('b', file=sys.stderr); sys.stdout.write('c')"),
        lines.append,
        timeout=60,
    )
    assert (code, lines) == (0, [b"a\n", b"b\n", b"c"])


def test_a_line_without_an_end_comes_in_pieces() -> None:
    lines: list[bytes] = []
    shell.stream(python("print('x' * 1000000)"), lines.append, timeout=60)
    assert b"".join(line.rstrip(b"\n") for line in lines) == b"x" * 1_000_000
    assert max(map(len, lines)) <= shell.LINE_LIMIT


def test_a_stream_ends_when_cancelled() -> None:
    event = threading.Event()
    loop = "import time\nprint('x', flush=True)\ntime.sleep(600)"
    assert shell.stream(python(loop), lambda _: event.set(), timeout=60, cancelled=event) == -signal.SIGTERM


def test_a_stream_that_takes_too_long_is_ended() -> None:
    with pytest.raises(shell.TimedOut):
        shell.stream(python("import time; time.sleep(600)"), lambda _: None, timeout=0.5)


def test_a_stream_ends_although_a_child_holds_its_pipe(tmp_path: Path) -> None:
    assert shell.stream(orphan(tmp_path, ignore=IGNORE), lambda _: None, timeout=60) == 0
    assert child_is_gone(tmp_path)


def test_an_error_of_the_listener_ends_the_program(tmp_path: Path) -> None:
    def listen(_line: bytes) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        shell.stream(orphan(tmp_path, then="import time; time.sleep(600)"), listen, timeout=60)
    assert child_is_gone(tmp_path)


def test_a_spawned_program_writes_to_its_log_and_is_waited_for(tmp_path: Path) -> None:
    pid = shell.spawn(python("print('hello')"), log=tmp_path / "log")
    assert eventually(lambda: not shell.alive(pid))
    assert (tmp_path / "log").read_bytes() == b"hello\n"


def test_running_leaves_no_descriptor_open() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    shell.run(python("pass"), timeout=60)
    before = opened()
    shell.run(python("print(1)"), timeout=60, stdin=b"x")
    shell.stream(python("print(1)"), lambda _: None, timeout=60)
    with pytest.raises(shell.TimedOut):
        shell.run(python("import time; time.sleep(600)"), timeout=0.2, stdin=b"x" * 1_000_000)
    assert opened() == before


def test_what_is_bound_ends_when_this_process_is_killed(tmp_path: Path) -> None:
    child = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    argv = python(child, tmp_path / "draft")
    parent = subprocess.Popen(python(f"from s2i import shell; shell.stream({argv!r}, print, timeout=600)"), cwd=ROOT)
    try:
        assert eventually(lambda: (tmp_path / "draft").exists() and (tmp_path / "draft").read_text() != "")
        (tmp_path / "draft").rename(tmp_path / "pid")
    finally:
        parent.kill()
        parent.wait()
    assert child_is_gone(tmp_path)


def test_a_bound_program_that_is_not_there_is_missing() -> None:
    with pytest.raises(shell.Missing):
        shell.run(("s2i-no-such-program",), timeout=5, bound=True)


def test_a_bound_program_that_takes_too_long_is_called_by_its_own_name() -> None:
    with pytest.raises(shell.TimedOut) as late:
        shell.run(("sleep", "60"), timeout=0.1, bound=True)
    assert str(late.value) == "sleep ran longer than 0.1 s"
