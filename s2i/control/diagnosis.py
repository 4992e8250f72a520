"""Say why a revision did not come up, from what was seen of it. Pure: the knowledge is that of s2i.images.diagnose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from s2i.control.actions import Exited, NeverReady, NotStarted
from s2i.errors import E_ROLLOUT, S2IError
from s2i.images.diagnose import Explanation, Seen, start

FIX = "fix: "  # how the last line of a reason begins, which says what to do

SHOWN = 10  # lines
_UNREADY = "its readiness probe did not succeed within {:g} s: {}"
_PROBED = "mend what the probe asks for, or ask for something else: --probe-ready"

Listening = Sequence[tuple[str, int]]


def explain(cause: Exited | NeverReady | NotStarted, port: int, listening: Listening, tail: Sequence[bytes]) -> str:
    """Return the reason: one sentence, the lines of the log that prove it, and what to do, a line each.

    ``listening``: the addresses and ports that the app was seen to listen on.
    """
    lines = tuple(line.rstrip(b"\r\n").decode("utf-8", "replace") for line in tail)
    match cause:
        case Exited(code, oom, served):
            seen = Seen(exit=code, oom=oom, port=port, lines=lines, served=served)
        case NeverReady(seconds, saw):
            if saw:
                return "\n".join((_UNREADY.format(seconds, saw), *lines[-SHOWN:], f"{FIX}{_PROBED}"))
            seen = Seen(port=port, listening=tuple(listening), seconds=seconds, lines=lines)
        case NotStarted(why):
            # What s2i itself says (the image is gone) is reason enough; what the engine says may be known.
            seen = Seen(refused=why, port=port)
            if start(seen).id == "not-started":
                return why
        case _:
            assert_never(cause)
    return reason(start(seen))


def reason(found: Explanation) -> str:
    """Return an explanation as the text that is kept of a revision that failed."""
    why = f"{found.why} ({found.where})" if found.where else found.why
    fix = f"{found.fix} ({found.link})" if found.link else found.fix
    return "\n".join((why, *found.shown, f"{FIX}{fix}"))


def error(number: int, name: str, reason: str, serving: str) -> S2IError:
    """Return what is told of a roll-out that failed; ``serving``: who serves now."""
    why, log, fix = parted(reason)
    advice = f"{fix}\n{serving}" if fix else ""
    return E_ROLLOUT(number=number, name=name, why=why, log=log, serving=serving, advice=advice)


def parted(reason: str) -> tuple[str, tuple[str, ...], str]:
    """Return a reason's parts: the sentence, the lines of the log, what to do ("" when it does not say)."""
    why, *lines = reason.split("\n")
    fix = lines.pop().removeprefix(FIX) if lines and lines[-1].startswith(FIX) else ""
    return why, tuple(lines), fix
