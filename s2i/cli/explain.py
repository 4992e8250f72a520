"""`s2i explain SRC [FILE:LINE]`: the argument for a plan, for people."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator

import click

from s2i import sources
from s2i.cli.output import emit, output_option
from s2i.cli.plan import command_line, is_plain, source_options, together
from s2i.errors import escape
from s2i.planning.compile import compile as compile_plan
from s2i.planning.explain import Explanation, LineExplanation, explain_line
from s2i.planning.explain import explain as explain_plan
from s2i.planning.explain.values import Argument, BuildStep, Part, Quote, Reading, Running
from s2i.sources import Notice

WIDTH = 80
LABEL = 9  # columns of the words at the left
_STAGES = {
    "tools": "The stage of tools starts from {base}. None of it is shipped.",
    "resolve": "The stage that resolves starts from {base}. None of it is shipped.",
    "heavy": "The stage of the large distributions starts from {base}. What it adds to the environment is shipped.",
    "build": "The build stage starts from {base}. What it adds to the environment is shipped.",
    "project": "The stage of the project starts from {base}. What it adds to the environment is shipped.",
    "runtime": "The runtime stage starts from {base}. This is the image: its layers are counted from there, and"
    " layer 1 is its working folder.",
}
# Of a Dockerfile that somebody wrote.
_OWN_STAGES = {
    "build": "First come stages of which nothing is shipped but what is copied from them.",
    "runtime": "The last stage is the image: its layers are counted from its base.",
}


@click.command()
@source_options
@click.argument("place", required=False, metavar="[FILE:LINE]")
@output_option
def explain(src: str, commit: str, context_dir: str, strategy: str, place: str | None, output: str | None) -> None:
    """Explain what would be built from SRC: what was read, decided and why, what is built, how it runs.

    With FILE:LINE explain one line: of the Dockerfile that `s2i dockerfile SRC` prints, or of the source.

    \b
    Example:  s2i explain ./src
              s2i explain ./src Dockerfile:12
              s2i explain ./src app.py:3
    """
    from s2i.images.bases import offered
    from s2i.images.dockerfile import render

    source = sources.parse(src, commit=commit, context_dir=context_dir)
    with sources.fetch(source, policy=sources.Policy.of(os.environ)) as tree:
        plan = compile_plan(tree, offered(), strategy)
        dockerfile = tree.text(plan.dockerfile) if plan.dockerfile else render(plan)
        told = explain_line(tree, plan, dockerfile, place) if place else explain_plan(tree, plan, dockerfile)
    if output:
        emit(told, output)
        return
    lines = _line(told) if isinstance(told, LineExplanation) else _story(told)
    click.echo("\n".join(lines))


def _story(told: Explanation) -> Iterator[str]:
    """Yield the lines of a whole explanation."""
    yield from _wrapped(told.summary)
    yield from ("", _title("What was read"), *_reading(told.read))
    yield from ("", _title("What was decided"))
    yield from _arguments(a for a in told.decided if not is_plain(a.what, a.because.where, a.rejected))
    if told.build:
        yield from ("", _title("What the build does"), "")
        yield from _wrapped("Each step is kept, and runs again only when what it depends on has changed.", 2)
        bases = dict(told.bases)
        for number, step in enumerate(told.build):
            if number == 0 or told.build[number - 1].stage != step.stage:
                yield ""
                words = _STAGES[step.stage].format(base=bases[step.stage]) if bases else _OWN_STAGES[step.stage]
                yield from _wrapped(words, 2)
            yield from _step(step)
    yield from ("", _title("How it runs"), *_running(told.run))
    if told.know:
        yield from ("", _title("What to know"), *_notices(told.know))


def _reading(read: Reading) -> Iterator[str]:
    modules = "1 Python module" if read.modules == 1 else f"{read.modules} Python modules"
    files = "1 file" if read.files == 1 else f"{read.files} files"
    parsed = f" {modules} parsed; nothing of it was imported or run." if read.modules else ""
    yield from _wrapped(f"{files}.{parsed}", 2)
    width = max([len(escape(file.path)) for file in read.told], default=0) + 2
    for file in read.told:
        yield from _labelled(escape(file.path), escape(file.tells), width)
    for reason in read.left_out:
        yield from _labelled("not read", escape(reason, 400), max(width, LABEL))


def _arguments(decided: Iterable[Argument]) -> Iterator[str]:
    before: Quote | None = None
    for argument in decided:
        yield ""
        yield f"  {escape(argument.asks)} {click.style(escape(argument.value), bold=True)}"
        yield from _because(argument.because, before)
        before = argument.because
        if argument.sure:
            yield from _labelled("how sure", argument.sure)
        for values, why in together(argument.rejected):
            yield from _labelled("not", f"{values}: {why}")
        if argument.flip:
            yield from _labelled("flip", escape(argument.flip))


def _because(because: Quote, before: Quote | None) -> Iterator[str]:
    if because == before and because.text:
        yield from _labelled("because", "the same line")
        return
    yield from _labelled("because", escape(because.where))
    if because.text:
        yield from _quoted(because.text)


def _quoted(text: str, most: int = 1) -> Iterator[str]:
    """Yield a line of a file behind a bar, in at most ``most`` lines."""
    room = WIDTH - LABEL - 4
    shown = escape(text.expandtabs(4), 2000)
    pieces = textwrap.wrap(shown, room, break_on_hyphens=False) if most > 1 else [shown]
    if len(pieces[0]) > room:
        pieces = [pieces[0][:room], ""]
    if len(pieces) > most:
        pieces[most - 1 :] = [f"{pieces[most - 1][: room - 1]}…"]
    for piece in pieces:
        yield f"{'':{LABEL + 2}}{click.style('│', dim=True)} {click.style(piece, fg='cyan')}"


def _step(step: BuildStep) -> Iterator[str]:
    yield ""
    yield from _wrapped(escape(step.why), 7, f"  {step.number:>2}.  ", bold=True)
    for command in step.commands:
        yield from _command(command, 7)
    layer = "" if step.layer is None else f"; layer {step.layer}"
    first, last = step.lines
    at = f"Dockerfile:{first}" if first == last else f"Dockerfile:{first}-{last}"
    again = f"; again {escape(step.again)}" if step.again else ""
    yield from _wrapped(f"{at}{again}{layer}", 7, dim=True)


def _command(words: tuple[str, ...], indent: int) -> Iterator[str]:
    """Yield a command, at most three lines of it: the Dockerfile has it whole."""
    wrapped = _wrapped(f"$ {escape(command_line(words), 2000)}", indent + 2)
    lines = [line if number else line[2:] for number, line in enumerate(wrapped)]
    yield from lines[:3]
    if len(lines) > 3:
        yield f"{'':{indent + 2}}…"


def _running(run: Running) -> Iterator[str]:
    yield ""
    yield from _command(run.command, 2)
    if run.listens:
        yield from _labelled("listens", run.listens)
    yield from _labelled("as user", run.user)
    for number, given in enumerate(run.given):
        yield from _labelled("" if number else "gets", given)


def _notices(notices: Iterable[Notice]) -> Iterator[str]:
    for notice in notices:
        where = f"{escape(notice.where)}: " if notice.where else ""
        yield ""
        yield from _wrapped(f"{where}{escape(notice.message, 600)} ({notice.code})", 2)


def _line(told: LineExplanation) -> Iterator[str]:
    """Yield the lines of the explanation of one line."""
    yield f"{click.style(escape(told.where), bold=True)}  {escape(told.role)}"
    if told.text:
        yield from _quoted(told.text, 3)
    for part in told.parts:
        yield from ("", *_part(part))
    if told.belongs:
        yield from _labelled("part of", escape(told.belongs, 400))
    if told.layer:
        yield from _labelled("layer", told.layer)
    if told.again:
        yield from _labelled("again", escape(told.again))
    if told.decided:
        yield from ("", _title("The decisions behind it" if told.parts else "What was decided from it"))
        yield from _arguments(told.decided)
    elif not told.parts and not told.know:
        yield from ("", "  Nothing was decided from this line.")
    if told.know:
        yield from ("", _title("What to know"), *_notices(told.know))


def _part(part: Part) -> Iterator[str]:
    yield from _labelled("does", escape(part.says, 600))
    if part.without:
        yield from _labelled("without", escape(part.without, 600))
    if part.link:
        yield from _labelled("more", part.link)


def _title(text: str) -> str:
    return click.style(text, bold=True, fg="green")


def _labelled(label: str, text: str, width: int = LABEL) -> Iterator[str]:
    return _wrapped(text, width + 2, f"  {label:<{width}}")


def _wrapped(text: str, indent: int = 0, lead: str = "", **style: bool) -> Iterator[str]:
    """Yield ``text`` in lines of at most WIDTH columns, each styled; words that are longer stay whole."""
    found = textwrap.wrap(
        text, WIDTH, initial_indent=lead or " " * indent, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return (click.style(line, **style) if style else line for line in found)
