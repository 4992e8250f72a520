"""`s2i app diff`: how one revision differs from another."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli import remote
from s2i.cli.apps.revision import number_of
from s2i.cli.image.look import megabytes
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option, safe, table
from s2i.cli.selection import words_for
from s2i.errors import E_NO_SUCH_REVISION


@click.command()
@click.argument("name")
@click.argument("old")
@click.argument("new", required=False)
@project_option
@output_option
def diff(name: str, old: str, new: str | None, project: str, output: str | None) -> None:
    """Show how revision NEW differs from OLD: commit, settings, installed packages, layers [default NEW: what serves].

    Values of variables that look secret are not shown, only that they are others.

    \b
    Example:  s2i app diff shop r1 r3
    """
    import msgspec

    from s2i.cli.client import connect
    from s2i.planning.secretnames import looks_secret
    from s2i.resources.app import Config
    from s2i.resources.change import Difference, differences

    remote.refuse("`s2i app diff`")
    found = connect().call("GET", path(project, "apps", name))
    before = _revision(found, number_of(old, "app diff"))
    after = _revision(found, number_of(new, "app diff") if new else found["revision"])
    pairs = ((field, before[field], after[field]) for field in ("source", "commit", "image"))
    changed = [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
    settings = differences(
        msgspec.convert(before["config"], Config), msgspec.convert(after["config"], Config), looks_secret
    )
    images = _images(before["image"], after["image"]) if before["image"] != after["image"] else None
    if output:
        numbers = {"old": before["number"], "new": after["number"]}
        emit({**numbers, "changes": changed, "settings": settings, "images": images}, output)
        return
    click.echo(f"{name}: from revision {before['number']} to {after['number']}")
    _show(before, after, [*changed, *settings], images)


def _revision(found: dict[str, Any], number: int) -> dict[str, Any]:
    for one in found["revisions"]:
        if one["number"] == number:
            return dict(one)
    raise E_NO_SUCH_REVISION(number=number, app=found["name"], words=words_for(found["project"]))


def _images(old: str, new: str) -> Any:
    """Compare two images; None when one of them is gone."""
    from s2i.engines.docker import connection
    from s2i.images.stock import compare, listing

    engine, contents = connection.client(timeout=600), []
    for image in (old, new):
        details = listing.details(engine, image)
        if details is None:
            return None
        contents.append(compare.content(engine, details, listing.history(engine, image)))
    return compare.compare(*contents)


def _show(before: dict[str, Any], after: dict[str, Any], rows: list[Any], images: Any) -> None:
    heads = (f"r{before['number']}", f"r{after['number']}")
    if not rows:
        click.echo("the same image with the same settings")
        return
    table(("what", *heads), ((one.what, _short(one.before), _short(one.after)) for one in rows))
    if before["image"] == after["image"]:
        return
    click.echo()
    if images is None:
        click.echo("one of the images is no longer here: what is installed cannot be compared")
        return
    added = f", {megabytes(images.added)} in the others" if images.added is not None else ""
    click.echo(
        f"{megabytes(images.sizes[0])} -> {megabytes(images.sizes[1])}, "
        f"{images.shared} of {images.layers} layers are the same{added}"
    )
    if images.packages:
        table(("package", *heads), ((one.what, one.before or "-", one.after or "-") for one in images.packages))
    else:
        click.echo("the same packages in the same versions")


def _short(value: str) -> str:
    return safe(value[:19] if value.startswith("sha256:") else value) or "-"
