"""What is secret about one build: how it is handed over, what of it would show, what changes with it."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from s2i.errors import E_SECRET_BUILDER
from s2i.images import command
from s2i.images.request import BuildRequest
from s2i.planning.dockerfile import instructions
from s2i.planning.plan import BuildPlan
from s2i.planning.stages import assigned
from s2i.resources.secret import Secret
from s2i.sources import Notice, Tree

_DOMAIN = "s2i.invalid"


class Kept(msgspec.Struct, frozen=True):
    """The secrets of one build; ``salt`` for its steps, "" for none; ``redactor`` None when nothing is secret."""

    secrets: tuple[Secret, ...]
    salt: str
    redactor: Any  # a Redactor: its module is imported for those who need it
    environ: Mapping[str, str]

    @contextlib.contextmanager
    def handed(self, folder: Path) -> Iterator[tuple[tuple[str, str], ...]]:
        """Yield each (id, path) for the builder to read while the block lasts."""
        if not self.secrets:
            yield ()
            return
        from s2i.images.private import secrets

        with secrets.handed(self.secrets, folder) as paths:
            yield paths

    def refuse(self) -> None:
        """Say that the classic builder cannot hand secrets over. Raises E_SECRET_BUILDER when there are any."""
        if self.secrets:
            raise E_SECRET_BUILDER(ids=", ".join(secret.id for secret in self.secrets))

    def proxies(self, tree: Tree, plan: BuildPlan) -> tuple[str, ...]:
        """Return the proxy variables for the build, less those that would leave a password in the image.

        Builders keep the values of proxies out of the history, unless a Dockerfile declares them by an ARG of its own.
        """
        names = command.proxies(self.environ)
        guarded = [name for name in names if passwords(self.environ, (name,))]
        if not guarded or not plan.dockerfile:
            return names
        steps = instructions(tree.text(plan.dockerfile))
        declared = {name for step in steps if step.word == "ARG" for name in assigned(step)}
        return tuple(name for name in names if name not in guarded or name not in declared)


def of(request: BuildRequest, environ: Mapping[str, str], on_notice: Callable[[Notice], None]) -> Kept:
    """Return what is secret about a build."""
    known = passwords(environ, command.proxies(environ))
    if not (request.secrets or known):
        return Kept((), _salt(request), None, environ)
    from s2i.images.private.redact import SHORTEST, Redactor

    redactor = Redactor(request.secrets, known)
    for name in redactor.short:
        text = f"the secret {name} has a value under {SHORTEST} characters, which is not taken out of the build's log"
        on_notice(Notice("W_SECRET_SHORT", text))
    return Kept(request.secrets, _salt(request), redactor, environ)


def passwords(environ: Mapping[str, str], names: Iterable[str]) -> tuple[str, ...]:
    """Return the passwords in the addresses that the variables ``names`` hold: those of proxies."""
    found = (urllib.parse.urlsplit(_address(environ.get(name, ""))).password for name in names)
    return tuple(urllib.parse.unquote(password) for password in found if password)


def _address(value: str) -> str:
    return value if "//" in value else f"//{value}"


def _salt(request: BuildRequest) -> str:
    """Return a name that is different for each namespace and each set of secrets."""
    changes = ""
    if request.secrets:
        from s2i.images.private import secrets

        changes = secrets.fingerprint(request.secrets)
    parts = [part for part in (changes, request.namespace) if part]
    return ".".join((*parts, _DOMAIN)) if parts else ""
