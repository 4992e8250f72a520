"""Say why a revision did not come up, from what was seen of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from s2i.control.actions import Exited, NeverReady, NotStarted

SIGNALS = {137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


def explain(cause: Exited | NeverReady | NotStarted, port: int, listening: Sequence[int], tail: Sequence[bytes]) -> str:
    """Return the reason: one sentence, then the last lines of the log, a line each."""
    match cause:
        case Exited(code, oom):
            text = _exited(code, oom)
        case NeverReady(seconds):
            text = f"no HTTP answer on port {port} within {seconds:g} s: {_ports(port, listening)}"
        case NotStarted(why):
            text = why
    lines = [line.rstrip(b"\r\n").decode("utf-8", "replace") for line in tail]
    return "\n".join([text, *lines])


def _exited(code: int | None, oom: bool) -> str:
    if oom:
        return "it needed more memory than it may have (give it more with --memory)"
    if code == 0:
        return "it ended with exit code 0 before it answered: an app must go on listening (or is it a job?)"
    signal = f" ({SIGNALS[code]})" if code in SIGNALS else ""
    return f"it exited with code {code}{signal} before it answered"


def _ports(port: int, listening: Sequence[int]) -> str:
    if port in listening:
        return f"it listens on port {port}, but does not answer: on 0.0.0.0, not 127.0.0.1? does it hang?"
    if listening:
        found = ", ".join(str(one) for one in listening)
        return f"it listens on port {found}, expected 0.0.0.0:$PORT (PORT={port})"
    return f"it listens nowhere, expected 0.0.0.0:$PORT (PORT={port})"
