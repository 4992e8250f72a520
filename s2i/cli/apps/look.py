"""`s2i app list|get|events|revisions|scale-log`: what there is, and what happened."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from s2i.cli.apps.settings import routing_words
from s2i.cli.eventlist import show_events
from s2i.cli.masked import told
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option, safe, table, when
from s2i.cli.selection import words_for
from s2i.resources.app import Config
from s2i.resources.service import bound


@click.command("list")
@project_option
@output_option
def list_(project: str, output: str | None) -> None:
    """List the apps of a project.

    \b
    Example:  s2i app list -o json
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/apps")
    if output:
        emit(told(found), output)
        return
    if not found:
        click.echo(f"no apps in the project {project}", err=True)
        return
    rows = [(one["name"], one["status"], one["revision"] or "", one["url"], one["source"]) for one in found]
    table(("name", "status", "revision", "url", "source"), rows)


@click.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one app, its revisions and what happened to it.

    \b
    Example:  s2i app get shop
    """
    from s2i.cli.client import connect

    at = path(project, "apps", name)
    found = connect().call("GET", at)
    if output:
        emit(told(found), output)
        return
    for field in ("name", "project", "status", "url", "secure_url", "source", "commit", "image"):
        if found.get(field):
            click.echo(f"{field.replace('secure_url', ''):<10}{safe(found[field])}")
    if found.get("domains"):
        click.echo(f"{'domains':<10}{', '.join(one['host'] for one in found['domains'])}")
    if found["revision"]:
        click.echo(f"{'runs':<10}{_config(found)}")
        click.echo(f"{'scale':<10}{_scale(found)}")
        click.echo(f"{'routing':<10}{routing_words(found['routing'])}")
    if services := _bound(found):
        click.echo(f"{'bound to':<10}{services}")
    if found.get("outdated"):
        changed = ", ".join(found["outdated"])
        again = f"`s2i app restart {found['name']}{words_for(found['project'])}` takes it over"
        click.echo(f"{'outdated':<10}{changed} changed since it started: {again}")
    if len(found["traffic"]) > 1:
        click.echo(f"{'traffic':<10}{_traffic(found)}")
    for one in found.get("tags", ()):
        click.echo(f"{'tag':<10}{one['tag']}: r{one['revision']} at {one['url']}")
    _show_reason(found)
    click.echo()
    _show_revisions(found)
    click.echo()
    lines = [(when(one["at"]), one["what"], one["text"].split("\n")[0]) for one in found["events"][-10:]]
    table(("time", "event", "about"), lines)


def _bound(found: dict[str, Any]) -> str:
    """Return the services that the revision which serves is bound to, and by which variable."""
    serves = [one["config"] for one in found["revisions"] if one["number"] == found["revision"]]
    every = bound(msgspec.convert(serves[0], Config)) if serves else {}
    return ", ".join(f"{service} ({variable})" for service, variable in every.items())


def _show_reason(found: dict[str, Any]) -> None:
    """Print why the newest revision does not serve: its number and a sentence, then the end of its log."""
    first, *tail = found["reason"].splitlines() or [""]
    failed = [one["number"] for one in found["revisions"] if one["status"] == "failed"]
    if first:
        whose = f"revision {failed[-1]} failed: " if failed and not first.startswith("revision ") else ""
        click.echo(f"{'reason':<10}{whose}{safe(first)}")
    for line in tail:
        click.echo(f"{'':<10}{safe(line)}")


@click.command()
@click.argument("name")
@project_option
@output_option
def revisions(name: str, project: str, output: str | None) -> None:
    """List the revisions of an app that are kept: what each was built from, and what gets requests.

    \b
    Example:  s2i app revisions shop
    """
    from s2i.cli.client import connect

    found = connect().call("GET", path(project, "apps", name))
    if output:
        emit(told(found["revisions"]), output)
    else:
        _show_revisions(found)


@click.command()
@click.argument("name")
@project_option
@output_option
def events(name: str, project: str, output: str | None) -> None:
    """Print what happened to an app, the oldest first.

    \b
    Example:  s2i app events shop
    """
    from s2i.cli.client import connect

    found = connect().call("GET", path(project, "apps", name))["events"]
    if output:
        emit(found, output)
        return
    show_events(found)


@click.command("scale-log")
@click.argument("name")
@project_option
@output_option
def scale_log(name: str, project: str, output: str | None) -> None:
    """Print how many instances an app was to have, and the arithmetic of each change.

    \b
    Example:  s2i app scale-log shop
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"{path(project, 'apps', name)}/scale-log")
    if output:
        emit(found, output)
        return
    for one in found:
        click.echo(f"{when(one['at'])}  r{one['revision']}  {_arithmetic(one['decision'])}")
    if not found:
        click.echo("nothing has been scaled since the server started", err=True)


def _arithmetic(decision: dict[str, Any]) -> str:
    """Return a decision as a sum: the mean of the window that counts, by what an instance is to take."""
    mode = decision["mode"]
    mean, limit = decision[mode], decision["limit"]
    sum_ = f"{mode}: {mean:.2f} under way / {decision['capacity']:g} = {decision['raw']}"
    bound = f", {decision['wanted']} by {limit}" if limit else ""
    return f"{decision['ready']} ready -> {decision['wanted']} wanted  ({sum_}{bound})"


def _show_revisions(found: dict[str, Any]) -> None:
    rows = [
        (
            one["number"],
            f"{found['traffic'][str(one['number'])]} %" if str(one["number"]) in found["traffic"] else "",
            one["status"],
            when(one["created"]),
            one["commit"][:12] or one["source"],
            one["image"][:19],
        )
        for one in found["revisions"]
    ]
    table(("revision", "traffic", "status", "created", "source", "image"), rows)


def _config(found: dict[str, Any]) -> str:
    """Return how an instance runs, in words; of the variables their names."""
    config = next(one["config"] for one in found["revisions"] if one["number"] == found["revision"])
    names = ", ".join(key for key, _ in config["env"])
    more = f", with {names}" if names else ""
    cores = "1 core" if config["cpu"] == 1 else f"{config['cpu']:g} cores"
    return f"{config['memory'] >> 20}M of memory, {cores}, on port {config['port']}{more}"


def _scale(found: dict[str, Any]) -> str:
    """Return the settings of the autoscaler in words: "1 runs, 0 to 10, 70 requests each"."""
    scale = found["scale"]
    target = min(filter(None, (scale["target"], scale["concurrency"])), default=100)
    limit = f", {scale['concurrency']} at most" if scale["concurrency"] else ""
    return f"{found['running']} of {scale['min']} to {scale['max']} run, for {target} requests at once each{limit}"


def _traffic(found: dict[str, Any]) -> str:
    return " ".join(f"r{number}={percent}" for number, percent in found["traffic"].items())
