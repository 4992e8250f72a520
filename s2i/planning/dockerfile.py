"""A Dockerfile read as BuildKit reads it: directives, logical lines, here-documents."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence

import msgspec

from s2i.errors import E_DOCKERFILE
from s2i.patterns import lazily

PATH = "Dockerfile"
# A line ends at \n and nowhere else: str.splitlines would end it at these too, and read another file than the builder.
_CONTROL = lazily("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)")
_DIRECTIVE = lazily(r"(?:#|//)\s*([A-Za-z][A-Za-z0-9]*)\s*+=\s*+(\S.*)")
_CONTINUED = lazily(r"\\[ \t]*$")
_TWICE = lazily(r"\\\\[ \t]*$")
_WORDS = lazily(r"([A-Za-z]+)(?:[\t\r ]+(.*))?", re.DOTALL)
_HERE = lazily(r"(?:^|(?<=\s))\d*<<(-?)([^\s<]+)(?=\s|$)")
_HERE_NAME = lazily(r"(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_MOST_DOCUMENTS = 20  # of one instruction: nobody writes more than one or two
_HERE_WORDS = frozenset({"RUN", "COPY", "ADD", "ONBUILD"})
_KEYWORDS = lazily(
    "RUN|COPY|ADD|ONBUILD|ARG|CMD|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|SHELL|STOPSIGNAL|USER|VOLUME"
    "|WORKDIR"
)


class Instruction(msgspec.Struct, frozen=True):
    """One instruction: its word in upper case, the rest, its first line's number, the comment right above it.

    ``end`` is the number of its last line.
    """

    word: str
    rest: str
    line: int
    comment: str = ""
    text: str = ""
    end: int = 0


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile, each on one line, without comments and here-documents."""
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    comment, at, ends = "", 0, _Ends(lines)
    while at < len(lines):
        first = lines[at].strip()
        if not first or first.startswith("#"):
            comment = first.lstrip("# ")
            at += 1
            continue
        start = at
        joined, at = _join(lines, at)
        if found := _WORDS.fullmatch(joined.strip()):
            word, rest = found[1].upper(), (found[2] or "").strip()
            if word in _HERE_WORDS:
                at = _after_documents(ends, at, rest)
            yield Instruction(word, rest, start + 1, comment, joined.strip(), at)
        comment = ""


def check(text: str) -> None:
    """Refuse what builders read in different ways, so that what is checked is what is built. Raises E_DOCKERFILE."""
    if found := _CONTROL.search(text):
        number = text.count("\n", 0, found.start()) + 1
        raise E_DOCKERFILE(why=f"it holds the control character U+{ord(found[0][0]):04X}", where=f"{PATH}:{number}")
    for number, name, value in _directives(text):
        if name == "escape" and value != "\\":
            why = f"`escape={value}`: only the escape character \\ is supported"
            raise E_DOCKERFILE(why=why, where=f"{PATH}:{number}")
    # As a whole, BuildKit takes such a file for {"syntax": …}.
    body = text.partition("\n")[2] if text.startswith("#!") else text
    if body.lstrip().startswith("{"):
        raise E_DOCKERFILE(why="it starts with {: this is JSON", where=f"{PATH}:1")
    for number, line in enumerate(text.split("\n"), 1):
        if _TWICE.search(line.rstrip("\r")):
            why = "a line that ends with two backslashes goes on for some builders and not for others"
            raise E_DOCKERFILE(why=why, where=f"{PATH}:{number}")
    _check_documents(text)


def frontend(text: str) -> tuple[str, int]:
    """Return the value and the line of a `syntax` directive, in any of BuildKit's comment styles; ("", 0) for none."""
    return next(((value, number) for number, name, value in _directives(text) if name == "syntax"), ("", 0))


def _directives(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and value of what may be a directive to some builder: only comments may stand before it."""
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if found := _DIRECTIVE.fullmatch(line):
            yield number, found[1].lower(), found[2]
        elif line and not line.startswith(("#", "//")):
            return


def _join(lines: Sequence[str], at: int) -> tuple[str, int]:
    """Return the logical line that starts at ``at``, and where the next begins: nothing is put between its parts."""
    joined, line = "", lines[at]
    while True:
        at += 1
        part = _CONTINUED.sub("", line)
        joined += part
        if part == line:
            return joined, at
        while at < len(lines) and (not lines[at].strip() or lines[at].lstrip().startswith("#")):
            at += 1
        if at >= len(lines):
            return joined, at
        line = lines[at]


def _after_documents(ends: _Ends, at: int, rest: str) -> int:
    """Return the line behind the here-documents of an instruction: one that never ends is none."""
    for dash, quoted in _HERE.findall(rest)[:_MOST_DOCUMENTS]:
        name = _HERE_NAME.fullmatch(quoted)
        at = ends.behind(name[2], at, dashed=bool(dash)) if name else at
    return at


class _Ends:
    """Where here-documents can end, found once: a Dockerfile may hold thousands that never do."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._places: dict[bool, dict[str, list[int]]] = {}

    def behind(self, name: str, at: int, *, dashed: bool) -> int:
        """Return the line behind the first one from ``at`` on that is ``name``; ``at`` where there is none."""
        if dashed not in self._places:
            places = self._places[dashed] = {}
            for number, line in enumerate(self._lines):
                places.setdefault(line.lstrip("\t") if dashed else line, []).append(number)
        found = self._places[dashed].get(name, [])
        place = bisect.bisect_left(found, at)
        return found[place] + 1 if place < len(found) else at


def _check_documents(text: str) -> None:
    """Refuse a here-document whose end could be an instruction to a builder that does not know them."""
    for step in instructions(text):
        for _, quoted in _HERE.findall(step.rest) if step.word in _HERE_WORDS else ():
            name = _HERE_NAME.fullmatch(quoted)
            if not name or _KEYWORDS.fullmatch(name[2].upper()):
                why = f"the here-document <<{quoted} must be named by one plain word that is no instruction"
                raise E_DOCKERFILE(why=why, where=f"{PATH}:{step.line}")
