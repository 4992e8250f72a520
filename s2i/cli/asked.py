"""The options that say how an app or a job is built, run, scaled and reached; and what they ask of the API."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click

from s2i import sources
from s2i.cli.private import arguments_of, asked, private_options
from s2i.errors import E_VALUE
from s2i.planning.secretnames import looks_secret
from s2i.resources import bundle, config, masked, mounts, probes, volume
from s2i.resources.change import Change

F = TypeVar("F", bound=Callable[..., Any])

SCALE = {
    "min_scale": "min",
    "max_scale": "max",
    "concurrency": "concurrency",
    "concurrency_target": "target",
    "scale_down_delay": "down_delay",
    "window": "window",
}
ROUTING = ("request_timeout", "visibility", "body_limit", "h2c")


def process_options(command: F) -> F:
    """Add the options of how a container runs."""
    return _with(
        command,
        click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set a variable; may be repeated."),
        click.option("--env-rm", multiple=True, metavar="KEY", help="Set a variable no more; may be repeated."),
        *(
            click.option(
                f"--env-from-{kind}", multiple=True, metavar="REF", help=f"Variables of a {kind}: db, DB_=db, db:USER."
            )
            for kind in ("secret", "configmap")
        ),
        click.option("--env-from-rm", multiple=True, metavar="NAME", help="Take no variables from it any more."),
        *(
            click.option(
                f"--mount-{kind}", multiple=True, metavar="DIR=NAME", help=f"Each key of a {kind} as a file of DIR."
            )
            for kind in ("secret", "configmap")
        ),
        click.option(
            "--mount-volume", multiple=True, metavar="DIR=NAME", help="A volume at DIR: what is written there stays."
        ),
        click.option("--mount-rm", multiple=True, metavar="DIR", help="Mount nothing at this folder any more."),
        click.option("--memory", metavar="SIZE", help="The most that a container may use, as 1G [default: 512M]."),
        click.option("--cpu", metavar="CORES", help="The most that a container may use, as 0.5 [default: 1]."),
        click.option("--command", metavar="WORDS", help="Start this in place of what the image starts; no shell."),
        click.option("--argument", multiple=True, metavar="WORD", help="Give this to what starts; may be repeated."),
    )


def config_options(command: F) -> F:
    """Add the options of how an instance of an app runs."""
    command = _with(
        command,
        click.option("--port", metavar="PORT", help="Where it listens, given as $PORT; h2c:8080: for HTTP/2."),
        click.option(
            "--probe-ready", multiple=True, metavar="KEY=VALUE", help="When it can take requests: type=http path=/up."
        ),
        click.option(
            "--probe-live", multiple=True, metavar="KEY=VALUE", help="Start it anew when this fails; none: no probe."
        ),
        click.option(
            "--release", metavar="WORDS", help="Run this before new code gets requests [default: Procfile's release]."
        ),
    )
    return process_options(command)


def scale_options(command: F) -> F:
    """Add the options of how many instances there are."""
    return _with(
        command,
        click.option("--min-scale", type=int, help="Instances at least; 0: without requests it sleeps [default: 0]."),
        click.option("--max-scale", type=int, help="Instances at most [default: 10]."),
        click.option("--concurrency", type=int, help="Requests at once at one instance, never more; 0: no limit."),
        click.option("--concurrency-target", type=int, help="Requests at once one is to have; 0: by the limit."),
        click.option("--scale-down-delay", type=float, metavar="SECONDS", help="Keep it for so long after its need."),
        click.option("--window", type=float, metavar="SECONDS", help="Average requests over so long [default: 60]."),
    )


def routing_options(command: F) -> F:
    """Add the options of how requests come to an app."""
    return _with(
        command,
        click.option("--request-timeout", type=float, metavar="SECONDS", help="Begin to answer within [default: 300]."),
        click.option(
            "--visibility",
            type=click.Choice(["public", "project", "private"]),
            help="Who may ask: everybody, containers of the project, nobody [default: public].",
        ),
        click.option("--body-limit", metavar="SIZE", help="The largest body of a request, as 10M; 0: no limit."),
        click.option(
            "--h2c/--http1", default=None, help="Speak HTTP/2 without TLS to it, or HTTP/1.1 [default: http1]."
        ),
    )


def build_options(command: F) -> F:
    """Add the options of how a source is built."""
    return private_options(
        _with(
            command,
            click.option("--strategy", default="auto", show_default=True, help="auto, python, or dockerfile."),
            click.option("--context-dir", default="", metavar="DIR", help="The folder of SRC that holds the code."),
            click.option("--commit", default="", metavar="SHA", help="A full commit id, when SRC is a Git URL."),
            click.option("--timeout", default="1800", metavar="SECONDS", show_default=True, help="End the build then."),
            click.option("--prove/--no-prove", default=True, help="No traffic before it is proven [default: prove]."),
            click.option("--platform", default="", metavar="OS/ARCH", help="Build for another one: linux/arm64."),
            click.option("--build-arg", multiple=True, metavar="NAME[=VALUE]", help="Set an ARG of SRC's Dockerfile."),
            click.option("--locked", is_flag=True, help="Install only what a lock or hashes pin; refuse the rest."),
        )
    )


def outcome_options(command: F) -> F:
    """Add what becomes of it, and of who asks."""
    return _with(
        command,
        click.option("--force", is_flag=True, help="Secrets and configmaps that it names may come later."),
        click.option("--no-traffic", is_flag=True, help="It becomes ready, and gets no requests until you say so."),
        click.option("--tag", default="", metavar="NAME", help="Give it an address of its own as well, by this name."),
        click.option("--wait/--no-wait", default=True, help="Wait until it serves, or has run [default: wait]."),
        click.option("--dry-run", is_flag=True, help="Say what would be otherwise, and change nothing."),
    )


def change_of(given: dict[str, Any]) -> Change:
    """Return what the options ask to be otherwise. Raises E_ENV, E_LIMIT, E_PORT, E_VALUE, E_PROBE, E_MOUNT."""
    routing = {key: given[key] for key in ROUTING if given.get(key) is not None}
    if "body_limit" in routing:
        routing["body_limit"] = config.parse_size(routing["body_limit"], "body-limit")
    wanted: dict[str, Any] = {}
    if given.get("port") is not None:
        number, h2c = config.split_protocol(given["port"])
        wanted["port"] = config.parse_port(number)
        routing.update({} if h2c is None else {"h2c": h2c})
    if given.get("memory") is not None:
        wanted["memory"] = config.parse_memory(given["memory"])
    if given.get("cpu") is not None:
        wanted["cpu"] = config.parse_cpu(given["cpu"])
    for name in ("command", "release"):
        if given.get(name) is not None:
            wanted[name] = words(given[name], f"--{name}")
    for name in ("probe_ready", "probe_live"):
        if given.get(name):
            wanted[name] = probes.parse(given[name], f"--{name.replace('_', '-')}")
    if given.get("argument"):
        wanted["arguments"] = tuple(filter(None, given["argument"]))
    return Change(
        config=wanted,
        env=config.parse_env(given.get("env", ())),
        env_rm=tuple(given.get("env_rm", ())),
        env_from=(
            *(bundle.parse("secret", word) for word in given.get("env_from_secret", ())),
            *(bundle.parse("configmap", word) for word in given.get("env_from_configmap", ())),
        ),
        env_from_rm=tuple(given.get("env_from_rm", ())),
        mounts=(
            *(mounts.parse("secret", word) for word in given.get("mount_secret", ())),
            *(mounts.parse("configmap", word) for word in given.get("mount_configmap", ())),
        ),
        volumes=tuple(map(volume.parse, given.get("mount_volume", ()))),
        mount_rm=tuple(given.get("mount_rm", ())),
        scale={field: given[name] for name, field in SCALE.items() if given.get(name) is not None},
        routing=routing,
    )


def words(text: str, what: str) -> tuple[str, ...]:
    """Return the words of a command as a shell would split them. Raises E_VALUE."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        why = f"it does not split into words: {error}".lower()
        raise E_VALUE(what=what, value=masked.text(text, looks_secret), why=why, command="app update") from None


def source_of(src: str, given: dict[str, Any]) -> sources.Source:
    """Return SRC as the server can find it. Raises E_SOURCE, E_URL, E_REF."""
    source = sources.parse(src, commit=given.get("commit", ""), context_dir=given.get("context_dir", ""))
    if isinstance(source, sources.Folder):
        return sources.Folder(os.path.abspath(source.path), source.subdir)  # noqa: PTH100 a link stays a link
    return source


def build_of(given: dict[str, Any]) -> tuple[dict[str, Any], tuple[sources.Notice, ...]]:
    """Return the fields of a request that say how to build, and what a person should know about them."""
    private = asked(given["secret"], given["index_url"], given["netrc"])
    body = {
        "strategy": given["strategy"],
        "timeout": config.parse_seconds(given["timeout"]),
        "prove": given["prove"],
        "git_allow": os.environ.get(sources.ALLOW, ""),
        "secrets": private.secrets,
        "index": private.index,
        "arguments": arguments_of(given["build_arg"]),
        "locked": given["locked"],
    }
    if given["platform"]:
        from s2i.images import platforms

        body["platform"] = platforms.parse(given["platform"])
    return body, private.notices


def _with(command: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        command = option(command)
    return command
