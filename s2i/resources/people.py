"""Who may do what: tokens, their roles in projects, and whoever calls. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Literal, get_args

import msgspec

from s2i.errors import E_VALUE

PREFIX = "s2i_"  # what is found in a log or a repository can be told for what it is
SECRET_BYTES = 32
_TEXT = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

Role = Literal["reader", "writer", "manager"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may


class Token(msgspec.Struct, frozen=True):
    """A token: all but itself. ``digest`` is its SHA-256; times are epoch seconds, 0.0 for never.

    ``admin``: it may do everything, in every project. ``used`` is written once in a while.
    """

    name: str
    digest: str
    created: float
    expires: float = 0.0
    used: float = 0.0
    admin: bool = False

    def holds(self, now: float) -> bool:
        """Say whether it is good at ``now``."""
        return not self.expires or now < self.expires


class Member(msgspec.Struct, frozen=True):
    """The role of a token in a project."""

    project: str
    token: str
    role: Role


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the server's own user (``where`` "unix"), or a token from an address."""

    name: str
    where: str
    admin: bool = False
    roles: dict[str, Role] = {}

    @property
    def local(self) -> bool:
        """Whether it is the server's own user, at this machine."""
        return self.where == "unix"

    def role(self, project: str) -> Role | None:
        """Return what it is in a project, None for nothing: whether there is such a project is none of its business."""
        return "manager" if self.admin else self.roles.get(project)

    def may(self, role: Role, project: str) -> bool:
        """Say whether it may do in a project what takes a ``role``."""
        own = self.role(project)
        return own is not None and ROLES.index(own) >= ROLES.index(role)


OWNER = Caller("owner", "unix", admin=True)


def text_of(random: bytes) -> str:
    """Return the token that SECRET_BYTES of randomness make."""
    return PREFIX + base64.urlsafe_b64encode(random).decode().rstrip("=")


def digest_of(text: str) -> str:
    """Return what is kept of a token. A random value of 256 bits needs neither salt nor a slow hash."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_token(text: str) -> bool:
    """Say whether a text has the form of a token."""
    return _TEXT.fullmatch(text) is not None


def span(text: str, what: str, command: str) -> float:
    """Return the seconds that "30m", "12h", "90d" or "2w" are. Raises E_VALUE."""
    if not (found := _SPAN.fullmatch(text)):
        raise E_VALUE(what=what, value=text, why="it is no time as 30m, 12h, 90d or 2w", command=command)
    return int(found[1]) * _UNITS[found[2]]
