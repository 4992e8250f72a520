"""`s2i verify SRC`: whether two builds give the same image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from s2i import sources
from s2i.cli.output import emit, output_option
from s2i.cli.plan import source_options
from s2i.errors import escape

if TYPE_CHECKING:
    from s2i.images.verify import Verdict

DIFFERS = 5  # as a build that failed: what was asked for, the same image, was not made


@click.command()
@click.option("--timeout", default="1800", metavar="SECONDS", show_default=True, help="End each build after this long.")
@source_options
@output_option
def verify(src: str, commit: str, context_dir: str, strategy: str, timeout: str, output: str | None) -> int:
    """Build SRC twice, the second time without any cache, and list what differs.

    Ends with 0 when the two images have the same files, and with 5 when they have not. No image is left behind.

    \b
    Example:  s2i verify ./src
    """
    from s2i.cli.build import interruptible, title
    from s2i.cli.progress import Progress
    from s2i.images import planned
    from s2i.images.request import CLI, BuildRequest, PlanRequest
    from s2i.images.verify import verify as verify_source
    from s2i.resources import names
    from s2i.resources.config import parse_seconds
    from s2i.sources.commit import with_commit

    seconds = parse_seconds(timeout)
    wanted = PlanRequest(strategy)
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    with (
        interruptible(),
        Progress() as progress,
        sources.fetch(source, policy=sources.Policy.of(os.environ)) as fetched,
    ):
        tree = with_commit(fetched)
        plan = planned.plan(tree, wanted)
        progress.plan(plan)
        request = BuildRequest(title=names.suggest(title(source)), planning=wanted, timeout=seconds, namespace=CLI)
        verdict = verify_source(tree, plan, request, on_event=progress.step)
    if output:
        emit(verdict, output)
    else:
        click.echo("\n".join(_told(verdict)))
    return 0 if verdict.same else DIFFERS


def _told(verdict: Verdict) -> Iterator[str]:
    if verdict.same:
        first, second = verdict.digests
        what = f"the same image twice: {first}" if first == second else "the same files twice"
        yield f"{what}{''.join(f' ({note})' for note in verdict.engine)}"
        return
    count = len(verdict.findings) + verdict.more
    yield f"{count} {'path differs' if count == 1 else 'paths differ'} between two builds"
    for finding in verdict.findings:
        yield ""
        yield f"  /{escape(finding.path)}  {', '.join(finding.what)}  (layer {finding.layer})"
        yield f"    likely  {finding.cause}"
        yield f"    fix     {finding.fix}"
    if verdict.more:
        yield f"\n  and {verdict.more} more"
