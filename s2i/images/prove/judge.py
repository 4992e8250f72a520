"""From what was seen to a verdict. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import msgspec

from s2i.images import diagnose
from s2i.images.prove import checks, signs
from s2i.images.prove.checks import CALLED
from s2i.images.prove.proof import Cause, Check, Found, Proof, Seen
from s2i.planning.plan import BuildPlan

SHOWN_LINES = 12
# What the table of failed starts says of everything: the proof has seen more than that.
VAGUE = frozenset({"crash", "killed", "error", "ended-at-once", "ended", "unknown"})
ABSENT = frozenset(
    {"module-gone", "dependency-undeclared", "own-module-missing", "module-missing"}
)  # what it says of a module that is not there
_SIGNALS = {137: " (SIGKILL)", 139: " (SIGSEGV)", 143: " (SIGTERM)"}


class _Verdict(msgspec.Struct, frozen=True):
    cause: Cause
    why: str = ""
    advice: str = ""
    where: str = ""


def judge(image: str, plan: BuildPlan, seen: Seen) -> Proof:
    """Return the verdict on a web app's image: whether it may get traffic, and what stands in the way."""
    verdict = _verdict(plan, seen)
    return Proof(
        image=image,
        kind=(seen.found.kind if seen.found and verdict.cause == "" else "") or plan.kind,
        entry=plan.entry,
        cause=verdict.cause,
        why=verdict.why,
        advice=verdict.advice,
        where=verdict.where,
        checks=tuple(checks.of(plan, seen, verdict.cause)),
        seen=seen,
        log=_telling(seen, verdict),
        seconds=seen.seconds,
    )


def job(proof: Proof, said: tuple[str, str] | None, seconds: float) -> Proof:
    """Return the verdict on a job's command, of which ``said`` is what was found: ("resolves" | "lacks", text)."""
    word, text = said or ("lacks", "nothing could be run in the image")
    good = word == "resolves"
    check = Check("command", good, f"is {text}" if good else text, seconds)
    why, cause = ("", "") if good else (f"its command cannot be run: {text}", "command")
    advice = "" if good else "mend the command: `s2i plan SRC` says where it comes from"
    return msgspec.structs.replace(proof, cause=cause, why=why, advice=advice, checks=(check,), seconds=seconds)


def contradiction(plan: BuildPlan, found: Found) -> str:
    """Return how the callable differs from what was planned, in words; "" when it does not, or nobody can tell."""
    plain, called = plan.entry.removesuffix("()"), plan.entry.endswith("()")
    module, _, name = plain.partition(":")
    match found.shape:
        case "wsgi" | "asgi" if called:
            return f"{plain} is no factory: it is {CALLED[found.shape]} itself"
        case "wsgi" | "asgi" | "factory" if found.kind and found.kind != plan.kind:
            makes = "makes" if found.shape == "factory" else "is"
            return f"{plain} {makes} {CALLED[found.kind]}, and was to be served as {plan.kind.upper()}"
        case "factory" if found.kind and not called:
            return f"{plain} is a factory, which has to be called: it makes {CALLED[found.kind]}"
        case "missing":
            return f"there is no {name} in the module {module}"
        case "value":
            return f"{plain} cannot be called: it is a {found.type.rpartition('.')[2]}"
    return ""


def _verdict(plan: BuildPlan, seen: Seen) -> _Verdict:
    differs = contradiction(plan, seen.found) if seen.found else ""
    if differs and seen.found and (not seen.is_served or seen.found.shape in ("wsgi", "asgi")):
        return _Verdict("callable", differs, _names(plan, seen.found), _entry_place(plan))
    if seen.answer.isdigit():
        return _reachable(seen)
    return _ended(plan, seen) if not seen.running else _unanswered(plan, seen)


def _reachable(seen: Seen) -> _Verdict:
    here = [address for address, port in seen.listening if port == seen.port]
    if here and all(ipaddress.ip_address(one).is_loopback for one in here):
        shown = " and ".join(f"[{a}]:{seen.port}" if ":" in a else f"{a}:{seen.port}" for a in here)
        why = f"it listens on {shown} only, where nobody outside of its container reaches it"
        return _Verdict("loopback", why, "let it listen on 0.0.0.0 and on the port in $PORT")
    return _Verdict("")


def _ended(plan: BuildPlan, seen: Seen) -> _Verdict:
    if seen.oom:
        return _Verdict("memory", "it needed more memory than it may have", "give it more: `s2i deploy --memory 1G`")
    found, sign, known = seen.found, signs.read(_said(seen)), _known(plan, seen)
    if found and found.absent:
        why = f"the module {found.absent} cannot be imported: it is not installed, and not where the source's own are"
        fix = "name the distribution that has it in the requirements"
        if known.id in ABSENT:
            why, fix = known.why, known.fix
        return _Verdict("import", why, fix, _place(plan, found))
    if sign:
        return _signed(plan, seen, sign)
    if known.id not in VAGUE:
        where = known.where or (_place(plan, found) if found else "")
        return _Verdict("import" if found and found.shape == "error" else "exited", known.why, known.fix, where)
    if found and found.shape in ("error", "exits"):
        what = f"{found.error}: {found.text}" if found.text else found.error
        return _Verdict("import", f"importing {plan.entry} raises {what}", "", _place(plan, found))
    if seen.exit == 0:
        why = f"it ended with exit code 0 before it answered on port {seen.port}: an app goes on listening"
        return _Verdict("exited", why, 'when it is meant to end, it is a job: kind = "job" in s2i.toml')
    code = "" if seen.exit is None else f" with code {seen.exit}{_SIGNALS.get(seen.exit, '')}"
    return _Verdict("exited", f"it exited{code} before it answered on port {seen.port}")


def _known(plan: BuildPlan, seen: Seen) -> diagnose.Explanation:
    """Return what the table of failed starts has to say of an app that ended."""
    return diagnose.start(
        diagnose.Seen(
            lines=tuple(_said(seen)), exit=seen.exit, port=seen.port, kind=plan.kind, entry=plan.entry,
            own=bool(plan.dockerfile),
        )
    )  # fmt: skip


def _unanswered(plan: BuildPlan, seen: Seen) -> _Verdict:
    if seen.answer == "unasked":
        why = "something listens, and no base image of s2i is here to ask it from inside of its network"
        return _Verdict("outside", why, "`s2i doctor --fix` makes one")
    wanted = f"expected 0.0.0.0:$PORT (PORT={seen.port})"
    sign = signs.read(_said(seen))
    if seen.found and seen.found.shape == "hangs":  # a server may listen already while its worker imports the app
        if sign:
            return _signed(plan, seen, sign)
        return _hanging(plan, seen)
    if any(port == seen.port for _, port in seen.listening):
        why = f"it listens on port {seen.port}, but gives no HTTP answer there"
        return _Verdict("mute", why, "an app speaks plain HTTP: TLS is the router's part; or does it hang?")
    if seen.listening:
        ports = ", ".join(str(port) for port in sorted({port for _, port in seen.listening}))
        advice = "read the port from the environment: os.environ['PORT']"
        return _Verdict("elsewhere", f"it listens on port {ports}, {wanted}", advice)
    if sign:
        return _signed(plan, seen, sign)
    return _Verdict("silent", f"it listened nowhere within {seen.limit:g} s, {wanted}")


def _hanging(plan: BuildPlan, seen: Seen) -> _Verdict:
    """Return the verdict on an import that does not end: most often because it starts a server of its own."""
    why, advice = f"importing {plan.entry} did not end within {seen.limit:g} s", ""
    if others := sorted({port for _, port in seen.listening if port != seen.port}):
        why += f": it listens on port {', '.join(map(str, others))} itself"
        advice = 'put what starts a server below `if __name__ == "__main__":`, which an import passes by'
    return _Verdict("hangs", why, advice, _hung(plan, seen))


def _signed(plan: BuildPlan, seen: Seen, sign: signs.Read) -> _Verdict:
    where = _place(plan, seen.found) if seen.found else ""
    if sign.cause == "variable":
        lack = f": {sign.own}" if sign.own else ", which is not set"
        why = f"it needs the environment variable {sign.name}{lack}"
        return _Verdict("variable", why, f"`--env {sign.name}=…` sets it, for deploy and for build --prove", where)
    return _Verdict("outside", f"it needs the network to start, which a proof does not have: {sign.line}", "", where)


def _names(plan: BuildPlan, found: Found) -> str:
    module = plan.entry.partition(":")[0]
    names = [f"{module}:{name}{'()' if shape == 'factory' else ''}" for name, shape in found.names]
    if not names:
        return 'say what to run in s2i.toml: entry = "module:name", and kind = "wsgi" or "asgi"'
    return f'say which one in s2i.toml, as entry = "{names[0]}": there is {", ".join(names)}'


def _entry_place(plan: BuildPlan) -> str:
    origin = next((d.origin for d in plan.decisions if d.what == "entry"), "")
    return origin if origin.rpartition(":")[2].isdecimal() else ""


def _place(plan: BuildPlan, found: Found) -> str:
    """Return the ``file:line`` of the source for one of the image, "" for what is not the source's."""
    if not found.file.startswith("/app/"):
        return ""
    path = found.file.removeprefix("/app/")
    return f"{plan.subdir}/{path}:{found.line}" if plan.subdir else f"{path}:{found.line}"


def _hung(plan: BuildPlan, seen: Seen) -> str:
    """Return the line of the source where the import hung: the first of the source's own in its stack."""
    for line in seen.found.stack if seen.found else ():
        if shown := re.search(r'File "(/app/[^"]+)", line (\d+)', line):
            return _place(plan, Found("hangs", file=shown[1], line=int(shown[2])))
    return ""


def _said(seen: Seen) -> Sequence[str]:
    found = seen.found
    said = (*found.stack, f"{found.error}: {found.text}") if found else ()
    return (*said, *seen.log)


def _telling(seen: Seen, verdict: _Verdict) -> tuple[str, ...]:
    """Return the lines that prove the verdict, where the log can: the end of a traceback, else the last lines."""
    if verdict.cause in ("", "callable", "loopback", "elsewhere"):
        return ()
    said = [line.rstrip() for line in seen.log if line.strip()]
    if not said and seen.found and seen.found.shape == "hangs":
        said = [line.rstrip() for line in seen.found.stack if line.strip()]
    return tuple(_traceback(said) or said[-SHOWN_LINES:])


def _traceback(lines: Sequence[str]) -> list[str]:
    """Return the end of the last traceback that leads through the source: its last line there, and what was raised."""
    frames = [number for number, line in enumerate(lines) if line.lstrip().startswith('File "')]
    own = [number for number in frames if lines[number].lstrip().startswith('File "/app/')]
    for end in range(own[-1], len(lines)) if own else ():
        if not lines[end].startswith(" "):
            after = next((number for number in frames if number > own[-1]), end)
            head = lines[own[-1] : min(after, end, own[-1] + SHOWN_LINES // 2)]
            rest = lines[own[-1] + len(head) : end + 1]
            return [*head, *rest[len(head) - SHOWN_LINES :]]
    return []
