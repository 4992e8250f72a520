"""The text of a first s2i.toml: every key as a comment, with what it is for and what is decided now.

It changes nothing: only what was set before stands in it without a "#".
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from s2i.errors import S2IError, escape
from s2i.planning import known, settings
from s2i.planning.known import Known
from s2i.planning.plan import BuildPlan, Decision
from s2i.planning.settings import Given

WIDTH = 100
_HEAD = """\
Settings of s2i for this source: each key decides what s2i would otherwise infer.
A key behind a "#" changes nothing: take the "#" away to fix its value. `s2i explain` argues each decision.
"""


def text(plan: BuildPlan | None, given: Given, refusal: S2IError | None = None) -> str:
    """Return the text of s2i.toml for a plan, or for the ``refusal`` that came in its place.

    ``given`` is what is set already: it stays set.
    """
    lines = [*_comment(_HEAD)]
    if refusal:
        why = str(refusal).partition(chr(10))[0].removesuffix(":")
        lines += ["#", *_comment(f"s2i could not decide: {why}")]
    decisions = {decision.what: decision for decision in plan.decisions} if plan else {}
    said = given.values()
    for key, row in known.settings().items():
        lines += ["", *_comment(row.asks), *_comment(row.about)]
        if key in said:
            lines += [*_comment(f"Set before, in {given.path}."), f"{key} = {toml_value(said[key])}"]
        elif key == _asked(refusal):
            lines += _candidates(refusal.facts.get("candidates", ()) if refusal else (), row)
        else:
            lines += _now(key, row, plan, decisions.get(row.what))
    return "\n".join(lines) + "\n"


def _asked(refusal: S2IError | None) -> str:
    """Return the key that a refusal leaves to a person."""
    if refusal is None:
        return ""
    return "subdir" if refusal.facts.get("what") == "folder" else "entry"


def toml_value(value: Any) -> str:
    """Return a string, number, boolean or list as TOML: JSON is written the same way, but for the DEL character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _now(key: str, row: Known, plan: BuildPlan | None, decision: Decision | None) -> Iterator[str]:
    value = _value(key, plan, decision)
    if value is None:
        yield from _comment("Nothing was decided here; an example:")
        yield f"#{key} = {row.example}"
        return
    if decision:
        sure = "" if decision.strength == "strong" else f" ({decision.strength})"
        yield from _comment(f"Now {decision.value}, from {decision.origin}{sure}.")
        for lost in decision.rejected[:5]:
            yield from _comment(f"Not {lost.value}: {lost.why}.")
    yield f"#{key} = {toml_value(value)}"


def _value(key: str, plan: BuildPlan | None, decision: Decision | None) -> Any:
    """Return the value that a key would have to have for the plan as it is; None when there is none to be said."""
    if plan is None:
        return None
    value: Any = {
        "entry": plan.entry,
        "kind": plan.kind,
        "python": plan.python,
        "manager": plan.manager,
        "server": _name(decision),
        "start": list(plan.start),
        "port": plan.port,
        "prune": decision.value != "nothing" if decision else None,
        "collectstatic": True if decision else None,
        "subdir": decision.value if decision else None,
    }.get(key)
    return value if value is not None and settings.fits(key, value) else None


def _name(decision: Decision | None) -> str | None:
    """Return the name of a server out of what is installed for it: "gunicorn" of "gunicorn>=21,<28"."""
    servers = msgspec.inspect.type_info(settings.Settings)
    assert isinstance(servers, msgspec.inspect.StructType)
    field = next(field.type for field in servers.fields if field.name == "server")
    names = field.values if isinstance(field, msgspec.inspect.LiteralType) else ()
    return next((str(n) for n in names if n and decision and decision.value.startswith(str(n))), None)


def _candidates(lines: object, row: Known) -> Iterator[str]:
    """Yield what could be started, one a line, and choose none of it."""
    found = [line for line in lines if isinstance(line, str)] if isinstance(lines, Sequence) else []
    if not found:
        yield from _comment("Nothing was found; an example:")
        yield f"#{row.setting} = {row.example}"
        return
    yield from _comment('These fit equally well: take the "#" away from one of them.')
    for line in found:
        value = line.partition(" ")[0]
        value = value.removesuffix(":") if row.setting == "subdir" else value
        script = value.rpartition(":")[0]
        value = script if script.endswith(".py") else value
        if settings.fits(row.setting, value):
            yield f"#{row.setting} = {toml_value(value)}  # {escape(line)}"
        else:
            yield from _comment(line)


def _comment(text: str) -> Iterator[str]:
    """Yield comment lines; a control character would end one, or be no TOML."""
    for paragraph in text.strip().split("\n"):
        for line in textwrap.wrap(escape(paragraph, 500), WIDTH - 2, break_long_words=False, break_on_hyphens=False):
            yield f"# {line}"
