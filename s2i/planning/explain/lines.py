"""Explain one line: of the Dockerfile, or of the source."""

from __future__ import annotations

import re

from s2i.errors import E_PLACE
from s2i.planning import code, ignored
from s2i.planning.dockerfile import PATH
from s2i.planning.explain import parts
from s2i.planning.explain.argue import arguments
from s2i.planning.explain.quotes import lines
from s2i.planning.explain.recipe import Region, again, regions
from s2i.planning.explain.values import Argument, LineExplanation, Part
from s2i.planning.plan import BuildPlan, Copy, Step
from s2i.sources import Tree

_PLACE = re.compile(r"(?:\./)*(.+):([1-9][0-9]{0,8})", re.DOTALL)


def explain_line(tree: Tree, plan: BuildPlan, dockerfile: str, place: str) -> LineExplanation:
    """Return what there is to say of ``place``: ``Dockerfile:12`` of ``dockerfile``, or ``file:line`` of the source.

    Raises E_PLACE (exit 2) for what names no line.
    """
    found = _PLACE.fullmatch(place)
    if not found:
        raise E_PLACE(value=place, why="it names no line")
    path, number = found[1], int(found[2])
    if path == PATH:
        return _of_dockerfile(tree, plan, dockerfile, number)
    if path not in tree:
        raise E_PLACE(value=place, why="there is no such file in the source, or it was left out")
    text = lines(tree, path)
    if number > len(text):
        raise E_PLACE(value=place, why=f"{path} has {_lines(len(text))}")
    return _of_source(tree, plan, path, number, text[number - 1])


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"


def _of_dockerfile(tree: Tree, plan: BuildPlan, dockerfile: str, number: int) -> LineExplanation:
    text = dockerfile.removesuffix("\n").split("\n")
    where = f"{PATH}:{number}"
    if number > len(text):
        raise E_PLACE(value=where, why=f"the Dockerfile has {_lines(len(text))}")
    line = text[number - 1]
    region = _region(regions(plan, dockerfile), number, line)
    if region is None:
        return LineExplanation(where=where, text=line, role="a comment", parts=(_part(line, parts.comment(line)),))
    step = plan.steps[region.step] if region.step is not None else None
    row = parts.whole(region)
    own = parts.one_line(region, line) if region.last > region.first and number >= region.first else None
    bare = line.strip().removesuffix("\\").strip().removesuffix(" &&")
    behind = own.decisions if own else row.decisions if row else ()
    return LineExplanation(
        where=where,
        text=line.strip(),
        role=_role(region, line, number),
        parts=(_part(bare, own) if own else _whole(region, row, step),),
        belongs=_belongs(region, row, step) if own else "",
        layer=_layer(region),
        again=again(plan)[region.step] if region.step is not None else "",
        step=region.step + 1 if region.step is not None else None,
        decided=tuple(a for a in arguments(tree, plan) if a.what in behind or (step and not own and _names(step, a))),
        know=tuple(notice for notice in plan.warnings if plan.dockerfile and notice.where == where),
    )


def _part(text: str, row: parts.Row) -> Part:
    return Part(text=text, says=row.says, without=row.without, link=row.link)


def _whole(region: Region, row: parts.Row | None, step: Step | None) -> Part:
    """Return what is said of an instruction: what the table says, behind the step's own reason when that is general."""
    text = region.instruction.text
    why = f"{step.why}. " if step and (row is None or row.general) else ""
    if row is None:
        return Part(text=text, says=f"{why}The instruction {region.instruction.word}.")
    return Part(text=text, says=f"{why}{row.says}", without=row.without, link=row.link)


def _belongs(region: Region, row: parts.Row | None, step: Step | None) -> str:
    what = step.why if step else row.says if row else region.instruction.word
    return f"lines {region.first} to {region.last}: {what}"


def _region(found: tuple[Region, ...], number: int, line: str) -> Region | None:
    """Return the instruction that a line belongs to; a comment or an empty line belongs to the one below it.

    None for a comment that stands apart: the first lines of the file.
    """
    if not found:
        return None
    below = next((region for region in found if number <= region.last), found[-1])
    apart = below is found[0] and number < below.comment and line.strip() != ""
    return None if apart else below


def _role(region: Region, line: str, number: int) -> str:
    word = region.instruction.word
    if number < region.first:
        what = "a comment" if line.strip() else "an empty line"
        return f"{what}, above the {word} in line {region.first}"
    what = word if region.step is None else f"step {region.step + 1}, {word}"
    if region.last > region.first:
        what = f"line {number - region.first + 1} of {region.last - region.first + 1} of {what}"
    return f"{what}, in the {region.stage} stage"


def _layer(region: Region) -> str:
    if region.layer is not None:
        return f"layer {region.layer} of the image, counted from its base"
    word = region.instruction.word
    if word == "FROM":
        return "no layer of its own: those of the base image come first"
    if region.stage != "runtime" and word in ("RUN", "COPY", "ADD", "WORKDIR"):
        return f"a layer of the {region.stage} stage, kept in the build cache and not shipped"
    return "no layer: it changes the image's metadata only"


def _names(step: Step, argument: Argument) -> bool:
    """Say whether a step holds the very value that was decided: a package, a file."""
    words = step.sources if isinstance(step, Copy) else tuple(word for command in step.commands for word in command)
    return argument.what not in ("buildpack", "kind") and argument.value in words


def _of_source(tree: Tree, plan: BuildPlan, path: str, number: int, line: str) -> LineExplanation:
    where = f"{path}:{number}"
    decided = tuple(
        argument
        for argument in arguments(tree, plan)
        if argument.because.where == where or any(lost.origin == where for lost in argument.rejected)
    )
    return LineExplanation(
        where=where,
        text=line.strip(),
        role=_told(tree, plan, path),
        decided=decided,
        know=tuple(notice for notice in plan.warnings if notice.where == where),
    )


def _told(tree: Tree, plan: BuildPlan, path: str) -> str:
    """Say what a file of the source is to the plan."""
    copied = [i for i, step in enumerate(plan.steps, 1) if isinstance(step, Copy) and path in step.sources]
    if copied:
        return f"a file that says what to install: a change of it repeats the build from step {copied[0]} on"
    if path.endswith(".py"):
        if ignored.is_ignored(path):
            return "a test, a migration or somebody else's code: it is not looked at for what to start"
        read = code.read(tree)
        for broken in read.broken:
            if broken.path == path:
                return f"a file that Python cannot parse (line {broken.line}: {broken.why})"
        if any(module.path == path for module in read.modules.values()):
            return (
                f"one of the {len(read.modules)} modules that were parsed"
                if len(read.modules) > 1
                else "the module that was parsed"
            )
    return "a file of the source: it is copied into the image as it is"
