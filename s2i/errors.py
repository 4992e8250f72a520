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

# Sources: what SRC may be (exit 2), what it holds (exit 3), nothing in it (exit 4), passing faults (exit 75) ------

E_SOURCE = Kind(
    "E_SOURCE",
    2,
    'cannot use "{path}" as a source: {why}',
    "name a folder of Python code, or https://host/owner/repo[@ref][#subdir]",
)
E_URL = Kind(
    "E_URL",
    2,
    'will not fetch "{url}": {why}',
    "use https://host/owner/repo[@ref][#subdir] or git@host:owner/repo; put ./ in front of a folder with such a name",
)
E_URL_PRIVATE = Kind(
    "E_URL_PRIVATE",
    2,
    "will not fetch from {host}: it leads to {address}, which is not a public address",
    "if the server should be able to, start it with S2I_GIT_ALLOW={host}",
)
E_URL_SSH = Kind(
    "E_URL_SSH",
    2,
    "will not fetch from {host} over ssh for a caller on the network: it would use the server's own keys",
    "use https, or start the server with S2I_GIT_ALLOW={host}",
)
E_REF = Kind(
    "E_REF",
    2,
    '"{ref}" cannot be a {what}: {why}',
    "a branch or tag is letters, digits and . _ / + -; a commit is given whole, 40 or 64 hexadecimal digits",
)
E_NO_SUCH_FILE = Kind("E_NO_SUCH_FILE", 3, "there is no file {path} in the source", "see what `s2i plan` lists")
E_PATH_ESCAPE = Kind(
    "E_PATH_ESCAPE",
    3,
    "{path} leads out of the source{to}: it is not read",
    "put a regular file in its place, or name it in .s2iignore",
)
E_FILE_TOO_BIG = Kind(
    "E_FILE_TOO_BIG",
    3,
    "{path} has {size} bytes; at most {limit} are read of such a file",
    "is it the right file? make it smaller, or name it in .s2iignore",
)
E_PERMISSION = Kind(
    "E_PERMISSION",
    3,
    "not permitted to read {path}",
    "change its mode or owner, or name it in .s2iignore if the service does not need it",
)
E_TREE_CHANGED = Kind(
    "E_TREE_CHANGED",
    3,
    "{path} changed while the source was read: {why}",
    "run it again when nothing writes to the folder; name what changes in .s2iignore",
)
E_ENCODING = Kind(
    "E_ENCODING",
    3,
    "{path} is not {encoding}: byte {offset} ({byte}) cannot be read",
    "save the file as UTF-8",
)
E_TOO_MANY_FILES = Kind(
    "E_TOO_MANY_FILES",
    3,
    "the source has {count} files; the limit is {limit}{most}",
    "name what the service does not need in .s2iignore, or give a smaller folder",
)
E_TREE_TOO_BIG = Kind(
    "E_TREE_TOO_BIG",
    3,
    "the source has {size} bytes; the limit is {limit}{most}",
    "name what the service does not need in .s2iignore; keep data in an object store or a volume",
)
E_BARE = Kind(
    "E_BARE",
    3,
    "{path} is a bare Git repository: it holds the history and no files",
    "clone it and give the clone, or give the repository's Git URL",
)
E_EMPTY = Kind("E_EMPTY", 4, "nothing to build in {path}: it has no files", "is it the right folder?")
E_IGNORED_ALL = Kind(
    "E_IGNORED_ALL",
    4,
    "nothing to build in {path}: {by} leaves out every file",
    "write a .s2iignore (the same rules as .gitignore): it is used in place of .dockerignore and .gitignore",
)
E_SUBDIR = Kind(
    "E_SUBDIR",
    3,
    "there is no folder {subdir} in {place}{folders}",
    "name one that is there, after # or with --context-dir",
)
E_GIT_MISSING = Kind(
    "E_GIT_MISSING",
    3,
    "there is no git program on PATH",
    "install it (Debian, Ubuntu: `apt-get install git`), or give a folder",
)
E_GIT_OLD = Kind(
    "E_GIT_OLD",
    3,
    "git {version} cannot be held to one address, which a server needs for callers on the network",
    "install git 2.37 or newer on the server",
)
E_GIT_UNREACHABLE = Kind(
    "E_GIT_UNREACHABLE",
    75,
    "cannot reach {host}: {why}",
    "check the name and the network (a proxy? set HTTPS_PROXY), and try again",
)
E_GIT_TIMEOUT = Kind(
    "E_GIT_TIMEOUT",
    75,
    "{host} took too long: {why}",
    "try again; if the repository is very large, give a smaller one",
)
E_GIT_TLS = Kind(
    "E_GIT_TLS",
    3,
    "{host} has no certificate that is trusted here: {why}",
    "give the CA bundle of your company in SSL_CERT_FILE or GIT_SSL_CAINFO",
)
E_GIT_AUTH = Kind(
    "E_GIT_AUTH",
    3,
    "{url} is private, or there is no such repository: {why}",
    "check the address; a private one is read over ssh with your key: git@{host}:owner/repo",
)
E_GIT_HOST_KEY = Kind(
    "E_GIT_HOST_KEY",
    3,
    "the ssh key of {host} is not known here",
    "connect once by hand (`ssh -T git@{host}`), compare the key's fingerprint with the published one, and accept it",
)
E_GIT_REDIRECT = Kind(
    "E_GIT_REDIRECT",
    3,
    "{url} redirects to another address, which is not followed: {why}",
    "give the repository's present address",
)
E_GIT_EMPTY = Kind("E_GIT_EMPTY", 3, "the repository {url} has no commits", "push something to it first")
E_REF_MISSING = Kind(
    "E_REF_MISSING",
    3,
    'there is no branch or tag "{ref}" in {url}{near}',
    "name one that is there, after @; a commit goes with --commit",
)
E_COMMIT_MISSING = Kind(
    "E_COMMIT_MISSING",
    3,
    "{url} does not give the commit {commit}: {why}",
    "is it pushed? some servers give only what a branch or tag points at: make a tag and name that",
)
E_GIT_FSCK = Kind(
    "E_GIT_FSCK",
    3,
    "the repository {url} has malformed objects: {why}",
    "`git fsck --full` names them; they are dangerous to check out and nothing was",
)
E_GIT = Kind("E_GIT", 3, "git failed on {url}: {why}", "try the same with `git clone`")
E_CANCELLED = Kind("E_CANCELLED", 130, "cancelled while {doing}", "")

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

# Ours ------------------------------------------------------------------------------------------------------

E_INTERNAL = Kind(
    "E_INTERNAL",
    6,
    "something in s2i itself went wrong: {why}",
    "run it again with S2I_DEBUG=1 to see where, and report it",
)
