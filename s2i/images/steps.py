"""What each step of a Dockerfile is called, for people: the comment above it, which holds the plan's reason."""

from __future__ import annotations

import re

import msgspec

from s2i.planning import dockerfile

_VERTEX = re.compile(r"\[(?:(?P<stage>[\w.-]+) )?(?P<number>\d+)/\d+\] (?P<text>.*)", re.DOTALL)
_ALIAS = re.compile(r".*\sAS\s+(\S+)", re.IGNORECASE | re.DOTALL)
LAYERS = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")  # what BuildKit counts; the classic builder counts all
_QUIET = ("[internal]", "[auth]", "resolve image config", "building with ", "copy /context")
_LIMIT = 200
SENT = "send the source to the engine"


class Instruction(msgspec.Struct, frozen=True):
    """One instruction of a Dockerfile: its word in upper case, and what to call it ("" for what nobody asks about)."""

    word: str
    name: str


class StepNames:
    """The names of a build's steps, read off the Dockerfile that is built."""

    def __init__(self, text: str) -> None:
        self.all: list[Instruction] = []
        self._stages: list[list[Instruction]] = []
        self._aliases: list[str] = []
        for step in dockerfile.instructions(text):
            self._add(step.word, step.rest, step.text, step.comment)

    def name(self, vertex: str) -> str:
        """Return what to call a vertex of BuildKit (``[build 3/5] RUN ...``); "" for those that nobody asks about."""
        if vertex.startswith(_QUIET):
            return ""
        if vertex.startswith("exporting to"):
            return "write the image"
        found = _VERTEX.fullmatch(vertex)
        if not found:
            return short(vertex)
        steps, number = self._stage(found["stage"] or ""), int(found["number"]) - 1
        # What this reading of the Dockerfile did not foresee (a here-document) keeps BuildKit's own words.
        if number < len(steps) and found["text"].upper().startswith(steps[number].word):
            return steps[number].name
        return short(found["text"])

    def place(self, vertex: str) -> tuple[int, int]:
        """Return where the Dockerfile has a vertex: its stage and its number there; what is none of it comes last."""
        found = _VERTEX.fullmatch(vertex)
        last = len(self._stages)
        if not found:
            return last, 0
        alias = found["stage"] or ""
        return self._aliases.index(alias) if alias in self._aliases else max(last - 1, 0), int(found["number"])

    def transfer(self, vertex: str) -> str:
        """Return what to call a vertex when it moves so much that it takes a while; "" when it moves nothing."""
        return SENT if vertex == "[internal] load build context" else self.name(vertex)

    def failed(self, vertex: str) -> str:
        """Return what to call a vertex that failed: never ""."""
        found = _VERTEX.fullmatch(vertex)
        return self.name(vertex) or short(found["text"] if found else vertex.removeprefix("[internal] "))

    def numbered(self, number: int, text: str) -> str:
        """Return what to call step ``number``, from 1, of the classic builder, which counts every instruction."""
        if number <= len(self.all) and text.upper().startswith(self.all[number - 1].word):
            return self.all[number - 1].name
        return ""

    def _add(self, word: str, rest: str, line: str, comment: str) -> None:
        counted = True
        match word:
            case "FROM":
                image = next((word for word in rest.split() if not word.startswith("--")), rest)
                name = f"start from {image}"
                # BuildKit counts no step for a stage that starts from another one.
                counted = image not in self._aliases
                alias = _ALIAS.fullmatch(rest)
                self._aliases.append(alias[1] if alias else f"stage-{len(self._stages)}")
                self._stages.append([])
            case "RUN" | "COPY" | "ADD":
                name = comment or line
            case _:
                name = ""
        step = Instruction(word, short(name))
        self.all.append(step)
        if self._stages and word in LAYERS and counted:
            self._stages[-1].append(step)

    def _stage(self, alias: str) -> list[Instruction]:
        if alias in self._aliases:
            return self._stages[self._aliases.index(alias)]
        return self._stages[-1] if self._stages else []


def short(text: str) -> str:
    """Return a text on one line, cut where it is too long for a person to read on."""
    words = " ".join(text.split())
    return words if len(words) <= _LIMIT else f"{words[:_LIMIT]}…"
