"""What a command would change, said instead of done."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from s2i.cli.nouns import path
from s2i.cli.output import emit, safe, table
from s2i.errors import E_NOT_FOUND, S2IError
from s2i.planning.secretnames import looks_secret
from s2i.resources import masked
from s2i.resources.app import Config, Routing, Scale
from s2i.resources.change import Change, Difference, config_after, differences, routing_after, scale_after


class Found(msgspec.Struct, frozen=True):
    """An app as it is: the number of the revision that a change starts from, and its settings."""

    number: int = 0
    image: str = ""
    config: Config = Config()
    scale: Scale = Scale()
    routing: Routing = Routing()


def would(project: str, name: str, change: Change, image: str, output: str | None) -> None:
    """Print what ``change`` would make otherwise with an app. ``image``: where a new one would come from, "" for none.

    Raises what the change itself would: a value that cannot be, E_QUOTA.
    """
    found, image = found_of(project, name), masked.text(image, looks_secret)
    new = changes(found or Found(), change)
    _fits(project, name, change, revision=found is None or bool(image) or change.makes_revision)
    if output:
        rows = [*new, *([Difference("image", found.image if found else "", image)] if image else [])]
        emit({"project": project, "name": name, "new": found is None, "changes": rows}, output)
        return
    click.echo(safe(f"{name}: {_what(found, change, image)}"))
    rows_ = [(one.what, safe(one.before) or "-", safe(one.after) or "-") for one in new]
    if rows_:
        table(("setting", "now", "then"), rows_)


def changes(found: Found, change: Change) -> tuple[Difference, ...]:
    """Return what ``change`` would make otherwise."""
    config = config_after(change, found.config)
    scale, routing = scale_after(change, found.scale), routing_after(change, found.routing)
    return (
        *differences(found.config, config, looks_secret),
        *differences(found.scale, scale, looks_secret),
        *differences(found.routing, routing, looks_secret),
    )


def found_of(project: str, name: str) -> Found | None:
    """Ask the server for an app; None when there is none."""
    from s2i.cli.client import connect

    try:
        seen = connect().call("GET", path(project, "apps", name))
    except S2IError as error:
        if error.kind is E_NOT_FOUND:
            return None
        raise
    revisions: list[dict[str, Any]] = seen["revisions"]
    if not revisions:
        return None
    one = next((each for each in revisions if each["number"] == seen["revision"]), revisions[-1])
    settings = {key: one[key] for key in ("number", "image", "config")}
    return msgspec.convert({**settings, "scale": seen["scale"], "routing": seen["routing"]}, Found)


def _fits(project: str, name: str, change: Change, *, revision: bool) -> None:
    """Ask the server whether the project has room for an app so. Raises E_QUOTA."""
    from s2i.cli.client import connect

    connect().call("POST", f"{path(project, 'apps', name)}/fits", {"change": change, "revision": revision})


def _what(found: Found | None, change: Change, image: str) -> str:
    source = f", {image}" if image else ""
    if found is None:
        return f"a new app{source}"
    if image or change.makes_revision:
        return f"a new revision after {found.number}{source or ', of the same image'}"
    return f"revision {found.number} stays"
