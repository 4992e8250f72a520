"""`s2i secret` and `s2i configmap`: named values that containers get as variables."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import click

from s2i.cli.confirm import confirm
from s2i.cli.group import Group
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option, safe, table, when
from s2i.errors import E_VALUE
from s2i.resources.bundle import LIMIT, NEEDED, BundleKind

HELP = {
    "secret": "Secrets: values that nobody reads by accident, sealed where they are kept.",
    "configmap": "Configmaps: settings that several apps and jobs share.",
}


def _group(kind: BundleKind) -> Group:
    group = Group(
        name=kind,
        help=f"{HELP[kind]}\n\n\b\nExample:  s2i {kind} create db --from-literal PASSWORD=... \n"
        f"          s2i app update shop --env-from-{kind} db",
    )
    for make in (_create, _update, _list, _get, _delete):
        group.add_command(make(kind))
    return group


def _values_options(command: Any) -> Any:
    for each in (
        click.option("--from-env-file", "env_files", multiple=True, metavar="FILE", help="KEY=VALUE lines of a file."),
        click.option(
            "--from-file", "files", multiple=True, metavar="[KEY=]FILE", help="A file's content; -: standard input."
        ),
        click.option("--from-literal", "literals", multiple=True, metavar="KEY=VALUE", help="A value as it is."),
    ):
        command = each(command)
    return command


def _create(kind: BundleKind) -> click.Command:
    @click.command(
        "create",
        help=f"Make a {kind} of literals and files.\n\n\b\n"
        f"Example:  s2i {kind} create db --from-literal USER=shop --from-file PASSWORD=./password",
    )
    @click.argument("name")
    @_values_options
    @project_option
    @output_option
    def create(name: str, project: str, output: str | None, format_: str = "generic", **given: Any) -> None:
        from s2i.cli.client import connect

        body = {"name": name, "format": format_, "values": _values(kind, given)}
        found = connect().call("POST", f"/v1/projects/{project}/{kind}s", body)
        emit(found, output) if output else click.echo(f"{kind} {name}: {', '.join(found['keys'])}")

    if kind == "secret":
        choice = click.Choice(list(NEEDED))
        click.option("--format", "format_", type=choice, default="generic", help="Which keys it has to have.")(create)
    return create


def _update(kind: BundleKind) -> click.Command:
    @click.command(
        "update",
        help=f"Set values of a {kind}, or take some away. What runs keeps what it started with.\n\n\b\n"
        f"Example:  s2i {kind} update db --from-literal PASSWORD=... --restart",
    )
    @click.argument("name")
    @_values_options
    @click.option("--rm", multiple=True, metavar="KEY", help="Take a key away; may be repeated.")
    @click.option("--restart", "--restart-on-change", "restart", is_flag=True, help="Start the apps that use it anew.")
    @project_option
    @output_option
    def update(name: str, project: str, rm: tuple[str, ...], restart: bool, output: str | None, **given: Any) -> None:
        from s2i.cli.client import connect

        at = path(project, f"{kind}s", name)
        values = _values(kind, given)
        if not (values or rm):
            raise E_VALUE(what="update", value=name, why="nothing says what to change", command=f"{kind} update")
        found = connect().call("PATCH", at, {"values": values, "rm": rm, "restart": restart})
        if output:
            emit(found, output)
            return
        click.echo(f"{kind} {name}: version {found['version']}, {', '.join(found['keys'])}")
        for one in found["users"]:
            kind_, _, who = one.partition(" ")
            if who in found["restarted"]:
                click.echo(f"{one} starts anew with it")
            elif kind_ == "app":
                click.echo(f"{one} keeps what it has: `s2i app restart {who}` takes this over")

    return update


def _list(kind: BundleKind) -> click.Command:
    @click.command("list", help=f"List the {kind}s of a project.\n\n\b\nExample:  s2i {kind} list")
    @project_option
    @output_option
    def list_(project: str, output: str | None) -> None:
        from s2i.cli.client import connect

        found = connect().call("GET", f"/v1/projects/{project}/{kind}s")
        if output:
            emit(found, output)
        elif not found:
            click.echo(f"no {kind}s in the project {project}", err=True)
        else:
            rows = [
                (one["name"], one["format"], one["version"], ", ".join(one["keys"]), when(one["changed"]))
                for one in found
            ]
            table(("name", "format", "version", "keys", "changed"), rows)

    return list_


def _get(kind: BundleKind) -> click.Command:
    @click.command("get", help=f"Show one {kind}.\n\n\b\nExample:  s2i {kind} get db")
    @click.argument("name")
    @project_option
    @output_option
    def get(name: str, project: str, output: str | None, decode: bool = False) -> None:
        from s2i.cli.client import connect

        at = path(project, f"{kind}s", name)
        found = connect().call("GET", f"{at}/values" if decode else at)
        if found["values"] is not None:
            found["values"] = {key: _text(value) for key, value in found["values"].items()}
        if output:
            emit(found, output)
            return
        for field in ("name", "project", "format", "version"):
            click.echo(f"{field:<10}{found[field]}")
        click.echo(f"{'changed':<10}{when(found['changed'])}")
        if found["users"]:
            click.echo(f"{'used by':<10}{', '.join(found['users'])}")
        for key in found["keys"]:
            click.echo(f"{key}: {'***' if found['values'] is None else safe(found['values'][key])}")

    if kind == "secret":
        click.option("--decode", is_flag=True, help="Show its values.")(get)
    return get


def _delete(kind: BundleKind) -> click.Command:
    @click.command("delete", help=f"Delete a {kind}.\n\n\b\nExample:  s2i {kind} delete db --yes")
    @click.argument("name")
    @project_option
    @click.option("-y", "--yes", is_flag=True, help="Do not ask.")
    @click.option("--force", is_flag=True, help="Also when an app or a job uses it.")
    def delete(name: str, project: str, yes: bool, force: bool) -> None:
        from s2i.cli.client import connect

        at, client = path(project, f"{kind}s", name), connect()
        client.call("GET", at)
        if not yes:
            confirm(f"Delete the {kind} {name} of the project {project}?")
        client.call("DELETE", f"{at}/{'force' if force else 'unused'}")
        click.echo(f"deleted {name}")

    return delete


def _values(kind: BundleKind, given: dict[str, Any]) -> dict[str, bytes]:
    """Return the values that options name, in order; the last of a key wins. Raises E_VALUE; no text shows a value."""
    found: dict[str, bytes] = {}
    for file in given["env_files"]:
        for number, line in enumerate(_read(kind, file).decode("utf-8", "surrogateescape").splitlines(), 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            key, equals, value = text.removeprefix("export ").partition("=")
            if not equals:
                raise _refused(kind, "--from-env-file", f"{file}:{number}", "the line has no =")
            found[key.strip()] = _unquoted(value.strip()).encode("utf-8", "surrogateescape")
    for word in given["files"]:
        key, equals, file = word.partition("=")
        found[key if equals else Path(word).name] = _read(kind, file if equals else word)
    for word in given["literals"]:
        key, equals, value = word.partition("=")
        if not equals:
            raise _refused(kind, "--from-literal", key[:20], "it has no =: KEY=VALUE")
        found[key] = value.encode("utf-8", "surrogateescape")
    return found


def _read(kind: BundleKind, file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(LIMIT + 1)
        with open(file, "rb") as opened:
            return opened.read(LIMIT + 1)
    except OSError as error:
        raise _refused(kind, "a file", file, f"it cannot be read: {error.strerror}") from None


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _text(value: str) -> str:
    raw = base64.b64decode(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"base64:{value}"


def _refused(kind: BundleKind, what: str, value: str, why: str) -> Exception:
    return E_VALUE(what=what, value=value, why=why, command=f"{kind} create")


secret, configmap = _group("secret"), _group("configmap")
