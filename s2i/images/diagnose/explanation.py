"""One known fault, how it is recognised, and what is said of it."""

from __future__ import annotations

import functools
import re
import textwrap
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from s2i.planning import toml

FOLDER = Path(__file__).with_name("faults")
MATCHED = 1000  # characters of a line that are looked at: a pattern costs time with their square
# Where a traceback says that a line of the source stood: the source is /app in an image.
_FRAME = re.compile(r' *File "/app/(?P<path>[^"]+)", line (?P<line>\d+)(?:, in .*)?')
_FRAMES = 120  # lines above the proof that are looked at

Facts = dict[str, str]
Look = Callable[[str], str]  # from a name in the log to what is known of it, "" for nothing


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of faults/*.toml; the head of each table says what the fields mean."""

    id: str
    why: str
    fix: str = ""
    own: str = ""
    link: str = ""
    kind: str = "E_BUILD"
    step: str = ""
    seen: tuple[str, ...] = ()
    pattern: str = ""
    also: str = ""
    last: bool = False
    look: str = ""
    of: str = "name"
    lines: int = 1


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fault: tuple[Fault, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Why something failed: ``proof`` is the line of the log that shows it, ``fix`` what to do about it.

    ``shown``: the lines of the log worth reading, the last of which is the proof. ``where``: ``file:line`` of the
    source, "" when unknown. All of it is as the log had it: escape it before it is shown.
    """

    id: str
    why: str
    proof: str = ""
    fix: str = ""
    link: str = ""
    where: str = ""
    shown: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """Return the fix, and where to read more, on lines of their own."""
        return "\n".join(part for part in (self.fix, self.link) if part)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What rows are held against: a step's name, what was seen, the log's lines, and what can be looked up.

    ``facts``: what a row's text may use beside the groups of its pattern. ``place``: from a requirement's name to the
    ``file:line`` that asks for it. ``own``: an own Dockerfile was built.
    """

    lines: tuple[str, ...]
    step: str = ""
    seen: Collection[str] = ()
    looks: Mapping[str, Look]
    facts: Facts = {}
    place: Look = lambda name: ""
    own: bool = False


@functools.cache
def faults(name: str) -> tuple[Fault, ...]:
    """Return the rows of faults/``name``.toml, in the order in which they are tried."""
    return toml.load(FOLDER / f"{name}.toml", _Table).fault


def first(rows: Sequence[Fault], case: Case) -> tuple[Fault, Explanation] | None:
    """Return the first row that holds, and what it says; None when none does."""
    text = "\n".join(line[:MATCHED] for line in case.lines)
    for row in rows:
        found = _holds(row, case, text)
        if found is not None:
            facts, end = found
            return row, _said(row, case, facts, text.count("\n", 0, end) if row.pattern else None)
    return None


def filled(text: str, facts: Facts) -> str:
    """Return ``text`` with the facts in it; those that it names and that are not known are left out."""
    return re.sub(r"{(\w+)}", lambda found: facts.get(found[1], ""), text)


def _holds(row: Fault, case: Case, text: str) -> tuple[Facts, int] | None:
    """Return the facts and where in ``text`` the proof ends, None when the row does not hold."""
    if row.seen and not set(row.seen) & set(case.seen):
        return None
    about = re.search(row.step, case.step) if row.step else None
    if row.step and not about:
        return None
    facts = case.facts | (_groups(about) if about else {})
    if not row.pattern:
        return facts, 0
    if row.also and not re.search(row.also, text):
        return None
    matches = re.finditer(row.pattern, text, re.MULTILINE)
    for found in deque(matches, maxlen=1) if row.last else matches:
        facts |= _groups(found)
        facts["found"] = case.looks[row.look](facts.get(row.of, "")) if row.look else ""
        if facts["found"] or not row.look:
            return facts, found.end()
    return None


def _groups(found: re.Match[str]) -> Facts:
    """Return what the groups hold. The same thing of several alternatives is called name, name2, name3."""
    held: Facts = {}
    for name, value in found.groupdict().items():
        key = name.rstrip("23")
        held[key] = held.get(key) or " ".join((value or "").split())
    return held


def _said(row: Fault, case: Case, facts: Facts, proof: int | None) -> Explanation:
    """Return what a row says; ``proof`` is the number of the line that shows it, None when the log does not."""
    lines = case.lines if proof is None else case.lines[: proof + 1]
    shown = [line for line in lines if line.strip()][-row.lines :] if row.lines else []
    shown = textwrap.dedent("\n".join(shown)).split("\n") if shown else []
    places = {name: case.place(facts[name]) for name in ("package", "other") if facts.get(name)}
    facts |= {f"{name}_at": f" ({place})" for name, place in places.items() if place}
    facts["NAME"] = facts.get("name", "").upper()
    frame = "" if proof is None else _frame(lines[-_FRAMES:])
    line = f"Dockerfile:{facts['line']}" if facts.get("line") else ""
    where = line or frame or places.get("package", "")
    fix = filled(row.own if case.own and row.own else row.fix, facts | ({"package_at": ""} if where else {}))
    return Explanation(
        id=row.id,
        why=filled(row.why, facts),
        proof=shown[-1].strip() if shown else "",
        fix=fix,
        link=filled(row.link, facts),
        where=where,
        shown=tuple(shown),
    )


def _frame(lines: Sequence[str]) -> str:
    """Return the ``file:line`` of the innermost frame that is the source's own, "" for none."""
    for line in reversed(lines):
        found = _FRAME.fullmatch(line)
        if found and found["path"] != "manage.py" and "site-packages/" not in found["path"]:
            return f"{found['path']}:{found['line']}"
    return ""
