"""What hadolint would remark on a rendered Dockerfile although it is meant: named in the head of the file, with why."""

from __future__ import annotations

import itertools

import msgspec

from s2i.images import layout
from s2i.planning.plan import BuildPlan, Run, stages


class Hint(msgspec.Struct, frozen=True):
    """A rule of hadolint (https://github.com/hadolint/hadolint#rules) that a file does not follow, and why."""

    rule: str
    why: str


APART = Hint("DL3059", "each RUN has a reason and a layer of its own, so none are merged")
QUOTED = Hint("SC2016", "a $ in single quotes is for the shell that the command starts")


def found(plan: BuildPlan) -> tuple[Hint, ...]:
    """Return the hints that hadolint would give on the Dockerfile of ``plan``."""
    runs = [step for step in plan.steps if isinstance(step, Run)]
    words = (word for step in runs if not _is_script(step) for command in step.commands for word in command)
    quoted = any("$" in word for word in words)
    return tuple(hint for hint, holds in ((APART, _neighbours(plan)), (QUOTED, quoted)) if holds)


def _is_script(step: Run) -> bool:
    return not step.then and layout.is_script(step.argv)


def _neighbours(plan: BuildPlan) -> bool:
    """Say whether one RUN comes right behind another with the same mounts: those could be merged.

    hadolint takes one of several commands for merged already.
    """
    for stage, _ in stages(plan):
        steps = [step for step in plan.steps if step.stage == stage]
        for above, below in itertools.pairwise(steps):
            if not isinstance(above, Run) or not isinstance(below, Run) or above.then or below.then:
                continue
            if above.mounts == below.mounts:
                return True
    return False
