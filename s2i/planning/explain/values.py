"""What an explanation consists of. ``s2i explain -o json`` prints these as they are."""

from __future__ import annotations

import msgspec

from s2i.planning.plan import AppKind, Rejected, Stage, Strength
from s2i.sources import Notice


class Quote(msgspec.Struct, frozen=True):
    """What speaks for something: ``file:line`` and that line's text; or a rule's words, with no text."""

    where: str
    text: str = ""


class File(msgspec.Struct, frozen=True):
    """A file that says something about the source, and what it says."""

    path: str
    tells: str


class Reading(msgspec.Struct, frozen=True):
    """What was read: how many files there are, how many modules were parsed, which files said something.

    ``left_out`` has a sentence for each reason why something was not looked at.
    """

    files: int
    modules: int
    told: tuple[File, ...] = ()
    left_out: tuple[str, ...] = ()


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, argued. ``sure`` is "" for a strong one; ``flip`` is what has to be changed for another answer."""

    what: str
    asks: str
    value: str
    because: Quote
    strength: Strength = "strong"
    sure: str = ""
    rejected: tuple[Rejected, ...] = ()
    flip: str = ""


class BuildStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the build. ``commands`` are () for a copy; ``layer`` counts those on top of the runtime base, from 1.

    ``again``: what makes it run again ("" when that cannot be told: a Dockerfile of the source's own). ``lines``: where
    it stands in the Dockerfile, first and last.
    """

    number: int
    stage: Stage
    why: str
    commands: tuple[tuple[str, ...], ...] = ()
    copies: tuple[str, ...] = ()
    to: str = ""
    again: str = ""
    layer: int | None = None
    lines: tuple[int, int] = (0, 0)


class Running(msgspec.Struct, frozen=True):
    """How the image runs: the start command, the port ("" for a job), the user, and what the platform does for it."""

    command: tuple[str, ...]
    listens: str
    user: str
    given: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The whole argument for a plan."""

    summary: str
    kind: AppKind
    read: Reading
    decided: tuple[Argument, ...]
    bases: tuple[tuple[Stage, str], ...] = ()
    build: tuple[BuildStep, ...]
    run: Running
    know: tuple[Notice, ...] = ()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an instruction, or of one line of it: what it does, and what breaks without it."""

    text: str
    says: str
    without: str = ""
    link: str = ""


class LineExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One line, of the Dockerfile or of the source.

    ``parts``: what is said of it. ``belongs``: the instruction that it is one line of, "" for a whole one. ``layer``
    says which layer that makes, or that it makes none; "" for a line of the source. ``decided`` are the decisions
    behind the line, or made from it.
    """

    where: str
    text: str
    role: str
    parts: tuple[Part, ...] = ()
    belongs: str = ""
    layer: str = ""
    again: str = ""
    step: int | None = None
    decided: tuple[Argument, ...] = ()
    know: tuple[Notice, ...] = ()
