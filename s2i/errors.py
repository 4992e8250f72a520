"""Every user-facing error: its code, exit status, what was found, what to do.

The prose of an error stands here and nowhere else. Whoever finds something wrong raises the facts:

    raise E_NO_SUCH_FOLDER(path="srv")

Values are escaped and shortened when they are put into the text, so that no control byte of a hostile
repository reaches a terminal. Nobody matches on a message: match on ``error.kind`` or ``error.code``.
"""

from __future__ import annotations

import errno
import string
from typing import Any

EXIT_CODES: dict[int, str] = {
    0: "success",
    2: "usage, a bad name or value, or no such folder",
    3: "the source was refused or cannot be had, or a file of it cannot be used",
    4: "no plan: nothing was detected, more than one thing, or code that cannot be parsed",
    5: "the build failed, or its image is not proven",
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
        # One that is given holds what a source has in it already: its braces are no places to fill.
        self.advice = (
            "\n".join(escape(line, 400) for line in advice.split("\n")) if advice else _fill(kind.advice, facts)
        )
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
E_UNCONFIRMED = Kind("E_UNCONFIRMED", 2, 'nobody can answer "{question}": there is no terminal', "add --yes")
E_OVERWRITE = Kind("E_OVERWRITE", 2, "will not write {path}: {why}", "{fix}")
E_PLACE = Kind(
    "E_PLACE",
    2,
    'cannot explain "{value}": {why}',
    "name a line as FILE:LINE, as in app.py:3 of the source or Dockerfile:12 of what `s2i dockerfile SRC` prints",
)
E_SECRET = Kind(
    "E_SECRET",
    2,
    "{secret} cannot be given to the build: {why}",
    "write it as --secret id=NAME,src=FILE or id=NAME,env=VAR: a step reads it from /run/secrets/NAME",
)
E_SECRET_BUILDER = Kind(
    "E_SECRET_BUILDER",
    6,
    "the build is given secrets ({ids}), and no client here can hand them over: that takes BuildKit",
    "`s2i doctor` says what to install",
)
E_BUILD_ARG = Kind(
    "E_BUILD_ARG",
    2,
    'the build argument "{name}" cannot be given: {why}',
    "write it as --build-arg NAME=VALUE",
)
E_INDEX = Kind(
    "E_INDEX",
    2,
    'cannot install from the index "{url}" ({origin}): {why}',
    "name it as https://host/simple; its user and password can stand in the address, or in ~/.netrc",
)
E_NETRC = Kind(
    "E_NETRC",
    2,
    "cannot take credentials from {path}: {why}",
    "it holds a line `machine HOST login USER password PASSWORD` for each index; --netrc names another file",
)
E_OPTION = Kind("E_OPTION", 2, "{what} cannot be used: {why}", "see `s2i {command} --help`")
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
E_IGNORE = Kind(
    "E_IGNORE",
    3,
    "the ignore files of the source hold {what}",
    "name folders instead of files; a .s2iignore in the folder that is built is used alone",
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
E_PATH_LONG = Kind(
    "E_PATH_LONG",
    3,
    "{path:60} is a path of more than {limit} bytes: no image can hold it",
    "folders in folders without end come from a copy that went wrong; name the outermost in .s2iignore",
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
E_GIT_ENCODING = Kind(
    "E_GIT_ENCODING",
    3,
    "Git writes {path} in {encoding} when it is checked out, which Python cannot read",
    "leave working-tree-encoding away for *.py: Python source is UTF-8",
)
E_SUBMODULE = Kind(
    "E_SUBMODULE",
    3,
    "the submodule {name} cannot be used: {why}; git itself refuses it",
    "write its https:// address and a path inside the repository into .gitmodules",
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
E_CANCELLED = Kind("E_CANCELLED", 130, "cancelled while {doing}", "nothing was changed; run it again")

# This machine: exit 6 -------------------------------------------------------------------------------------------

E_NOT_PRIVATE = Kind(
    "E_NOT_PRIVATE",
    6,
    "will not keep anything in {path}: {why}",
    "remove it, or name a folder of your own with S2I_HOME (with sudo: `sudo -H`, so that root uses root's)",
)

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
    "put a backup of it back: `s2i server restore` names those that there are; or move it away and start again, then "
    "apps that still run are yours to remove (`docker ps --filter label=s2i.server`)",
)
E_BACKUP = Kind("E_BACKUP", 2, "the backup {what} cannot be {done}: {why}", "{advice}")
E_NOT_FOUND = Kind(
    "E_NOT_FOUND",
    2,
    'there is no {thing} "{name}" in the project "{project}"',
    "`s2i {what} list --project {project}` shows what there is",
)
E_NO_SUCH_REVISION = Kind(
    "E_NO_SUCH_REVISION",
    2,
    "{app} has no revision {number}, or no longer",
    "`s2i app revisions {app}{words}` shows those that are kept",
)
E_NEVER_STARTED = Kind(
    "E_NEVER_STARTED",
    2,
    "{name} never started, so it has no log: {why:400}",
    "{look}",
)
E_TAKEN = Kind(
    "E_TAKEN",
    2,
    'the name "{name}" belongs to {what} of the project "{project}"',
    "give another one with --name, or delete that first",
)
E_NO_REVISION = Kind(
    "E_NO_REVISION",
    2,
    "{name} cannot go back: {why}",
    "`s2i app get {name}` shows its revisions",
)
E_TRAFFIC = Kind(
    "E_TRAFFIC",
    2,
    "{what} cannot be: {why}",
    "percents of revisions that can serve, 100 in all and in steps of 5: r3=90 r2=10; `latest` for the newest",
)
E_BUSY = Kind(
    "E_BUSY",
    7,
    '"{name}" is busy: {holder}',
    "wait until that has ended, then try again",
)
E_ROLLOUT = Kind(
    "E_ROLLOUT",
    6,
    "revision {number} of {name} did not come up: {why}{log:400}",
    "{serving}; mend the source and deploy it again",
)
E_RELEASE = Kind(
    "E_RELEASE",
    6,
    "revision {number} failed at its release command, `{command}`: {why}{log:400}",
    "{serving}; mend the command and deploy again",
)
E_DOMAIN = Kind(
    "E_DOMAIN",
    2,
    'the domain "{value}" cannot be mapped: {why}',
    "name a host that leads to this machine, as shop.example.com",
)
E_DOMAIN_TAKEN = Kind(
    "E_DOMAIN_TAKEN",
    2,
    'the domain "{host}" leads to the app "{app}" of the project "{project}" already',
    "unmap it there first: `s2i domain unmap {host} --project {project}`",
)
E_TRUST = Kind("E_TRUST", 6, "{store} cannot be changed: {why}", "mend that, and run it again")
E_NO_TLS = Kind(
    "E_NO_TLS", 2, "the router of this server speaks no HTTPS", "restart the server without S2I_HTTPS_PORT=off"
)
E_PROBE = Kind(
    "E_PROBE",
    2,
    "{what} cannot be: {why}",
    "write it as type=http path=/healthz interval=10 timeout=1 failure-threshold=3, or none",
)
E_SUPERSEDED = Kind(
    "E_SUPERSEDED",
    7,
    'a later deployment of "{name}" took the place of this one, while it waited for its turn',
    "nothing: what that one deploys is newer",
)
E_DELETED = Kind(
    "E_DELETED",
    6,
    '"{name}" was deleted while it was being deployed',
    "nothing of it is left; deploy it again if that was not meant",
)
E_INTERRUPTED = Kind(
    "E_INTERRUPTED",
    75,
    "the deployment of {name} was interrupted: the server ended while it went on",
    "what served before still does; run the same command again",
)
E_BUNDLE = Kind("E_BUNDLE", 2, "cannot keep the {kind} {name}: {why}", "see `s2i {kind} create --help`")
E_REFERENCE = Kind(
    "E_REFERENCE",
    2,
    "cannot take variables from the {kind} {value}: {why}",
    "write NAME, PREFIX=NAME, NAME:KEY or NAME:NEW=KEY; `s2i {kind} list` shows what there is",
)
E_MOUNT = Kind(
    "E_MOUNT",
    2,
    "cannot mount the {kind} {value}: {why}",
    "write DIR=NAME, as /etc/shop=db: a folder of the container's own, and what fills it; `s2i {kind} list` shows that",
)
E_MOUNT_PLACE = Kind(
    "E_MOUNT_PLACE",
    6,
    "secrets and configmaps cannot be mounted here: {why}",
    "take them as variables: --env-from-secret, --env-from-configmap",
)
E_VOLUME = Kind(
    "E_VOLUME",
    2,
    "the volume {name} cannot be {done}: {why}",
    "`s2i volume list --project {project}` shows the volumes of the project",
)
E_NO_VOLUME = Kind(
    "E_NO_VOLUME",
    2,
    'there is no volume "{name}" in the project {project}',
    "`s2i volume create {name}{words}` makes it",
)
E_VOLUME_USED = Kind(
    "E_VOLUME_USED",
    7,
    "the volume {name} is used by {users}",
    "take it from these first (`--mount-rm DIR`), or delete them: what is in a volume goes with it, for good",
)
E_SERVICE = Kind(
    "E_SERVICE",
    2,
    "the service {name} cannot be {done}: {why}",
    "`s2i service get {name}{words}` shows it, `s2i service delete {name}{words}` ends it",
)
E_NO_SERVICE = Kind(
    "E_NO_SERVICE",
    2,
    'there is no service "{name}" in the project {project}',
    "`s2i service create postgres {name}{words}` makes one",
)
E_SERVICE_USED = Kind(
    "E_SERVICE_USED",
    7,
    "the service {name} is bound to {users}",
    "take it from these first (`s2i app unbind APP {name}`, `s2i job unbind JOB {name}`), or delete them",
)
E_SERVICE_IMAGE = Kind(
    "E_SERVICE_IMAGE",
    6,
    "there is no image for the service {kind}, and none can be made: {why}",
    "run the server as root on Debian or Ubuntu, where a mirror of their packages can be reached",
)
E_DUMP = Kind(
    "E_DUMP",
    6,
    "the service {name} cannot be {done}: {why}",
    "`s2i service logs {name}` shows what it wrote; what was in it is as it was",
)
E_SERVICE_SILENT = Kind(
    "E_SERVICE_SILENT",
    6,
    "the service {name} does not answer within {seconds} s: {why}{log}",
    "`s2i service logs {name}` shows all that it wrote",
)
E_BUNDLE_USED = Kind(
    "E_BUNDLE_USED",
    7,
    "the {kind} {name} is used by {users}",
    "take it from these first, or delete it with --force: what starts without it then lacks its variables",
)
E_NO_PROJECT = Kind(
    "E_NO_PROJECT",
    2,
    'there is no project "{name}"',
    "`s2i project list` shows those that there are; `s2i project create {name}` makes it",
)
E_PROJECT = Kind("E_PROJECT", 2, 'the project "{project}" cannot be {done}: {why}', "{advice}")
E_EGRESS = Kind(
    "E_EGRESS",
    6,
    'the project "{project}" cannot be kept from what is beyond its network: {why}',
    "let root run the server, with iptables, on the machine of the engine; `s2i doctor` shows what is missing",
)
E_PROJECT_DELETED = Kind(
    "E_PROJECT_DELETED",
    2,
    'the project "{project}" is deleted, and kept until {until}',
    "`s2i project restore {project}` brings it back; `s2i project delete {project} --hard` removes it for good",
)
E_PROJECT_USED = Kind(
    "E_PROJECT_USED",
    7,
    'the project "{project}" still has {what:400}',
    "delete these first, or all of it: `s2i project delete {project} --force`",
)
E_QUOTA = Kind(
    "E_QUOTA",
    2,
    'the project "{project}" is limited to {limit}: it comes to {used} now, and to {wanted} with {what}',
    "{less}, or raise the limit: `s2i project update {project} --limit-{field} {enough}`",
)
E_SEAL = Kind(
    "E_SEAL",
    6,
    "the secrets cannot be opened with {path}: {why}",
    "put the file back that was there when they were made: without it nobody can read them; else make them anew",
)
E_SCHEDULE = Kind(
    "E_SCHEDULE",
    2,
    'the schedule cannot be "{value}": {why}',
    "five fields, as --cron '30 3 * * 1-5', or @daily; the zone as --timezone Europe/Berlin",
)
E_RUN_ENDED = Kind("E_RUN_ENDED", 2, "the job run {run} cannot be {done}: {why}", "{advice}")
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
E_SERVER_NONE = Kind(
    "E_SERVER_NONE",
    6,
    "no server runs",
    "the next platform command starts one, or `s2i server start`",
)
E_SERVER_STOPPED = Kind(
    "E_SERVER_STOPPED",
    75,
    "the server was stopped while {name} was being {doing}",
    "{then}",
)
E_SERVER_VERSION = Kind(
    "E_SERVER_VERSION",
    6,
    "the server runs s2i {server}, this is s2i {client}",
    "restart it (apps keep running): `s2i server stop`, then the same command again",
)
E_REQUEST = Kind(
    "E_REQUEST", 2, "the request cannot be understood: {why}", "use a command line of the same version as the server"
)
E_FORBIDDEN = Kind("E_FORBIDDEN", 3, "{what} is not allowed {where_from}", "name a Git repository")

# People, and servers that are elsewhere: exits 2, 3, 6 and 75 --------------------------------------------------

E_TOKEN = Kind(
    "E_TOKEN",
    2,
    "the server takes no request without a token: {why}",
    "put one into S2I_TOKEN: an admin makes it with `s2i token create NAME`",
)
E_TOKEN_NAME = Kind(
    "E_TOKEN_NAME",
    2,
    'there is a token "{name}" already',
    "choose another name, or `s2i token revoke {name}` first",
)
E_ONCE = Kind(
    "E_ONCE",
    2,
    "its Idempotency-Key came before with another body, and began the deployment {id}",
    "give each request a key of its own, and the same one only to the same request again",
)
E_NO_TOKEN = Kind("E_NO_TOKEN", 2, 'there is no token "{name}"', "`s2i token list` shows those that there are")
E_ROLE = Kind(
    "E_ROLE",
    2,
    "{what} takes {needs}, and the token {name} is {role}",
    "ask an admin of the server, or a manager of the project: `s2i project member add PROJECT {name} --role ROLE`",
)
E_ATTEMPTS = Kind(
    "E_ATTEMPTS",
    75,
    "too many bad tokens came from {address}",
    "wait {seconds} s, and see that S2I_TOKEN is right: a good token is served all the while",
)
E_HOST = Kind(
    "E_HOST",
    2,
    'the server does not answer to the name "{host}"',
    "add it to S2I_API_NAMES of the server, or use one of: {names}",
)
E_SLOW = Kind("E_SLOW", 75, "the request did not come within {seconds} s", "try again over a better connection")
E_LISTEN = Kind(
    "E_LISTEN",
    6,
    "the server cannot listen at {address}: {why}",
    "say where by `s2i server run --listen 127.0.0.1:8543`, or by S2I_API_ADDRESS; S2I_API_NAMES adds names to it",
)
E_CERTIFICATE = Kind("E_CERTIFICATE", 6, "the certificate {path} cannot be used: {why}", "{advice}")
E_SERVER_URL = Kind(
    "E_SERVER_URL",
    2,
    '{what} cannot be "{value}": {why}',
    "name it as https://HOST:PORT, or take S2I_SERVER away for the server of this machine",
)
E_SERVER_REMOTE = Kind("E_SERVER_REMOTE", 6, "the server {url} does not answer: {why}", "{advice}")
E_SERVER_UNKNOWN = Kind(
    "E_SERVER_UNKNOWN",
    6,
    "nothing vouches for the server {url}: {why}",
    "copy the certificate that `s2i server status` names there, see that its SHA-256 is the same at both ends, "
    "and put its path into S2I_CA",
)
E_REMOTE = Kind(
    "E_REMOTE",
    2,
    "{what} works on the machine of the server alone, and S2I_SERVER names {url}",
    "run it there, or take S2I_SERVER away to mean the server of this machine",
)
E_ARCHIVE = Kind(
    "E_ARCHIVE",
    3,
    "the archive cannot be taken: {why}",
    "send regular files and folders alone, as `s2i deploy FOLDER` does",
)
E_UPLOAD = Kind(
    "E_UPLOAD",
    3,
    "the folder cannot be sent: {why}",
    "leave out what the build does not need in .s2iignore, or deploy from a Git URL",
)

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
    "make room (`s2i image gc --cache` drops what builds left), then run it again; `s2i doctor` shows what is free",
)
E_IMAGE_GONE = Kind(
    "E_IMAGE_GONE",
    6,
    "the image {image} is no longer on this machine",
    "somebody removed it: deploy the source again to build it anew",
)
E_IMAGE_PORTS = Kind(
    "E_IMAGE_PORTS",
    2,
    "the image {image} listens on several ports: {ports}",
    "say which one answers HTTP: --port 8080",
)
E_NO_IMAGE = Kind(
    "E_NO_IMAGE",
    2,
    'there is no image "{name}" here{why}',
    "`s2i image list` shows what s2i built; an app's is named by the app, or as NAME@REVISION",
)
E_CONTAINER = Kind(
    "E_CONTAINER",
    6,
    "the container {name} cannot be run: {why}",
    "look at the start command of the image (`docker inspect`), and at `s2i doctor`",
)
E_ROUTER = Kind(
    "E_ROUTER",
    6,
    "the proxy Caddy does not work: {why}",
    "its log is {log}; `s2i doctor` says whether the ports are free",
)

# Planning: exit 4 when nothing fits or too much does, exit 3 when a file of the source is refused ----------------

E_NOT_PYTHON = Kind(
    "E_NOT_PYTHON",
    4,
    "no Python here: looked for *.py, requirements.txt, pyproject.toml, setup.py; found {found}",
    "point s2i at the folder that holds the Python code (`--context-dir`, or SRC#subdir), or write a Dockerfile",
)
E_NO_ENTRY = Kind(
    "E_NO_ENTRY",
    4,
    "this is Python, but {why}",
    'say what to run in s2i.toml: entry = "module:app", or entry = "script.py"',
)
E_AMBIGUOUS = Kind(
    "E_AMBIGUOUS",
    4,
    "more than one {what} fits equally well:{candidates}",
    "say which one in s2i.toml: {line}",
)
E_ENTRYPOINT = Kind(
    "E_ENTRYPOINT", 4, 'cannot use the entry "{value}": {why}', 'write entry = "package.module:name" or "script.py"'
)
E_UNSUPPORTED = Kind("E_UNSUPPORTED", 4, "{what} is not supported", "{fix}")
E_WORD = Kind(
    "E_WORD",
    4,
    '"{value}" cannot stand in a Dockerfile ({path} of the plan): only plain ASCII without a backslash can',
    "rename what is called so, or give the command in s2i.toml: start = [...]",
)
E_TEMPLATE = Kind(
    "E_TEMPLATE",
    4,
    "this makes sources and is none itself: the name of {folder} is a placeholder",
    "make a project from it first, with Cookiecutter or Copier, and give that",
)
E_PY_SYNTAX = Kind(
    "E_PY_SYNTAX",
    4,
    "Python cannot parse this file: {why}{hint}",
    "mend the file, or leave it out by naming it in .s2iignore",
)
E_PYTHON_VERSION = Kind(
    "E_PYTHON_VERSION",
    4,
    "no Python fits {wanted}; offered are {offered}",
    "change that line, or make a base image with such a Python (`s2i doctor` lists what there is)",
)
E_TOML = Kind(
    "E_TOML",
    3,
    "cannot read this TOML: {why}",
    "mend that line; `python -c \"import tomllib; tomllib.load(open('FILE', 'rb'))\"` reads it as s2i does",
)
E_DECLARED = Kind(
    "E_DECLARED",
    3,
    "cannot use this declaration: {why}",
    "an app is a table, [app.shop], with the options of `s2i app create` as keys: min-scale = 1",
)
E_CONFIG = Kind(
    "E_CONFIG",
    3,
    "cannot use this configuration: {why}",
    "s2i.toml knows entry, kind, python, manager, server, start, port, subdir, build-packages, run-packages,"
    " collectstatic and prune; `s2i init` writes one that explains each of them",
)
E_PLAN = Kind(
    "E_PLAN",
    3,
    "cannot use this plan: {why}",
    "`s2i plan SRC --save FILE` makes a new one; `s2i plan --schema` says what may stand in it",
)
E_PROCFILE = Kind(
    "E_PROCFILE",
    3,
    "cannot read the Procfile: {why}",
    "write one `type: command` a line; a type is a lower-case letter, then letters, digits and dashes",
)
E_REQ = Kind("E_REQ", 3, 'not a requirement: "{value}"{why}', "write one `name==version` a line, as `pip freeze` does")
E_REQ_CYCLE = Kind("E_REQ_CYCLE", 3, "the requirements include themselves: {chain}", "remove one of the -r lines")
E_REQ_DEPTH = Kind(
    "E_REQ_DEPTH", 3, "-r and -c lines lead more than {limit} files deep", "put the requirements into fewer files"
)
E_REQ_URL = Kind(
    "E_REQ_URL", 3, 'the requirements include a file of another machine: "{value}"', "copy that file into the source"
)
E_REQ_OPTION = Kind(
    "E_REQ_OPTION",
    3,
    "the option {option} is refused in a requirements file{why}",
    "remove it; indexes are given as https:// without credentials",
)
E_EXTRA_INDEX = Kind(
    "E_EXTRA_INDEX",
    3,
    "a second package index is refused: {why}, and whoever can put a name on one of them could bring code into a"
    " package of the other",
    "install from one index that has all of it (`--index-url URL`), pin every requirement by hash, commit a lock"
    " (`uv lock`), or bind packages to theirs: `explicit = true` in [[tool.uv.index]]",
)
E_LOCK = Kind("E_LOCK", 3, "a lock is required (--locked): {why}", "{fix}")
E_REQ_LOCAL = Kind(
    "E_REQ_LOCAL",
    3,
    'a requirement names a path outside the source: "{value}"',
    "name it relative to the source: ./libs/thing",
)
E_DOCKERFILE = Kind("E_DOCKERFILE", 3, "cannot use this Dockerfile: {why}", "change the line, or leave it to s2i")
E_DOCKERFILE_SYNTAX = Kind(
    "E_DOCKERFILE_SYNTAX",
    3,
    'the Dockerfile asks for another frontend: "{value}" would be downloaded and would run as the builder',
    "remove the `# syntax=` line, or name the Dockerfile in .s2iignore when it is not meant for s2i",
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

# Building: exits 5, 6 and 75 ---------------------------------------------------------------------------------

E_BUILD = Kind(
    "E_BUILD",
    5,
    'the build failed at "{step}": {why}{log:400}',
    "mend the source and build again; `s2i dockerfile SRC` shows the whole recipe",
)
E_BUILD_NETWORK = Kind(
    "E_BUILD_NETWORK",
    75,
    'the build failed at "{step}": {why}{log:400}',
    "try again; behind a proxy set HTTPS_PROXY, and S2I_CA_BUNDLE to a file with its certificate authority",
)
E_BUILD_DISK = Kind(
    "E_BUILD_DISK",
    6,
    'the build failed at "{step}": {why}{log:400}',
    "make room (`s2i image gc --cache` drops what builds left; `docker system df`), then build again",
)
E_BUILD_TLS = Kind(
    "E_BUILD_TLS",
    5,
    'the build failed at "{step}": {why}{log:400}',
    "name a file with your company's certificate authority in S2I_CA_BUNDLE: builds are given it",
)
E_INDEX_AUTH = Kind(
    "E_INDEX_AUTH",
    5,
    'the build failed at "{step}": {why}{log:400}',
    "write `machine {host} login USER password PASSWORD` into ~/.netrc and name the index by --index-url, or give"
    " such a file by --netrc FILE",
)
E_BUILD_DOCKERFILE = Kind(
    "E_BUILD_DOCKERFILE",
    5,
    "the Dockerfile cannot be built: {why}{log:400}",
    "mend that line, or leave the Dockerfile to s2i (--strategy python)",
)
E_BUILD_TIMEOUT = Kind(
    "E_BUILD_TIMEOUT",
    5,
    'the build took longer than {seconds} s and was ended in "{step}"; its last lines:{log:400}',
    "give it more time (--timeout), or look at what hangs in that step",
)
E_BUILD_ENGINE = Kind(
    "E_BUILD_ENGINE",
    75,
    'the Docker Engine stopped in the middle of "{step}", and answers again',
    "build again; when it stops once more, its log says why (`journalctl --unit docker`)",
)
E_BUILD_LATER = Kind(
    "E_BUILD_LATER",
    75,
    'the engine failed at "{step}" by a fault of its own, twice: {why}{log:400}',
    "build again; when that comes often, build one thing at a time, or update the engine",
)
E_BUILD_KILLED = Kind(
    "E_BUILD_KILLED",
    75,
    'the program that builds was ended by {signal} in "{step}"',
    "build again; when nobody ended it, this machine ran out of memory (`dmesg` says so)",
)
E_PROOF = Kind(
    "E_PROOF",
    5,
    "the image is built, but it is not proven: {why}{log:400}",
    "mend the source and build again; docs/proof.md says what a proof looks at",
)
E_BUILD_MEMORY = Kind(
    "E_BUILD_MEMORY",
    5,
    'the build failed at "{step}": it was killed, because it needs more memory than the limit of {limit}{log:400}',
    "give it more (--memory, or S2I_BUILD_MEMORY), or let fewer things be built from source: pin versions with wheels",
)
E_BUILD_PROCESSES = Kind(
    "E_BUILD_PROCESSES",
    5,
    'the build failed at "{step}": it started more than {limit} processes{log:400}',
    "look at what that step starts; a build that needs so many gets more with S2I_BUILD_PROCESSES",
)
E_BUILD_RUN = Kind("E_BUILD_RUN", 2, "{what}", "`s2i buildrun list` shows those that are kept; the oldest are dropped")
E_BUILD_CANCELLED = Kind("E_BUILD_CANCELLED", 130, "the build was cancelled", "nothing was left behind; build again")
E_BASE_MISSING = Kind(
    "E_BASE_MISSING",
    6,
    "{why}{log:400}",
    "`s2i doctor --fix` makes the base images of s2i; for another one, see that the engine reaches its registry, or"
    " bring it with `docker load`",
)
E_BASE_PLATFORM = Kind(
    "E_BASE_PLATFORM",
    6,
    "the base image {image} is for {has}, not for {platform}",
    "s2i makes base images for its own machine's processor only: let the engine reach a registry (official images are"
    " there for every processor), or build on a machine of that kind",
)
E_BUILD_PLATFORM = Kind(
    "E_BUILD_PLATFORM",
    5,
    'the build failed at "{step}": {why}{log:400}',
    "let the kernel run programs of other processors through QEMU: Debian's packages qemu-user-static and"
    " binfmt-support, or `docker run --privileged --rm tonistiigi/binfmt --install all`; or build on such a machine",
)
E_BASE_ONBUILD = Kind(
    "E_BASE_ONBUILD",
    3,
    "the base image {image} brings instructions of its own into the build (ONBUILD): {triggers}",
    "start from an image without ONBUILD: what it would run is in no file of the source",
)
E_PLATFORM = Kind(
    "E_PLATFORM",
    2,
    'cannot build for the platform "{value}": {why}',
    "write it as os/processor: linux/amd64, linux/arm64, linux/arm/v7",
)
E_TAG = Kind("E_TAG", 2, 'the tag "{value}" cannot be used: {why}', "write it as name:version, in lower case: shop:1.2")

# Pushing: exits 6 and 75 --------------------------------------------------------------------------------------

E_PUSH = Kind(
    "E_PUSH",
    6,
    "the image was built, and not pushed to {registry}: {why}{log:400}",
    "`docker push` shows the same without s2i; the image is here under its tag",
)
E_PUSH_DENIED = Kind(
    "E_PUSH_DENIED",
    6,
    "the image was built, and not pushed to {registry}: {why}{log:400}",
    "log in with `docker login {registry}`: s2i uses what it keeps; or name a repository that is yours",
)
E_PUSH_HOST = Kind(
    "E_PUSH_HOST",
    6,
    "the image was built, and not pushed to {registry}: {why}{log:400}",
    "see how the registry is spelt in --tag, and that the engine's machine knows that name",
)
E_PUSH_TLS = Kind(
    "E_PUSH_TLS",
    6,
    "the image was built, and not pushed to {registry}: {why}{log:400}",
    "put the certificate authority into /etc/docker/certs.d/{registry}/ca.crt where the engine runs; a registry"
    " without TLS must be listed under insecure-registries in its /etc/docker/daemon.json",
)
E_PUSH_LATER = Kind(
    "E_PUSH_LATER",
    75,
    "the image was built, and not pushed to {registry}: {why}{log:400}",
    "run it again: nothing is built twice, and layers that have arrived are not sent again",
)

# Ours ------------------------------------------------------------------------------------------------------

E_INTERNAL = Kind(
    "E_INTERNAL",
    6,
    "something in s2i itself went wrong: {why}",
    "run it again with S2I_DEBUG=1 to see where, and report it",
)


def disk_full(error: BaseException) -> S2IError | None:
    """Return what to say of an error that nobody caught when a file found its disk full, None of any other."""
    if not (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        return None
    return E_DISK(why=f"no room for {error.filename}" if error.filename else "no room for what s2i keeps")
