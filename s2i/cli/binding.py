"""`s2i app bind|unbind` and `s2i job bind|unbind`: tell an app or a job how to reach a service, or no more."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from s2i.cli.deploying import deployed
from s2i.cli.nouns import path, project_option
from s2i.cli.output import output_option
from s2i.cli.progress import progress_option
from s2i.errors import E_ENV, E_VALUE
from s2i.resources.app import Config
from s2i.resources.bundle import EnvFrom
from s2i.resources.change import Change
from s2i.resources.names import app_name
from s2i.resources.service import SERVICES, binding, bound, secret_of, service_name

_prefix = click.option("--prefix", default="", metavar="TEXT", help="Before the variable: LOG_ for LOG_DATABASE_URL.")


@click.command("bind")
@click.argument("name")
@click.argument("service")
@_prefix
@project_option
@progress_option
@output_option
def bind_app(name: str, service: str, prefix: str, project: str, progress: str, output: str | None) -> None:
    """Give an app DATABASE_URL (of Redis REDIS_URL) and CE_SERVICES of a service, by a new revision.

    \b
    Example:  s2i app bind shop db
              s2i app bind shop archive --prefix ARCHIVE_
    """
    change = Change(env_from=_wanted(project, service, prefix, _config_of_app(project, name)))
    _roll_out(project, name, change, progress, output)


@click.command("unbind")
@click.argument("name")
@click.argument("service")
@project_option
@progress_option
@output_option
def unbind_app(name: str, service: str, project: str, progress: str, output: str | None) -> None:
    """Take the variables of a service from an app, by a new revision.

    \b
    Example:  s2i app unbind shop db
    """
    _checked_bound(name, service, _config_of_app(project, name), "app unbind")
    _roll_out(project, name, Change(env_from_rm=(secret_of(service),)), progress, output)


@click.command("bind")
@click.argument("name")
@click.argument("service")
@_prefix
@project_option
def bind_job(name: str, service: str, prefix: str, project: str) -> None:
    """Give the runs of a job the variables of a service, as `s2i app bind` does.

    \b
    Example:  s2i job bind report db
    """
    change = Change(env_from=_wanted(project, service, prefix, _config_of_job(project, name)))
    _set(project, name, change)
    click.echo(f"{name}: {', '.join(one.variable for one in change.env_from)} of {service}")


@click.command("unbind")
@click.argument("name")
@click.argument("service")
@project_option
def unbind_job(name: str, service: str, project: str) -> None:
    """Take the variables of a service from a job.

    \b
    Example:  s2i job unbind report db
    """
    _checked_bound(name, service, _config_of_job(project, name), "job unbind")
    _set(project, name, Change(env_from_rm=(secret_of(service),)))
    click.echo(f"{name}: nothing of {service} any more")


def _wanted(project: str, service: str, prefix: str, config: Config) -> tuple[EnvFrom, ...]:
    """Return what binds a service that is there. Raises E_NO_SERVICE, E_ENV when a variable is taken already."""
    from s2i.cli.client import connect

    kind = connect().call("GET", path(project, "services", service_name(service)))["kind"]
    made = binding(service, kind, prefix)
    taken = {one.variable for one in config.env_from if one.name != secret_of(service)} | dict(config.env).keys()
    for one in made:
        if one.variable in taken - {SERVICES}:
            prefix = f"{service.upper().replace('-', '_')}_"
            advice = f"bind it with --prefix {prefix}, for {prefix}{one.variable}, or take the other one away first"
            raise E_ENV(advice=advice, value=one.variable, why="it is set already", example="")
    return made


def _checked_bound(name: str, service: str, config: Config, command: str) -> None:
    if service not in bound(config):
        raise E_VALUE(what="the service", value=service, why=f"{name} is not bound to it", command=command)


def _roll_out(project: str, name: str, change: Change, progress: str, output: str | None) -> None:
    body: dict[str, Any] = {"name": app_name(name), "change": change, "expect": "there"}
    deployed(project, body, (), wait=True, progress=progress, output=output)


def _set(project: str, name: str, change: Change) -> None:
    from s2i.cli.client import connect

    connect().call("PATCH", f"{path(project, 'jobs', name)}/settings", {"change": change})


def _config_of_app(project: str, name: str) -> Config:
    from s2i.cli.dryrun import found_of

    found = found_of(project, name)
    return found.config if found else Config()  # that it is not there the server says


def _config_of_job(project: str, name: str) -> Config:
    from s2i.cli.client import connect

    return msgspec.convert(connect().call("GET", path(project, "jobs", name))["config"], Config)
