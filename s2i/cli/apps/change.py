"""`s2i app scale|traffic|stop|start|delete`: change what an app is to have, at once."""

from __future__ import annotations

import re
from typing import Any

import click

from s2i.cli.apps.revision import number_of
from s2i.cli.asked import change_of, scale_options
from s2i.cli.masked import told
from s2i.cli.nouns import delete_options, delete_thing, path, project_option
from s2i.cli.output import emit, output_option
from s2i.errors import E_TRAFFIC, E_VALUE

_PART = re.compile(r"r([1-9][0-9]{0,8})=([0-9]{1,3})")


@click.command()
@click.argument("name")
@scale_options
@project_option
@output_option
def scale(name: str, project: str, output: str | None, **given: Any) -> None:
    """Say how many instances an app may have. It holds at once, and makes no new revision.

    \b
    Example:  s2i app scale shop --min-scale 1 --max-scale 5 --concurrency-target 20
    """
    from s2i.cli.client import connect

    wanted = change_of(given).scale
    if not wanted:
        raise E_VALUE(what="scale", value=name, why="no option says what to change: --max-scale 5", command="app scale")
    found = connect().call("PATCH", f"{path(project, 'apps', name)}/scale", wanted)
    if output:
        emit(told(found), output)
    else:
        of = found["scale"]
        click.echo(f"{name}: {of['min']} to {of['max']} instances")


@click.command()
@click.argument("name")
@click.argument("percents", nargs=-1, metavar="[REVISION=PERCENT...]")
@click.option("--tag", multiple=True, metavar="NAME=REVISION", help="Give a revision an address of its own: next=r3.")
@click.option("--untag", multiple=True, metavar="NAME", help="Take a tag and its address away.")
@project_option
@output_option
def traffic(
    name: str, percents: tuple[str, ...], tag: tuple[str, ...], untag: tuple[str, ...], project: str, output: str | None
) -> None:
    """Split the requests of an app between its revisions; `latest` sends all to the newest that can serve.

    New revisions get no requests while a split holds. A tagged revision is reached at TAG---APP.PROJECT.localhost.

    \b
    Example:  s2i app traffic shop r3=90 r2=10
              s2i app traffic shop latest
              s2i app traffic shop --tag next=r3
    """
    from s2i.cli.client import connect

    if not (percents or tag or untag):
        raise E_TRAFFIC(what="a split of nothing", why="no revision is named")
    body: dict[str, Any] = {"tags": dict(_tag(word) for word in tag), "untag": untag}
    if percents:
        body["percents"] = () if percents == ("latest",) else tuple(_part(word) for word in percents)
    found = connect().call("PUT", f"{path(project, 'apps', name)}/traffic", body)
    if output:
        emit(told(found), output)
        return
    click.echo(f"{name}: " + " ".join(f"r{number}={percent}" for number, percent in found["traffic"].items()))
    for one in found["tags"]:
        click.echo(f"{one['tag']}: r{one['revision']} at {one['url']}")


@click.command()
@click.argument("name")
@project_option
def stop(name: str, project: str) -> None:
    """End all instances of an app, when their requests are answered; no request wakes it until it is started.

    \b
    Example:  s2i app stop shop
    """
    _post(name, project, "stop", "stopped")


@click.command()
@click.argument("name")
@project_option
def start(name: str, project: str) -> None:
    """Let a stopped app run again.

    \b
    Example:  s2i app start shop
    """
    _post(name, project, "start", "started")


@click.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete an app: its route, containers, images and history.

    \b
    Example:  s2i app delete shop --yes
    """
    delete_thing(path(project, "apps", name), name, f"Delete the app {name} of the project {project}?", yes=yes)


def _post(name: str, project: str, verb: str, done: str) -> None:
    from s2i.cli.client import connect

    connect().call("POST", f"{path(project, 'apps', name)}/{verb}")
    click.echo(f"{done} {name}")


def _tag(word: str) -> tuple[str, int]:
    tag, equals, revision = word.partition("=")
    if not equals:
        raise E_TRAFFIC(what=f"the tag {word}", why="it is not like next=r3")
    return tag, number_of(revision, "app traffic")


def _part(word: str) -> tuple[int, int]:
    if not (found := _PART.fullmatch(word)):
        raise E_TRAFFIC(what=word, why="it is not like r3=90")
    return int(found[1]), int(found[2])
