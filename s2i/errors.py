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

# Control: the store, the server, what is deployed ------------------------------------------------------------

E_STORE = Kind(
    "E_STORE",
    6,
    "the database {path} cannot be used: {why}",
    "move it away and start again (running apps without it are removed), or put a copy of it back",
)
E_NOT_FOUND = Kind(
    "E_NOT_FOUND",
    2,
    'there is no {what} "{name}" in the project "{project}"',
    "`s2i {what} list --project {project}` shows what there is",
)
E_TAKEN = Kind(
    "E_TAKEN",
    2,
    'the name "{name}" belongs to {what} of the project "{project}"',
    "give another one with --name, or delete that first",
)
E_BUSY = Kind(
    "E_BUSY",
    7,
    '"{name}" is busy: {holder}',
    "wait until that has ended, then try again",
)
E_CANCELLED = Kind("E_CANCELLED", 130, "the deployment of {name} was cancelled", "nothing was changed")
E_ROLLOUT = Kind(
    "E_ROLLOUT",
    6,
    "revision {number} of {name} did not come up: {why}{log:400}",
    "{serving}; `s2i app logs {name}` shows what the app says",
)
E_JOB_FAILED = Kind(
    "E_JOB_FAILED",
    6,
    "the job run {run} failed: {why}",
    "`s2i jobrun logs {run}` shows what it printed",
)
E_SERVER = Kind(
    "E_SERVER",
    6,
    "the server does not answer at {socket}: {why}",
    "its log is {log}; `s2i server status` says more",
)
E_SERVER_VERSION = Kind(
    "E_SERVER_VERSION",
    6,
    "the server runs s2i {server}, this is s2i {client}",
    "restart it (apps keep running): `s2i server stop`, then the same command again",
)
E_REQUEST = Kind("E_REQUEST", 2, "the request cannot be understood: {why}", "")
E_FORBIDDEN = Kind("E_FORBIDDEN", 3, "{what} is not allowed {where_from}", "name a Git repository")
# Containers and routes: exits 2 and 6 ------------------------------------------------------------------------

E_ENV = Kind(
    "E_ENV", 2, 'cannot use the environment variable "{value:80}": {why}', "write it as KEY=VALUE: --env {example}"
)
E_LIMIT = Kind(
    "E_LIMIT",
    2,
    '{what} cannot be "{value}": {why}',
    "the least is {least}, the most that this machine has is {most}",
)
E_PORT = Kind("E_PORT", 2, 'the port cannot be "{value}": {why}', "use a number from 1 to 65535, as in --port 8080")
E_DISK = Kind(
    "E_DISK",
    6,
    "the disk is full: {why}",
    "make room (`df -h`, `docker system df`), then run it again; `s2i doctor` shows what is free",
)
E_IMAGE_GONE = Kind(
    "E_IMAGE_GONE",
    6,
    "the image {image} is no longer on this machine",
    "somebody removed it: deploy the source again to build it anew",
)
E_CONTAINER = Kind(
    "E_CONTAINER",
    6,
    "the container {name} cannot be run: {why}",
    "look at the start command of the image (`docker inspect`), and at `s2i doctor`",
)
E_SANDBOX_IMAGE = Kind(
    "E_SANDBOX_IMAGE",
    6,
    "there is no small base image to hold the network of an app",
    "run `s2i doctor --fix`: it makes the base images",
)
E_ROUTER = Kind(
    "E_ROUTER",
    6,
    "the proxy Caddy does not work: {why}",
    "its log is {log}; `s2i doctor` says whether the ports are free",
)

# Ours ------------------------------------------------------------------------------------------------------

E_INTERNAL = Kind(
    "E_INTERNAL",
    6,
    "something in s2i itself went wrong: {why}",
    "run it again with S2I_DEBUG=1 to see where, and report it",
)
