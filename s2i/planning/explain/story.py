"""Tell a plan from its beginning: what was read, decided, will be built and run."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from s2i.planning import code, ignored, toml
from s2i.planning.dockerfile import instructions
from s2i.planning.explain.argue import arguments
from s2i.planning.explain.quotes import place
from s2i.planning.explain.recipe import LAYERS, again, regions
from s2i.planning.explain.values import BuildStep, Explanation, File, Reading, Running
from s2i.planning.plan import AppKind, BuildPlan, Copy, Run, Stage, Step, stages
from s2i.sources import Tree

_SHELL = ("/bin/sh", "-c")  # what a command that is no array is given to


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    given: tuple[str, ...]
    given_app: tuple[str, ...]
    given_job: tuple[str, ...]
    kinds: dict[AppKind, str]
    files: dict[str, str]


def explain(tree: Tree, plan: BuildPlan, dockerfile: str) -> Explanation:
    """Return the argument for ``plan``, made from ``tree``; ``dockerfile`` is the text that is built."""
    words = toml.load(Path(__file__).with_name("words.toml"), _Words)
    return Explanation(
        summary=_summary(plan, words.kinds[plan.kind]),
        kind=plan.kind,
        read=_reading(tree, plan, words.files),
        decided=arguments(tree, plan),
        bases=_bases(plan),
        build=steps(plan, dockerfile),
        run=_running(plan, dockerfile, words),
        know=plan.warnings,
    )


def _bases(plan: BuildPlan) -> tuple[tuple[Stage, str], ...]:
    """Return what each stage starts from: an image, or the stage before it."""
    if plan.base is None:
        return ()
    shipped, other = plan.base.runtime, plan.base.build
    return tuple((stage, shipped if stage == "runtime" else below or other) for stage, below in stages(plan))


def steps(plan: BuildPlan, dockerfile: str) -> tuple[BuildStep, ...]:
    """Return the steps of a plan with what makes each run again, its layer and its lines in the Dockerfile."""
    if plan.dockerfile:
        return _own(plan, dockerfile)
    at = {region.step: region for region in regions(plan, dockerfile) if region.step is not None}
    when = again(plan)
    return tuple(
        BuildStep(
            number=index + 1,
            stage=step.stage,
            why=step.why,
            commands=step.commands if isinstance(step, Run) else (),
            copies=_copied(step),
            to=step.to if isinstance(step, Copy) else "",
            again=when[index],
            layer=at[index].layer if index in at else None,
            lines=(at[index].first, at[index].last) if index in at else (0, 0),
        )
        for index, step in enumerate(plan.steps)
    )


def _own(plan: BuildPlan, dockerfile: str) -> tuple[BuildStep, ...]:
    """Return the steps of a Dockerfile of the source's own: what makes layers in it."""
    made = [region for region in regions(plan, dockerfile) if region.instruction.word in LAYERS]
    return tuple(
        BuildStep(
            number=number,
            stage=region.stage,
            why=region.instruction.comment or region.instruction.text,
            commands=(tuple(region.instruction.text.split()),) if region.instruction.comment else (),
            layer=region.layer,
            lines=(region.first, region.last),
        )
        for number, region in enumerate(made, 1)
    )


def _copied(step: Step) -> tuple[str, ...]:
    return step.sources if isinstance(step, Copy) else ()


def _summary(plan: BuildPlan, what: str) -> str:
    if plan.dockerfile:
        return f"This is {what}, built as its own {plan.dockerfile} says."
    plain = (plan.kind, "script", "environment")
    framework = f" made with {plan.framework}" if plan.framework not in plain else ""
    return f"This is {what}{framework}. It starts {plan.entry or 'python'} on Python {plan.python}."


def _reading(tree: Tree, plan: BuildPlan, tells: dict[str, str]) -> Reading:
    if plan.dockerfile:
        return Reading(len(tree.files), 0, (File(plan.dockerfile, "how it is built"),))
    read = code.read(tree)
    aside = [e.path for e in tree.files if e.path.endswith(".py") and ignored.is_ignored(e.path)]
    broken = [b.path for b in read.broken]
    left_out = []
    if aside:
        left_out.append(f"{_count(len(aside), 'Python file')} of tests, migrations and the like: {_some(aside)}")
    if broken:
        left_out.append(f"{_count(len(broken), 'file')} that Python cannot parse: {_some(broken)}")
    if tree.left_out.count:
        left_out.append(f"{_count(tree.left_out.count, 'path')} because of {' and '.join(tree.left_out.by)}")
    told = _told(tree, plan, tells)
    return Reading(files=len(tree.files), modules=len(read.modules), told=told, left_out=tuple(left_out))


def _told(tree: Tree, plan: BuildPlan, tells: dict[str, str]) -> tuple[File, ...]:
    """Return the files that told something: those of the table, and those that decisions and copies name."""
    found = {path: what for path, what in tells.items() if path in tree}
    for step in plan.steps:
        if isinstance(step, Copy) and step.stage != "runtime" and step.from_stage is None:
            paths = (f"{plan.subdir}/{path}" if plan.subdir else path for path in step.sources)
            found.update({path: "what to install" for path in paths if path in tree and path not in found})
    for decision in plan.decisions:
        at = place(decision.origin)
        if at and at[0] in tree and at[0] not in found and not at[0].endswith(".py"):
            found[at[0]] = f"the answer to: {decision.what}"
    return tuple(File(path, what) for path, what in found.items())


def _running(plan: BuildPlan, dockerfile: str, words: _Words) -> Running:
    command = plan.start
    if plan.dockerfile:
        command = _own_command(dockerfile)
    listens = f"on $PORT, which is {plan.port} unless the platform sets another" if plan.port else ""
    given = (*(words.given_app if plan.port else words.given_job), *words.given)
    return Running(command, listens, "1001 of group 0, who owns nothing in the image", given)


def _own_command(dockerfile: str) -> tuple[str, ...]:
    """Return what the last stage of an own Dockerfile starts; () where the base says it.

    https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact
    """
    said: dict[str, str] = {}
    for each in instructions(dockerfile):
        if each.word == "FROM":
            said.clear()
        elif each.word in ("ENTRYPOINT", "CMD"):
            said[each.word] = each.rest
    entrypoint, arguments = _argv(said.get("ENTRYPOINT", "")), _argv(said.get("CMD", ""))
    return entrypoint if entrypoint[:2] == _SHELL else (*entrypoint, *arguments)


def _argv(text: str) -> tuple[str, ...]:
    """Return the words of a command: an array is what it is, anything else is a line for a shell."""
    try:
        words = json.loads(text)
    except ValueError:
        return (*_SHELL, text) if text else ()
    return tuple(map(str, words)) if isinstance(words, list) else (*_SHELL, text)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _some(paths: list[str]) -> str:
    shown = ", ".join(paths[:3])
    return f"{shown} …" if len(paths) > 3 else shown
