"""What each step of a Dockerfile is called, for people: the comment above it, which holds the plan's reason."""

from __future__ import annotations

import re

_STEP = re.compile(r"\[(?:(?P<stage>[\w.-]+) )?(?P<number>\d+)/(?P<total>\d+)\] (?P<text>.*)", re.DOTALL)
_MAKES_A_LAYER = re.compile(r"(FROM|RUN|COPY|ADD|WORKDIR)\s", re.IGNORECASE)
QUIET = ("[internal]", "[auth]", "resolve image config")
_TRIVIAL = "WORKDIR"


class StepNames:
    """Names of BuildKit's vertices, read off the Dockerfile that is built."""

    def __init__(self, dockerfile: str) -> None:
        self._stages: list[list[str]] = []
        self._aliases: list[str] = []
        comment = ""
        for line in _logical_lines(dockerfile):
            if line.startswith("#"):
                comment = line.lstrip("# ")
            elif _MAKES_A_LAYER.match(line):
                self._add(line, comment)
                comment = ""

    def name(self, vertex: str) -> str | None:
        """Return what to call a vertex (``[build 3/5] RUN ...``); None for those that people need not see."""
        if vertex.startswith(QUIET):
            return None
        if vertex.startswith("exporting"):
            return "write the image"
        found = _STEP.match(vertex)
        if not found:
            return vertex
        steps = self._stage(found["stage"] or "")
        number = int(found["number"]) - 1
        name = steps[number] if number < len(steps) else found["text"]
        return None if name.startswith(_TRIVIAL) else name

    def _add(self, line: str, comment: str) -> None:
        word, _, rest = line.partition(" ")
        word = word.upper()
        if word == "FROM":
            self._stages.append([])
            alias = re.search(r"\sAS\s+(\S+)", line, re.IGNORECASE)
            self._aliases.append(alias[1] if alias else f"stage-{len(self._stages) - 1}")
        if not self._stages:
            return
        start = f"start from {rest.split(' ')[0]}" if word == "FROM" else ""
        self._stages[-1].append(start or (line if word == _TRIVIAL else comment or line))

    def _stage(self, alias: str) -> list[str]:
        if alias in self._aliases:
            return self._stages[self._aliases.index(alias)]
        return self._stages[-1] if self._stages else []


def _logical_lines(text: str) -> list[str]:
    """Join continued lines; keep comments, drop what is empty."""
    joined = re.sub(r"\\[ \t]*\n\s*", "", text)
    return [line.strip() for line in joined.splitlines() if line.strip()]
