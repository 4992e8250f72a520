"""The options by which a build is given what must not be in its image."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from s2i.resources.secret import Secret
from s2i.sources import Notice

if TYPE_CHECKING:
    from s2i.images.private.index import Index

_F = TypeVar("_F", bound=Callable[..., Any])


class Private(msgspec.Struct, frozen=True):
    """What the options say: secrets, the index without credentials, what a person should know about it."""

    secrets: tuple[Secret, ...] = ()
    index: str = ""
    notices: tuple[Notice, ...] = ()


def private_options(command: _F) -> _F:
    """Add --secret, --index-url and --netrc: the command gets ``secret``, ``index_url``, ``netrc``."""
    for option in (
        click.option(
            "--netrc", default="", metavar="FILE",
            help="Credentials for the build [default: what ~/.netrc has for the index].",
        ),
        click.option(
            "--index-url", default="", metavar="URL",
            help="The one index to install from [default: that of UV_DEFAULT_INDEX, PIP_INDEX_URL, uv.toml, pip.conf].",
        ),
        click.option(
            "--secret", multiple=True, metavar="id=NAME[,src=FILE|,env=VAR]",
            help="Let steps read a secret at /run/secrets/NAME; may be repeated.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def asked(secret: tuple[str, ...], index_url: str, netrc: str) -> Private:
    """Return what the options and this person's configuration say. Raises E_SECRET, E_NETRC, E_INDEX (exit 2)."""
    index = chosen(index_url, netrc)
    if not secret and index.netrc is None:
        return Private((), index.url, index.notices)
    from s2i.images.private import secrets

    given = [secrets.read(text, os.environ) for text in secret]
    for name in {secrets.variable(text) for text in secret} & os.environ.keys():
        del os.environ[name]  # no process that is started from here needs it
    if index.netrc and (netrc or all(each.id != index.netrc.id for each in given)):
        given.append(index.netrc)
    return Private(secrets.distinct(given), index.url, index.notices)


def arguments_of(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the name and value of each --build-arg. Raises E_BUILD_ARG (exit 2)."""
    if not given:
        return ()
    from s2i.images.private.arguments import parse

    return tuple(dict(parse(text, os.environ) for text in given).items())


def chosen(index_url: str, netrc: str) -> Index:
    """Return the index that the options, the environment or a configuration file names.

    Raises E_INDEX, E_NETRC, E_SECRET.
    """
    from s2i.images.private.index import choose

    return choose(index_url, netrc, os.environ)
