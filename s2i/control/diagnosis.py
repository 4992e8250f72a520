"""Say why a revision did not come up, from what was seen of it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from s2i.control.actions import Exited, NeverReady, NotStarted

SIGNALS = {137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


Listening = Sequence[tuple[str, int]]


def explain(cause: Exited | NeverReady | NotStarted, port: int, listening: Listening, tail: Sequence[bytes]) -> str:
    """Return the reason: one sentence, then the last lines of the log, a line each.

    ``listening``: the addresses and ports that the app was seen to listen on.
    """
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


def _ports(port: int, listening: Listening) -> str:
    here = [address for address, number in listening if number == port]
    if here and all(ipaddress.ip_address(address).is_loopback for address in here):
        found = " and ".join(_shown(address, port) for address in here)
        return f"it listens on {found} only; it must listen on 0.0.0.0"
    if here:
        return f"it listens on port {port}, but does not answer: does it hang?"
    if listening:
        found = ", ".join(str(number) for number in sorted({number for _, number in listening}))
        return f"it listens on port {found}, expected 0.0.0.0:$PORT (PORT={port})"
    return f"it listens nowhere, expected 0.0.0.0:$PORT (PORT={port})"


def _shown(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
