"""The question before something is removed."""

from __future__ import annotations

import sys

import click

from s2i.errors import E_UNCONFIRMED


def confirm(question: str) -> None:
    """Return when a person says yes; on "n" end the command with exit status 2, so that a script does not go on.

    Raises E_UNCONFIRMED when there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise E_UNCONFIRMED(question=question)
    if not click.confirm(question, err=True):
        click.echo("nothing was removed", err=True)
        raise click.exceptions.Exit(2)
