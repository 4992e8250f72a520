"""What hadolint would remark on a rendered Dockerfile although it is meant: named in the head of the file, with why."""

from __future__ import annotations

import itertools

import msgspec

from s2i.images import layout
from s2i.planning.plan import BuildPlan, Run


class Hint(msgspec.Struct, frozen=True):
    """A rule of hadolint (https://github.com/hadolint/hadolint#rules) that a file does not follow, and why."""

    rule: str
    why: str


APART = Hint("DL3059", "each RUN has a reason and a layer of its own, so none are merged")
QUOTED = Hint("SC2016", "a $ in single quotes is for the shell that the command starts")


def found(plan: BuildPlan) -> tuple[Hint, ...]:
    """Return the hints that hadolint would give on the Dockerfile of ``plan``."""
    runs = [step for step in plan.steps if isinstance(step, Run)]
    quoted = any("$" in word for step in runs if not layout.is_script(step.argv) for word in step.argv)
    return tuple(hint for hint, holds in ((APART, _neighbours(plan)), (QUOTED, quoted)) if holds)


def _neighbours(plan: BuildPlan) -> bool:
    """Say whether one RUN comes right behind another with the same mounts: those could be merged."""
    for stage in ("build", "runtime"):
        steps = [step for step in plan.steps if step.stage == stage]
        for above, below in itertools.pairwise(steps):
            if isinstance(above, Run) and isinstance(below, Run) and above.mounts == below.mounts:
                return True
    return False
