"""`s2i image list`, `inspect`, `sbom`."""

from __future__ import annotations

import contextlib
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from s2i.cli.nouns import project_option
from s2i.cli.output import emit, output_option, safe, table, when

if TYPE_CHECKING:
    from s2i.images.stock.inspection import Inspection
    from s2i.images.stock.listing import Stored

WIDEST = 60  # characters of a list of names in a table


@click.command("list")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also what another s2i on this engine built, and what stands on an image of s2i.",
)
@output_option
def list_(everything: bool, output: str | None) -> None:
    """List the images that s2i built here, newest first.

    \b
    Example:  s2i image list -o json
    """
    from s2i.cli.image.find import asked
    from s2i.engines.docker import connection
    from s2i.images.stock.built import built
    from s2i.images.stock.listing import every

    # The engine's time of an image may be its source's: one that can be built again has no other.
    here = {image: one.made for image, one in built().items()}
    used: dict[str, list[str]] = {}
    for use in asked(start=False).uses:
        used.setdefault(use.image, []).append(use.text)
    shown = (one for one in every(connection.client()) if everything or one.id in here or one.id in used)
    found = sorted(shown, key=lambda one: -here.get(one.id, one.created))
    if output:
        more = ((one, {"uses": used.get(one.id, []), "built": here.get(one.id)}) for one in found)
        emit([{**_plain(one), **rest} for one, rest in more], output)
    elif found:
        head = ("image", "names", "title", "size", "built", "uses", *(("built here",) if everything else ()))
        rows = (_row(one, here.get(one.id), len(used.get(one.id, ()))) for one in found)
        table(head, (row if everything else row[:-1] for row in rows))
    else:
        click.echo("s2i has built no image here (--all: on this engine)", err=True)


def _row(one: Stored, built: float | None, uses: int) -> tuple[object, ...]:
    from s2i.images.carried.labels import OCI

    names = ", ".join(one.tags)
    shown = names if len(names) <= WIDEST else f"{names[:WIDEST]}…"
    title, time = one.label(f"{OCI}title"), when(one.created if built is None else built)
    users = uses or len(one.containers) or ""
    return one.id[7:19], shown, title, megabytes(one.size), time, users, "" if built is None else "yes"


@click.command()
@click.argument("image")
@project_option
@output_option
def inspect(image: str, project: str, output: str | None) -> None:
    """Show what an image is: its source, plan, base, layers, labels, and what uses it.

    \b
    Example:  s2i image inspect shop
              s2i image inspect shop@2 -o json
    """
    from s2i.cli.image.find import asked, find
    from s2i.engines.docker import connection
    from s2i.images.carried import record
    from s2i.images.stock import inspection, listing

    engine = connection.client()
    details = find(engine, image, project)
    ident = str(details["Id"])
    uses = [use.text for use in asked(start=False).uses if use.image == ident]
    uses += [f"the container {name} is made of it" for name in listing.containers(engine).get(ident, ())]
    found = inspection.inspect(details, listing.history(engine, ident), record.find(ident), uses)
    if output:
        emit({**_plain(found), "labels": dict(found.labels), "builder": dict(found.builder)}, output)
    else:
        _show(found)


@click.command()
@click.argument("image")
@project_option
def sbom(image: str, project: str) -> None:
    """Print what is installed in an image as CycloneDX JSON: distributions, system packages, the interpreter.

    Nothing of the image is run. It is kept beside an image that was built here.

    \b
    Example:  s2i image sbom shop > shop.cdx.json
    """
    from s2i.cli.image.find import find
    from s2i.engines.docker import connection
    from s2i.images.carried import sbom as bill

    engine = connection.client(timeout=600)
    document = bill.of(engine, find(engine, image, project))
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(document)
        sys.stdout.flush()


def megabytes(size: int) -> str:
    """Return a size for people: "74 MB", "1.2 MB", "3 kB", "120 B"."""
    if size >= 10_000_000:
        return f"{size / 1e6:,.0f} MB"
    if size >= 100_000:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.0f} kB" if size >= 1000 else f"{size} B"


def _show(one: Inspection) -> None:
    commit = f"{one.commit}{f' ({one.version})' if one.version else ''}"
    changed = f" (changed since: {', '.join(one.changed)})" if one.changed else ""
    fields = (
        ("image", one.id),
        ("names", ", ".join(one.names)),
        ("what", one.what or one.title),
        ("source", one.source),
        ("commit", commit if one.commit else one.version),
        ("built", f"{one.built} by {', '.join(_maker(one))}" if one.built else ""),
        ("base", f"{one.base} {one.base_digest}".strip()),
        ("plan", one.plan),
        ("files", f"{one.folder}{changed}"),
        ("start", shlex.join(one.start)),
        ("folder", one.workdir),
        ("port", ", ".join(map(str, one.ports))),
        ("user", one.user),
        ("size", megabytes(one.size)),
    )
    for name, value in fields:
        if value:
            click.echo(f"{name:<8} {safe(value)}")
    for use in one.uses:
        click.echo(f"{'used':<8} {safe(use)}")
    click.echo()
    table(("size", "made by"), ((megabytes(layer.size), layer.step) for layer in one.layers))
    click.echo()
    table(("label", "value"), one.labels)


def _maker(one: Inspection) -> list[str]:
    parts = dict(one.builder)
    s2i = [f"s2i {parts['s2i']}"] if "s2i" in parts else []
    return [*s2i, *(f"{name} {value}" for name, value in parts.items() if name != "s2i")]


def _plain(one: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(one)
    return {**found, "labels": dict(found["labels"])}
