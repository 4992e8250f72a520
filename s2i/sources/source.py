"""What a person types as SRC, parsed once into a Source."""

from __future__ import annotations

import re
from typing import NoReturn, TypeVar

import msgspec

from s2i.errors import E_REF, E_URL, E_VALUE


class Folder(msgspec.Struct, frozen=True, tag="folder"):
    """A folder on this machine. ``subdir`` is relative, "" for the folder itself."""

    path: str
    subdir: str = ""


class Git(msgspec.Struct, frozen=True, tag="git"):
    """A Git repository: ``url`` (https or ssh), a branch or tag ``ref`` or a full ``commit``, a ``subdir``."""

    url: str
    ref: str = ""
    commit: str = ""
    subdir: str = ""


class Upload(msgspec.Struct, frozen=True, tag="upload"):
    """A folder of another machine that was sent to ``project``; ``title``, ``commit``: its own."""

    id: str
    title: str
    commit: str = ""
    project: str = ""


Source = Folder | Git
Given = Source | Upload  # what a server is asked to deploy
S = TypeVar("S", Folder, Git, Upload, Source, Given)

URL_LIMIT = 2000
# The grammar of a URL. A host is ASCII, without a trailing dot; no part of a path starts with a dash.
_HOST = (
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])"
)
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_PATH = r"(?!-)[A-Za-z0-9._~%+-]+(?:/(?!-)[A-Za-z0-9._~%+-]+)*/?"
# Patterns, not compiled: a folder, the common case, needs two of them.
_HTTP_URL = rf"(?P<scheme>https?)://(?P<host>{_HOST}){_PORT}/{_PATH}"
_SSH_URL = rf"(?P<scheme>ssh)://(?:{_USER}@)?(?P<host>{_HOST}){_PORT}/{_PATH}"
_SCP_URL = rf"{_USER}@(?P<host>{_HOST}):(?P<path>/?{_PATH})"
_SCP_START = r"[^/@:]*@(?:\[[^\]/]*\]|[^/:]*):.*"
_PLAIN_WITH_REF = r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/[^@:?#]*@[^@:?]*"
_SCHEME = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.*)"
_ENCODED_CONTROL = r"%(?:[01][0-9A-Fa-f]|7[Ff])"
_REF = r"(?!-)[A-Za-z0-9._/+-]{1,200}"
_COMMIT = r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}"
_UPLOAD = r"[0-9a-f]{32}"
TITLE_LIMIT = 200


def parse(text: str, *, commit: str = "", context_dir: str = "") -> Source:
    """Parse SRC: a folder, ``https://host/owner/repo[@ref][#subdir]``, ``ssh://…`` or ``git@host:owner/repo``.

    ``http://`` is parsed too; only a Policy whose allow-list names the host lets it be fetched.
    Raises E_URL, E_REF, E_VALUE (exit 2). Touches neither disk nor network.
    """
    if not text:
        raise E_VALUE(what="SRC", value="", why="it is empty", command="plan")
    if not _is_url(text):
        if commit:
            raise E_VALUE(what="--commit", value=commit, why="it goes with a Git URL, not a folder", command="plan")
        return checked(Folder(text, _relative(context_dir)))
    before, _, fragment = text.partition("#")
    url, ref = _split_ref(before)
    endpoint(url, typed=text)
    inside, asked = _relative(fragment), _relative(context_dir)
    if inside and asked and inside != asked:
        raise E_VALUE(what="--context-dir", value=context_dir, why=f"the URL says #{fragment}", command="plan")
    if re.fullmatch(_COMMIT, ref) and not commit:
        ref, commit = "", ref
    return checked(Git(url, ref, commit.lower(), inside or asked))


def checked(source: S) -> S:
    """Return ``source`` if its parts are well formed, wherever it came from (a request, a database).

    Raises E_URL, E_REF, E_VALUE.
    """
    if not isinstance(source, Upload):
        _relative(source.subdir)
    match source:
        case Upload(id=ident, title=title, commit=commit):
            if not re.fullmatch(_UPLOAD, ident):
                raise E_VALUE(what="the upload", value=ident, why="it is no id of one", command="deploy")
            if not title or len(title) > TITLE_LIMIT or not title.isprintable():
                raise E_VALUE(what="the name of what is sent", value=title, why="it is no plain name", command="deploy")
            if commit and not re.fullmatch(_COMMIT, commit):
                raise E_REF(ref=commit, what="commit", why="it is not a whole commit id")
        case Folder(path=path):
            if "\0" in path:
                raise E_VALUE(what="SRC", value=path, why="a path has no NUL byte", command="plan")
        case Git(url=url, ref=ref, commit=commit):
            endpoint(url)
            if ref:
                _check_ref(ref)
            if commit and not re.fullmatch(_COMMIT, commit):
                raise E_REF(ref=commit, what="commit", why="it is not a whole commit id")
    return source


class Endpoint(msgspec.Struct, frozen=True):
    """Where a Git URL leads: ``scheme`` https, http or ssh; ``host`` in lower case, an IPv6 address without []."""

    scheme: str
    host: str
    port: int


def endpoint(url: str, *, typed: str = "") -> Endpoint:
    """Return where ``url`` leads. Raises E_URL for whatever is not a plain https, http or ssh URL.

    ``typed`` is what ``url`` was cut from: only the whole of it shows where a password ends.
    """
    typed = typed or url
    if any(ord(c) < 0x21 or ord(c) == 0x7F for c in url) or re.search(_ENCODED_CONTROL, url):
        _refuse(typed, "it has a control character or a space")
    if len(url) > URL_LIMIT:
        _refuse(typed, f"it is longer than {URL_LIMIT} characters")
    if not url.isascii():
        _refuse(typed, "it has a character that is not ASCII (write a host in its xn-- form, a path with %)")
    if match := re.fullmatch(_SCP_URL, url):
        return Endpoint("ssh", match["host"].strip("[]").lower(), 22)
    if not (match := re.fullmatch(_HTTP_URL, url) or re.fullmatch(_SSH_URL, url)):
        _refuse(typed, _why(typed))
    default = {"https": 443, "http": 80, "ssh": 22}[match["scheme"]]
    port = int(match["port"] or default)
    if not 0 < port < 65536:
        _refuse(typed, f"there is no port {port}")
    return Endpoint(match["scheme"], match["host"].strip("[]").lower(), port)


def hide(url: str) -> str:
    """Return ``url`` without what may be a password or a token: what stands before the last @ or behind a ?.

    The @ of a ref is told from that of a user only in the plainest of URLs.
    """
    if re.fullmatch(_PLAIN_WITH_REF, url):
        return url
    scheme, mark, rest = url.partition("://")
    start, rest = (scheme + mark, rest) if mark and "@" not in scheme and "?" not in scheme else ("", url)
    shown, query, hidden = rest.partition("?")
    if "@" in hidden:
        return f"{start}***"
    _, at, last = shown.rpartition("@")
    return f"{start}{'***@' if at else ''}{last}{'?***' if query else ''}"


def _is_url(text: str) -> bool:
    if text.startswith("-"):
        _refuse(text, "it starts with a dash")
    if text.startswith(("/", "./", "../")):
        return False
    if re.fullmatch(_SCP_START, text, re.DOTALL):
        return True
    match = re.fullmatch(_SCHEME, text, re.DOTALL)
    if not match:
        return False
    if match["scheme"] not in ("https", "http", "ssh") or not match["rest"].startswith("//"):
        _refuse(text, f"{match['scheme']}: is no scheme that s2i fetches")
    return True


def _split_ref(text: str) -> tuple[str, str]:
    """Split at the first @ of the path: what stands before it may have one for the user."""
    start = text.find("://")
    start = text.find("/", start + 3) if start >= 0 else text.find(":", text.find("@"))
    at = text.find("@", start) if start >= 0 else -1
    if at < 0:
        return text, ""
    if not text[at + 1 :]:
        raise E_REF(ref="", what="branch or tag", why="nothing stands after the @")
    return text[:at], text[at + 1 :]


def _check_ref(ref: str) -> None:
    parts = ref.split("/")
    if not re.fullmatch(_REF, ref):
        why = (
            "it starts with a dash" if ref.startswith("-") else "it has a character that is not allowed, or is too long"
        )
    elif ".." in ref or any(not part or part.startswith(".") for part in parts):
        why = "it has .., // or a part that starts with a dot"
    elif ref.endswith((".", "/")) or any(part.endswith(".lock") for part in parts):
        why = "Git allows no name that ends in a dot, a slash or .lock"
    else:
        return
    raise E_REF(ref=hide(ref), what="branch or tag", why=why)


def _relative(subdir: str) -> str:
    """Return ``subdir`` in its shortest form, "" for the root. Raises E_VALUE for a way out of it."""
    if subdir.startswith("/"):
        raise E_VALUE(what="the folder in the source", value=subdir, why="it is not relative", command="plan")
    parts = [part for part in subdir.split("/") if part not in ("", ".")]
    if ".." in parts or any(ord(c) < 0x20 or ord(c) == 0x7F for c in subdir):
        raise E_VALUE(what="the folder in the source", value=subdir, why="it leads out of the source", command="plan")
    return "/".join(parts)


def _why(url: str) -> str:
    host = url.partition("://")[2].partition("/")[0]
    if "@" in host and (":" in host.rpartition("@")[0] or not url.startswith("ssh:")):
        return "a password or token in a URL ends up in logs; for a private repository use ssh: git@host:owner/repo"
    if not url.partition("://")[2].partition("/")[2]:
        return "it names no repository"
    return "it is not a plain Git URL"


def _refuse(url: str, why: str) -> NoReturn:
    raise E_URL(url=hide(url), why=why)
