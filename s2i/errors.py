"""Every user-facing error: its code, exit status, what was found, what to do.

The prose of an error stands here and nowhere else. Whoever finds something wrong raises the facts:

    raise E_NO_SUCH_FOLDER(path="srv")

Values are escaped and shortened when they are put into the text, so that no control byte of a hostile
repository reaches a terminal. Nobody matches on a message: match on ``error.kind`` or ``error.code``.
"""

from __future__ import annotations

import string
from typing import Any

EXIT_CODES: dict[int, str] = {
    0: "success",
    2: "usage, or a bad name or value",
    3: "the source was refused or cannot be read",
    4: "nothing was detected, or more than one thing",
    5: "the build failed",
    6: "the deployment or the Docker Engine failed",
    7: "busy: somebody else holds what is needed",
    75: "a passing fault: worth trying again",
    130: "interrupted",
}

KINDS: dict[str, Kind] = {}


class S2IError(Exception):
    """A failure that a person can act on: a kind, and the facts that fill its text."""

    def __init__(self, kind: Kind, facts: dict[str, Any], where: str = "", advice: str = "") -> None:
        self.kind = kind
        self.facts = facts
        self.where = escape(where)
        self.message = _fill(kind.message, facts)
        self.advice = _fill(advice or kind.advice, facts)
        super().__init__(self.message)

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def exit(self) -> int:
        return self.kind.exit

    def as_dict(self) -> dict[str, str]:
        """Return the wire form: ``{"code", "message", "found", "advice"}``; found is ``file:line`` or ""."""
        return {"code": self.code, "message": self.message, "found": self.where, "advice": self.advice}

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class Kind:
    """One class of failure. Calling it with the facts of its text makes the exception to raise."""

    def __init__(self, code: str, exit: int, message: str, advice: str) -> None:  # noqa: A002
        if exit not in EXIT_CODES:
            raise ValueError(f"{code}: exit {exit} is not documented")
        if code in KINDS:
            raise ValueError(f"{code} is defined twice")
        self.code, self.exit, self.message, self.advice = code, exit, message, advice
        KINDS[code] = self

    def __call__(self, *, where: str = "", advice: str = "", **facts: Any) -> S2IError:
        """Make the exception. ``where`` is ``file:line``; ``advice`` replaces the kind's own."""
        return S2IError(self, facts, where, advice)

    def __repr__(self) -> str:
        return f"<{self.code}, exit {self.exit}>"


def escape(value: object, limit: int = 200) -> str:
    r"""Return ``value`` as text that is safe on a terminal: controls, bidi marks and lone surrogates as \x, \u.

    Text longer than ``limit`` characters is cut, and says so.
    """
    text = str(value)
    cut = text[:limit]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return safe if len(text) <= limit else f"{safe}… ({len(text)} characters)"


class _Facts(string.Formatter):
    """Fill a text with escaped facts. ``{name}`` only: no attribute or index of a fact is ever read."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        limit = int(format_spec) if format_spec else 200
        if isinstance(value, tuple | list):  # lines: a log's tail, a list of candidates
            return "".join(f"\n  {escape(line, limit)}" for line in value)
        return escape(value, limit)


def _fill(text: str, facts: dict[str, Any]) -> str:
    return _Facts().vformat(text, (), facts)


# Usage: exit 2 ---------------------------------------------------------------------------------------------

E_NAME = Kind(
    "E_NAME",
    2,
    'the {what} name "{value}" cannot be used{why}',
    "use lower-case letters, digits and dashes: a letter first, no dash last, at most 63 characters",
)
E_VALUE = Kind("E_VALUE", 2, '{what} cannot be "{value}": {why}', "see `s2i {command} --help`")

# The engine: exit 6 ------------------------------------------------------------------------------------------

E_DOCKER = Kind(
    "E_DOCKER",
    6,
    "cannot talk to Docker at {socket}: {why}",
    "start it, or let `s2i doctor --fix` install and start one (root, Debian or Ubuntu); `s2i doctor` says more",
)

E_DOCKER_PERMISSION = Kind(
    "E_DOCKER_PERMISSION",
    6,
    "not permitted to use the Docker socket {socket}",
    "run as root, or add yourself to the group docker (`sudo usermod -aG docker $USER`) and log in again",
)
E_DOCKER_INSECURE = Kind(
    "E_DOCKER_INSECURE",
    6,
    "will not use Docker at {socket}: without TLS anybody on the network can use it",
    "use the unix socket, ssh://, or TLS (DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH)",
)

# Doctor: engine and base images, exit 6 ---------------------------------------------------------------------

E_BASE = Kind(
    "E_BASE",
    6,
    "there is no base image with Python {python}, and none can be had: {why}",
    "let the engine reach a registry, or run `s2i doctor --fix` as root on Debian or Ubuntu; without a network, load"
    " the images of another machine with `docker load` (docs/engine-and-base-images.md)",
)
E_ENGINE_START = Kind(
    "E_ENGINE_START",
    6,
    "the Docker Engine does not start: {why}{log:400}",
    "its log is {place}; when that does not help, `dockerd --debug` in a terminal says more",
)
E_PACKAGES = Kind(
    "E_PACKAGES",
    6,
    "the packages {packages} cannot be installed: {why}{log:400}",
    "see that apt works (`apt-get update`), install them by hand, then run `s2i doctor --fix` again",
)
E_CANNOT_FIX = Kind(
    "E_CANNOT_FIX",
    6,
    "cannot install a Docker Engine here: {why}",
    "install one as https://docs.docker.com/engine/install says for your system, then run `s2i doctor` again",
)

# Ours ------------------------------------------------------------------------------------------------------

E_INTERNAL = Kind(
    "E_INTERNAL",
    6,
    "something in s2i itself went wrong: {why}",
    "run it again with S2I_DEBUG=1 to see where, and report it",
)
