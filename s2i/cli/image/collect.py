"""`s2i image gc`: remove the images that nothing needs."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import click

from s2i.cli.image.look import megabytes
from s2i.cli.output import emit, output_option, table

if TYPE_CHECKING:
    from s2i.images.stock.collect import Verdict
    from s2i.images.stock.listing import Client

HOUR = 3600.0


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and what stays and why; remove nothing.")
@click.option(
    "--keep",
    type=click.IntRange(0, 1000),
    default=2,
    show_default=True,
    metavar="N",
    help="Of each title, keep the last N builds whose name a later build took.",
)
@click.option(
    "--cache",
    is_flag=True,
    help="Drop BuildKit's cache of s2i's steps as well, that of other s2i homes on this engine included: the next"
    " builds take as long as first ones.",
)
@click.option(
    "--others",
    is_flag=True,
    help="Also nameless images of `s2i build` that are an hour old and not known here: of another home, or of a build"
    " that was killed.",
)
@output_option
def gc(dry_run: bool, keep: int, cache: bool, others: bool, output: str | None) -> None:
    """Remove the images of s2i that nothing needs any more.

    What stays: what has a name, what a container is made of, the revisions that serve or can be gone back to, jobs
    and open runs, what another s2i on this engine built, and everything that s2i did not build.

    \b
    Example:  s2i image gc --dry-run
              s2i image gc --keep 0 --cache
    """
    from s2i.cli.image.find import asked
    from s2i.engines.docker import connection
    from s2i.images.stock import collect, listing, remove
    from s2i.images.stock.built import built

    engine = connection.client(timeout=600)
    needs = asked(start=True)
    policy = collect.Policy(keep=keep, unknown=time.time() - HOUR if others else -math.inf)
    every = collect.verdicts(listing.every(engine), built(), needs.as_server(), policy)
    going = tuple(one for one in every if one.goes)
    usage, freed = remove.usage(engine), 0
    if not dry_run:
        before = int(usage.get("LayersSize") or 0)
        going = _removed(engine, going, needs.server)
        remove.remove_readers(engine, time.time())
        remove.forget_gone(engine, built(), time.time())
        usage = remove.usage(engine) if going else usage
        freed = before - int(usage.get("LayersSize") or 0)
    records = _records(usage)
    cached = sum(one.size for one in records if not one.shared)
    dropped = remove.prune(engine, records) if cache and not dry_run else 0
    said = {"freed": freed, "cache": cached, "dropped": dropped}
    if output:
        emit({"dry_run": dry_run, "images": [_row(one) for one in (every if dry_run else going)], **said}, output)
    else:
        _show(every if dry_run else going, dry_run=dry_run, **said)


def _removed(engine: Client, going: tuple[Verdict, ...], server: str) -> tuple[Verdict, ...]:
    """Remove what `s2i build` made, and let the server remove what it made: it knows what begins meanwhile."""
    from s2i.cli.client import connect
    from s2i.images.stock import collect, remove

    theirs = [one for one in going if collect.of_server(one.image, server)]
    gone = remove.remove(engine, (one for one in going if one not in theirs))
    if not theirs:
        return gone
    removed = set(connect().call("POST", "/v1/images/gc")["removed"])
    return (*gone, *(one for one in theirs if one.image.id in removed))


def _records(usage: dict[str, Any]) -> Any:
    from s2i.images.carried import record
    from s2i.images.stock import cache

    # What a person's own Dockerfile says is theirs, whoever built it.
    planned = (one.dockerfile() for one in record.every() if (plan := one.plan()) and plan.base)
    return cache.ours(cache.records(usage), cache.texts(planned))


def _row(one: Verdict) -> dict[str, Any]:
    image = one.image
    return {"image": image.id, "names": image.tags, "size": image.size, "goes": one.goes, "why": one.why}


def _show(rows: tuple[Verdict, ...], *, dry_run: bool, freed: int, cache: int, dropped: int) -> None:
    if rows:
        head = ("image", "size", "goes", "why") if dry_run else ("image", "size", "why")
        cells = [
            (one.image.id[7:19], megabytes(one.image.size), "goes" if one.goes else "stays", one.why) for one in rows
        ]
        table(head, cells if dry_run else [(first, size, why) for first, size, _, why in cells])
    count = sum(one.goes for one in rows)
    images = f"{count} image{'' if count == 1 else 's'}"
    if dry_run:
        click.echo(f"would remove {images}; the build cache of s2i's steps is {megabytes(cache)} (--cache drops it)")
    elif dropped:
        click.echo(f"removed {images}: {megabytes(freed)} freed, and {megabytes(dropped)} of build cache")
    else:
        left = f"; the build cache of s2i's steps still holds {megabytes(cache)} (--cache drops it)" if cache else ""
        click.echo(f"removed {images}: {megabytes(freed)} freed{left}")
