"""Why a started image does not serve, from what was seen of it. The knowledge is in faults/start.toml. Pure."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator

import msgspec

from s2i.images.diagnose import known
from s2i.images.diagnose.explanation import Case, Explanation, Facts, faults, first

# A field that pydantic could not fill, version 1 or 2, and how many of them are named.
_FIELD = re.compile(r"^([\w.]+)\n[ ]+[^\n]*[\[(]type=", re.MULTILINE)
_FIELDS = 12
CLOSE = 0.8  # so alike are two names of which one was meant for the other
SIGNALS = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a container that was started and did not do as it should.

    ``lines``: the end of its log. ``exit``: its exit code, None while it runs. ``refused``: the engine's words when it
    could not start it. ``listening``: (address, port) that it was seen to listen on; ``port``: where it should, 0 for
    a job. ``seconds``: how long an answer was waited for. ``stop``: the seconds that it was given after SIGTERM and did
    not end in, None when that was not tried. ``status``: the HTTP status that it answered, 0 for none. ``entry`` and
    ``kind`` are the plan's; ``modules``: the top-level modules of the source, where they are known; ``env``: the names
    of the variables that it was given. ``own``: the image is of an own Dockerfile. ``served``: it had answered before.
    """

    lines: tuple[str, ...] = ()
    exit: int | None = None
    oom: bool = False
    refused: str = ""
    listening: tuple[tuple[str, int], ...] = ()
    port: int = 0
    seconds: float = 0.0
    stop: float | None = None
    status: int = 0
    kind: str = ""
    entry: str = ""
    modules: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    own: bool = False
    served: bool = False


def start(seen: Seen) -> Explanation:
    """Return why it failed: always something, if only the exit code and the end of the log."""
    looks = known.looks() | {
        "given": lambda name: next(iter(difflib.get_close_matches(name, seen.env, 1, CLOSE)), ""),
        "own": lambda name: name.partition(".")[0] if name.partition(".")[0] in seen.modules else "",
    }
    lines = tuple(seen.refused.splitlines()) if seen.refused else seen.lines
    case = Case(lines=lines, seen=frozenset(states(seen)), looks=looks, facts=_facts(seen), own=seen.own)
    found = first(faults("start"), case)
    if found is None:  # the last rows of the table hold of everything
        raise AssertionError("faults/start.toml has no last row")
    return found[1]


def states(seen: Seen) -> Iterator[str]:
    """Yield the words for what was seen, which rows of faults/start.toml ask for."""
    if seen.refused:
        yield "refused"
    if seen.oom:
        yield "oom"
    if seen.stop is not None:
        yield "unstopped"
    if seen.status:
        yield f"status-{seen.status}"
    if seen.exit is not None:
        yield "ended"
        yield f"exit-{seen.exit}"
    elif not seen.refused and seen.port:
        yield _listens(seen)


def _listens(seen: Seen) -> str:
    here = [address for address, port in seen.listening if port == seen.port]
    if here:
        return "loopback" if all(ipaddress.ip_address(address).is_loopback for address in here) else "silent"
    return "elsewhere" if seen.listening else "nowhere"


def _facts(seen: Seen) -> Facts:
    here = (f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p in seen.listening if p == seen.port)
    signal = f" ({SIGNALS[seen.exit]})" if seen.exit in SIGNALS else ""
    return {
        "port": str(seen.port),
        "ports": ", ".join(str(port) for port in sorted({port for _, port in seen.listening})),
        "addresses": " and ".join(here),
        "seconds": f"{seen.seconds:g}",
        "stop": f"{seen.stop or 0:g}",
        "exit": "" if seen.exit is None else f"{seen.exit}{signal}",
        "status": str(seen.status),
        "fields": _fields(seen),
        "entry": seen.entry,
        "before": _before(seen),
    }


def _before(seen: Seen) -> str:
    """Return when it ended, as the end of a sentence."""
    if seen.kind == "job":
        return ""
    return " within seconds of taking over" if seen.served else " before it answered"


def _fields(seen: Seen) -> str:
    """Return the names of all fields that settings of pydantic lack."""
    names = list(dict.fromkeys(_FIELD.findall("\n".join(seen.lines))))
    more = f" and {len(names) - _FIELDS} more" if names[_FIELDS:] else ""
    return ", ".join(names[:_FIELDS]) + more
