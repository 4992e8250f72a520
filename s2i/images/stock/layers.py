"""What an image consists of: its layers, each with the step of the Dockerfile that made it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from s2i.images.steps import short
from s2i.planning.dockerfile import Instruction, instructions

_CLASSIC = re.compile(r"/bin/sh -c #\(nop\)\s+")
_SHELL = re.compile(r"(?:\|\d+ (?:\S+=\S* )*)?/bin/sh -c ")


class Layer(msgspec.Struct, frozen=True):
    """One layer that holds something: ``size`` in bytes, and the step that made it, in words."""

    size: int
    step: str


def layers(history: Sequence[Mapping[str, Any]], dockerfile: str, base: str) -> tuple[Layer, ...]:
    """Return the layers of an image that hold something, the lowest first.

    ``history``: as the engine gives it, newest first; ``dockerfile``: what was built, "" when nobody knows; ``base``:
    what to call the image that it started from.
    """
    steps = _last_stage(dockerfile)
    found: list[Layer] = []
    below = 0
    for row in history:
        word, text = _said(str(row.get("CreatedBy") or ""))
        size = int(row.get("Size") or 0)
        if steps and steps[-1].word == word:
            step = steps.pop()
            name = step.comment or short(step.text)
        elif dockerfile and not steps and word != "LABEL":
            below += size
            continue
        else:
            name = short(text)
        if size:
            found.append(Layer(size, name))
    if below:
        found.append(Layer(below, f"the base image {base}".rstrip()))
    return tuple(reversed(found))


def _last_stage(dockerfile: str) -> list[Instruction]:
    """Return the last stage's instructions, as far as they are in an image's history."""
    steps: list[Instruction] = []
    for step in instructions(dockerfile):
        if step.word == "FROM":
            steps = []
        else:
            steps.append(step)
    return steps


def _said(created: str) -> tuple[str, str]:
    """Return the instruction's word and its text, out of what a builder wrote into the history."""
    text = created.removesuffix(" # buildkit")
    if found := _CLASSIC.match(text):
        text = text[found.end() :]
    elif found := _SHELL.match(text):
        text = f"RUN {text[found.end() :]}"
    elif text.startswith("RUN "):
        text = f"RUN {_SHELL.sub('', text[4:], count=1)}"
    return text.partition(" ")[0].upper(), text
