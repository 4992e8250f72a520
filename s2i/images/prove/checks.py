"""What is said of each thing that was looked at. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from s2i.images.prove.proof import Cause, Check, Found, Proof, Seen
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice

CALLED = {"wsgi": "a WSGI application", "asgi": "an ASGI application"}
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|NotFound|Refused)\b(?:: |\Z)")
_WRITES = "/app is read-only, and each deployment empties /tmp"
_UNWRITABLE = re.compile(r"Read-only file system|\bErrno 30\b|\bEROFS\b")


def of(plan: BuildPlan, seen: Seen, cause: Cause) -> list[Check]:
    """Return the checks of a web app's image; ``cause`` is what stands in its way."""
    found, checks = seen.found, []
    if plan.kind in ("wsgi", "asgi") and plan.entry:
        if found and found.shape != "nothing":
            checks.append(Check("import", _is_imported(found, cause), _turned_out(plan, found)))
        elif seen.is_served:
            checks.append(Check("import", True, _turned_out(plan, _served(plan))))
    if not seen.running:
        return [*checks, Check("start", False, f"exit code {seen.exit}", seen.seconds)]
    checks.append(Check("start", True, "it runs without a network, from a read-only file system"))
    checks.append(Check("listen", cause not in ("loopback", "elsewhere", "silent"), _listens(seen)))
    answered = seen.answer.isdigit()
    checks.append(Check("answer", answered, f"HTTP {seen.answer}" if answered else "none", seen.seconds))
    if seen.privileges:
        checks.append(Check("user", seen.privileges == "user 1001, no capabilities", seen.privileges))
    return [*checks, _files(seen.log)]


def with_end(proof: Proof, check: Check, log: Sequence[str]) -> Proof:
    """Return ``proof`` with the check of how the app ended, and what its whole log says of files."""
    checks = tuple(_files(log) if one.name == "files" else one for one in proof.checks)
    return msgspec.structs.replace(proof, checks=(*checks, check))


def stopped(seconds: float, exit_code: int | None, grace: float) -> Check:
    """Return the check of how an app ended when it was told to."""
    if seconds >= grace and exit_code == 137:
        return Check("stop", False, f"SIGTERM ignored: it had to be killed after {grace:g} s", seconds)
    code = "" if exit_code is None else f", exit code {exit_code}"
    return Check("stop", True, f"ends on SIGTERM{code}", seconds)


def notices(proof: Proof) -> tuple[Notice, ...]:
    """Return what a person should know of an image that may go on."""
    found = []
    if proof.cause == "outside":
        found.append(Notice("W_UNPROVEN", f"{proof.why}; only its roll-out can tell whether it answers", proof.where))
    for check in proof.checks:
        if check.name == "files" and not check.ok:
            text = f"it tried to write outside of /tmp, which an instance cannot: {check.seen}"
            found.append(Notice("W_READ_ONLY", text))
        elif _is_broken(check):
            raised = [line.strip() for line in (proof.seen.log if proof.seen else ()) if _RAISED.match(line)]
            said = f": {raised[-1][:200]}" if raised else ""
            mend = "mend what was raised" if said else "its log says why"
            text = f"it serves, but answers GET / with {check.seen}{said}; {mend} ({_WRITES})"
            found.append(Notice("W_ANSWER", text))
        elif check.name == "stop" and not check.ok:
            text = "it ignores SIGTERM: each stop and update waits 10 s, then cuts off the requests under way"
            found.append(Notice("W_SIGTERM", text))
    return tuple(found)


def line(check: Check) -> str:
    """Return a check as a line for people. An answer of 500 and above is neither good nor bad."""
    after = " after the start" if check.name == "answer" else ""
    took = f" ({check.seconds:.1f} s{after})" if check.seconds >= 0.05 else ""
    mark = "!!" if check.ok and _is_broken(check) else "ok" if check.ok else "NO"
    return f"{mark}  {check.name}: {check.seen}{took}"


def _is_broken(check: Check) -> bool:
    return check.name == "answer" and check.seen.startswith("HTTP 5")


def _files(log: Sequence[str]) -> Check:
    unwritable = next((line.strip() for line in log if _UNWRITABLE.search(line)), "")
    return Check("files", not unwritable, unwritable[:300] or "nothing is written outside of /tmp")


def _is_imported(found: Found, cause: Cause) -> bool:
    return cause != "callable" and found.shape not in ("error", "exits", "hangs")


def _served(plan: BuildPlan) -> Found:
    """Return what an entry is that its server got an answer out of."""
    kind: Literal["wsgi", "asgi"] = "asgi" if plan.kind == "asgi" else "wsgi"
    return Found("factory" if plan.entry.endswith("()") else kind, kind)


def _turned_out(plan: BuildPlan, found: Found) -> str:
    if found.shape in ("error", "exits", "hangs"):
        return f"{plan.entry}: {found.error or 'it does not end'}"
    what = CALLED.get(found.shape) or {"factory": "a factory", "missing": "not there"}.get(found.shape, found.shape)
    makes = f" of {CALLED[found.kind]}" if found.shape == "factory" and found.kind else ""
    return f"{plan.entry.removesuffix('()')} is {what}{makes}{f' ({found.type})' if found.type else ''}"


def _listens(seen: Seen) -> str:
    named = (f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in seen.listening)
    return ", ".join(named) or "nowhere"
