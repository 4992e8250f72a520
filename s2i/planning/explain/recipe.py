"""The text of a Dockerfile beside the plan that it was rendered from: which line is which step, and which layer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from s2i.planning.dockerfile import Instruction, instructions
from s2i.planning.plan import STAGES, BuildPlan, Copy, Run, Stage, Step, stages

LAYERS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})  # all other instructions change metadata only
_SHOWN = 3  # files that are named in a sentence


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction: its lines, the first of the comment above it, its stage, the index of its step in the plan.

    ``layer`` counts those on top of the runtime base, from 1; None for what makes none that is shipped.
    """

    first: int
    last: int
    comment: int
    stage: Stage
    instruction: Instruction
    step: int | None = None
    layer: int | None = None


def regions(plan: BuildPlan, text: str) -> tuple[Region, ...]:
    """Return the instructions of a Dockerfile in order. A Dockerfile of the source's own has no steps."""
    found = list(instructions(text))
    starts = [index for index, each in enumerate(found) if each.word == "FROM"]
    last_stage = starts[-1] if starts else 0
    planned = iter(() if plan.dockerfile else [stage for stage, _ in stages(plan) if stage != "runtime"])
    waiting: dict[Stage, Iterator[int]] = {stage: _numbers(plan, stage) for stage in STAGES}
    lines = text.split("\n")
    made, layer = [], 0
    stage: Stage = "build"
    for index, each in enumerate(found):
        if each.word == "FROM":
            stage = next(planned, "build")
        stage = "runtime" if index >= last_stage else stage
        ships = stage == "runtime" and each.word in LAYERS
        layer += ships
        is_step = each.word in ("RUN", "COPY") and not plan.dockerfile
        made.append(
            Region(
                first=each.line,
                last=each.end,
                comment=_comment(lines, each.line),
                stage=stage,
                instruction=each,
                step=next(waiting[stage], None) if is_step else None,
                layer=layer if ships else None,
            )
        )
    return tuple(made)


def _numbers(plan: BuildPlan, stage: Stage) -> Iterator[int]:
    return (index for index, step in enumerate(plan.steps) if step.stage == stage)


def _comment(lines: list[str], first: int) -> int:
    """Return the number of the first line of the comment right above line ``first``; that itself when there is none."""
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def again(plan: BuildPlan) -> tuple[str, ...]:
    """Say for each step, in the plan's order, when it runs again: what it and the steps above it in its stage read."""
    reads: dict[Stage, list[str]] = {}
    heavy = "when the exact version of a large distribution changes"
    said: dict[int, str] = {}
    for stage, below in stages(plan):
        reads[stage] = list(reads[below]) if below else []
        for index, step in enumerate(plan.steps):
            if step.stage == stage:
                reads[stage] += [path for path in _reads(step, reads) if path not in reads[stage]]
                only = isinstance(step, Copy) and step.from_stage == "heavy"
                said[index] = heavy if stage == "heavy" or only else _when(reads[stage])
    return tuple(said[index] for index in range(len(plan.steps)))


def _reads(step: Step, reads: dict[Stage, list[str]]) -> list[str]:
    match step:
        case Copy() if step.from_stage is not None:
            return reads[step.from_stage]
        case Copy():
            return list(step.sources)
        case Run():
            return [mount.source for mount in step.mounts if mount.type == "bind" and mount.source]


def _when(paths: list[str]) -> str:
    if "." in paths:
        return "when any file of the source changes"
    if not paths:
        return "when the base image changes"
    if len(paths) > _SHOWN:
        return f"when one of {len(paths)} files changes ({paths[0]}, {paths[1]} …)"
    *others, last = paths
    return f"when {', '.join(others)} or {last} changes" if others else f"when {last} changes"
