"""From the last lines of a failed build to one clear error. The knowledge is in faults/build.toml."""

from __future__ import annotations

import re

import msgspec

from s2i.errors import E_BUILD, KINDS, S2IError
from s2i.images.diagnose import known
from s2i.images.diagnose.explanation import MATCHED, Case, Facts, Look, faults, first
from s2i.images.log import SHOWN_LINES

# How builders repeat the command that failed: long, and shown already as the step's name.
_SUMMARY = re.compile(
    r"\A(?:executor failed running \[|process \".*did not complete successfully"
    r"|The command '.*' returned a non-zero code|(?:ERROR: )?failed to (?:build|solve)"
    r"|building at STEP \".*\": while running runtime)"
)
# What uv and pip say of the requirement that they were at. The last one in the log is the one that failed.
_SUBJECT = re.compile(
    r"(?:Failed to (?:download and )?build|Failed to download|Failed building wheel for|Failed to fetch"
    r"|Hash mismatch for) `?(?P<name>[A-Za-z0-9][\w.-]*)(?:==(?P<version>[\w.!+]+))?"
)
# What uv says of a requirement that no manifest names: which of those that one does name wants it.
_PARENT = re.compile(r"\Ahint: `(?P<name>[\w.-]+)`.* was included because `(?P<parent>[\w.-]+)")
_PYPI = "https://pypi.org/"
_PYTHON = re.compile(r"\AUsing C?Python (?P<python>3\.\d+)")


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A build that failed in ``step`` with these last lines. ``python``: of the image, as "3.13", "" when unknown.

    ``own``: what was built is an own Dockerfile, which s2i.toml does not reach. ``index``: the host of the package
    index that was asked for, "" for PyPI; ``server``: the distribution that serves the app, which s2i adds where no
    file asks for it.
    """

    step: str
    lines: tuple[str, ...]
    python: str = ""
    own: bool = False
    index: str = ""
    server: str = ""


def diagnose(failed: Failed, find: Look = lambda package: "") -> S2IError:
    """Return the error for a failed build. ``find``: see manifest.requirement."""
    # What the builder says last repeats the command, and has the exit code: it proves, and is not shown.
    said = tuple(line for line in failed.lines if line.strip() and not _SUMMARY.search(line))
    case = Case(
        lines=failed.lines,
        step=failed.step,
        looks=known.looks() | _of_index(failed, find),
        facts={"python": _python(failed), **_subject(failed, find)},
        place=find,
        own=failed.own,
    )
    found = first(faults("build"), case)
    if found is None:
        return E_BUILD(step=failed.step, why="the command failed", log=(said or failed.lines)[-SHOWN_LINES:])
    row, explanation = found
    if failed.index and explanation.link.startswith(_PYPI):
        explanation = msgspec.structs.replace(explanation, link="")
    shown = tuple(line for line in explanation.shown if not _SUMMARY.search(line))
    return KINDS[row.kind](
        where=explanation.where,
        advice=explanation.advice,
        step=failed.step,
        why=explanation.why,
        log=shown or (said[-row.lines :] if row.lines else ()),
        fault=row.id,
    )


def _of_index(failed: Failed, find: Look) -> dict[str, Look]:
    """Return what rows ask of names where another index than PyPI is used: its host, when it is about that."""
    added = "" if not failed.server or find(failed.server) else failed.server
    return {
        "index": lambda host: failed.index if host == failed.index else "",
        "asked": lambda package: failed.index,
        "added": lambda package: failed.index if package == added else "",
    }


def _subject(failed: Failed, find: Look) -> Facts:
    """Return what is known of the requirement that the step was at when it failed."""
    name = version = parent = ""
    for line in failed.lines:
        if found := _SUBJECT.search(line[:MATCHED]):
            name, version = found["name"], found["version"] or ""
        if (found := _PARENT.search(line[:MATCHED])) and found["name"] == name:
            parent = found["parent"]
    wanted = parent if parent and not find(name) else ""
    of = f", which {wanted} wants," if wanted else ""
    return {
        "package": wanted or name,
        "subject": f"{name} {version}".strip() + of if name else "a requirement",
        "name_of_subject": name,
        "exact": f"{name}=={version}" if version else "",
    }


def _python(failed: Failed) -> str:
    """Return the Python that the step ran with, in words: the plan's, else the one that uv told of."""
    told = (_PYTHON.search(line[:MATCHED]) for line in failed.lines)
    version = failed.python or next((one["python"] for one in told if one), "")
    return f"Python {version}" if version else "this Python"
