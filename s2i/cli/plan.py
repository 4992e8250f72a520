"""`s2i plan SRC`: what would be built, and the evidence for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from s2i import sources
from s2i.cli.output import emit, output_option
from s2i.errors import escape
from s2i.planning.plan import BuildPlan, Decision, Rejected, Run

_F = TypeVar("_F", bound=Callable[..., Any])


def source_options(command: _F) -> _F:
    """Add SRC and what narrows it down: the command gets ``src``, ``commit``, ``context_dir``, ``strategy``."""
    for option in (
        click.option("--strategy", default="auto", show_default=True, help="auto, or a buildpack: python, dockerfile."),
        click.option("--context-dir", default="", metavar="DIR", help="The folder of SRC that holds the code."),
        click.option("--commit", default="", metavar="SHA", help="A full commit id, when SRC is a Git URL."),
        click.argument("src"),
    ):
        command = option(command)
    return command


def planned(src: str, commit: str, context_dir: str, strategy: str) -> BuildPlan:
    """Fetch SRC and return its plan."""
    from s2i.images.bases import offered
    from s2i.planning.compile import compile as compile_plan  # what a build of an unchanged source does without

    source = sources.parse(src, commit=commit, context_dir=context_dir)
    with sources.fetch(source, policy=sources.Policy.of(os.environ)) as tree:
        return compile_plan(tree, offered(), strategy)


def _print_schema(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from s2i.planning import saved

        emit(saved.schema(), "json")
        ctx.exit()


@click.command()
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON Schema of a plan, and nothing else.",
)
@click.option("--save", metavar="FILE", help="Write the plan to a file too, for `s2i build --plan`.")
@source_options
@output_option
def plan(src: str, commit: str, context_dir: str, strategy: str, save: str | None, output: str | None) -> None:
    """Show what would be built from SRC, and the evidence for it. Nothing of it is run.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo.

    \b
    Example:  s2i plan ./src
              s2i plan ./src --save s2i.plan.json
    """
    made = planned(src, commit, context_dir, strategy)
    if output:
        emit(made, output)
    else:
        click.echo("\n".join(describe(made)))
    if save is not None:
        from s2i.cli import planfile

        planfile.save(made, save)
        click.echo(f"saved {escape(save)}; `s2i build SRC --plan {escape(save)}` builds it", err=True)


def describe(plan: BuildPlan) -> Iterator[str]:
    """Yield the lines of a plan, for people."""
    yield from _summary(plan)
    if plan.steps:
        yield from ("", "steps")
        for number, step in enumerate(plan.steps, 1):
            yield f"  {number:>2}. {step.stage:<9}{escape(step.why)}"
            for command in step.commands if isinstance(step, Run) else ():
                yield f"      {click.style('$ ' + escape(command_line(command)), dim=True)}"
    yield from ("", "why")
    for decision in plan.decisions:
        if not is_plain(decision.what, decision.origin, decision.rejected):
            yield from _decision(decision)
    if plan.warnings:
        yield from ("", "to know")
        for notice in plan.warnings:
            where = f"{escape(notice.where)}: " if notice.where else ""
            yield f"  {where}{escape(notice.message, 600)} ({notice.code})"


def _summary(plan: BuildPlan) -> Iterator[str]:
    rows = [("kind", f"{plan.kind} ({plan.framework})" if plan.framework != plan.kind else plan.kind)]
    rows += [
        ("entry", plan.entry),
        ("python", plan.python),
        ("manager", plan.manager),
        ("start", command_line(plan.start)),
    ]
    if plan.port:
        rows.append(("port", f"$PORT, {plan.port} by default"))
    if plan.base:
        rows.append(("base", plan.base.runtime))
    for name, value in rows:
        if value:
            yield f"{name:<9}{click.style(escape(value), bold=True)}"


def command_line(words: tuple[str, ...]) -> str:
    """Write a command as one would type it: quotes only where a shell needs them, a script on one line."""
    import shlex

    return shlex.join(_one_line(word) if "\n" in word else word for word in words)


def _one_line(script: str) -> str:
    lines = (line.strip() for line in script.split("\n"))
    return " ".join(line for line in lines if not line.startswith("#"))


def is_plain(what: str, origin: str, rejected: tuple[Rejected, ...]) -> bool:
    """Say whether a decision is one that nobody asks about: the first buildpack, which nobody argued with."""
    return what == "buildpack" and origin == "the first that fits" and not rejected


def together(rejected: tuple[Rejected, ...]) -> list[tuple[str, str]]:
    """Return what lost and why, escaped; with those on one line that lost for the same reason."""
    values: dict[str, list[str]] = {}
    for lost in rejected:
        at = f" ({escape(lost.origin)})" if lost.origin.rpartition(":")[2].isdecimal() else ""
        values.setdefault(escape(lost.why), []).append(escape(lost.value) + at)
    return [(", ".join(those), why) for why, those in values.items()]


def _decision(decision: Decision) -> Iterator[str]:
    sure = "" if decision.strength == "strong" else f"  ({decision.strength})"
    yield f"  {decision.what:<13} {escape(decision.value):<24}  {click.style(escape(decision.origin), dim=True)}{sure}"
    for values, why in together(decision.rejected):
        yield f"  {'':<14}not {values}: {why}"
