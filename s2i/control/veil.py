"""What an app or a job run says, without the secrets that it was given (THREATS T61)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import msgspec

from s2i.control import kept
from s2i.control.vault import Vault
from s2i.engines.engine import Keep, Line, Owner
from s2i.errors import S2IError
from s2i.images.private.redact import Redactor
from s2i.resources.masked import MASK


class Veil:
    """Takes what is secret out of lines, as a program prints it and in the forms that Redactor knows.

    Without the key nobody knows what is secret: no line is shown then, but why that is so.
    """

    def __init__(self, redactor: Redactor | None = None, why: str = "") -> None:
        self._redactor, self._why = redactor, why

    def again(self) -> Veil:
        """Return one for the lines of another container."""
        return Veil(self._redactor.again() if self._redactor else None, self._why)

    def line(self, one: Line) -> Line:
        """Return a line without what is secret: a part of one that is cut hides what is begun at its end, too."""
        if self._why:
            return msgspec.structs.replace(one, text=f"{MASK} ({self._why})".encode())
        if self._redactor is None:
            return one
        text = one.text.decode("utf-8", "surrogateescape")
        shown = self._redactor.line(text, str(one.stream), cut=one.cut)
        return msgspec.structs.replace(one, text=shown.encode("utf-8", "surrogateescape"))

    def lines(self, every: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines of one container without what is secret."""
        return map(self.line, every)

    def text(self, text: str) -> str:
        """Return a text that quotes a line or some of them without what is secret."""
        return f"{MASK} ({self._why})" if self._why else self._redactor.line(text) if self._redactor else text


CLEAR = Veil()


def of(vault: Vault, project: str, name: str) -> Veil:
    """Return what hides the secrets of an app or a job by its name."""
    try:
        given = vault.given(project, name)
    except S2IError as error:
        return Veil(why=f"not shown: {error}")
    return Veil(Redactor(given, mask=MASK)) if given else CLEAR


def keeper(vault: Vault) -> Keep:
    """Return who keeps what the instances of apps wrote when they go."""

    def keep(owner: Owner, container: str, lines: Iterable[Line]) -> None:
        with contextlib.suppress(S2IError):  # of a store that is closed: nobody waits for the container's end
            kept.keep(owner, container, of(vault, owner.project, owner.name).lines(lines))

    return keep
