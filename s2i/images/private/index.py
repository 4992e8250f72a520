"""Which package index a build installs from, by whose word, and what opens it.

| looked at, first to last                      | in it                                                     |
|-----------------------------------------------|-----------------------------------------------------------|
| ``--index-url``                               |                                                           |
| the environment                               | UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL             |
| uv.toml: UV_CONFIG_FILE, ~/.config/uv, /etc   | ``[[index]]`` with ``default = true``, ``index-url``      |
| pip.conf: PIP_CONFIG_FILE, ~/.config, ~, /etc | ``index-url`` of [global] or [install]                    |

There is one index: others beside it are not taken from these places.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from s2i.errors import E_INDEX
from s2i.patterns import lazily
from s2i.resources.secret import Secret
from s2i.sources import Notice

VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
# What can stand in a Dockerfile; a query or a fragment means nothing to an index.
_ADDRESS = lazily(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9._@%+=:,/-]*)?")
_PYPI = lazily(r"https://pypi\.org(?:/simple)?/?")
_PIP_KEYS = (b"index-url", b"index_url")


class Index(msgspec.Struct, frozen=True):
    """The index of a build. ``url`` without credentials, "" for PyPI; ``netrc`` what opens it, None for nothing."""

    url: str = ""
    netrc: Secret | None = None
    notices: tuple[Notice, ...] = ()


def choose(given: str, netrc_file: str, environ: Mapping[str, str], root: Path = Path("/")) -> Index:
    """Return the index that ``given`` (--index-url), the environment or this person's configuration names.

    Credentials come from the address, else from ``netrc_file``, which is given as it is, else from this host's entry
    in ~/.netrc. ``root``: where /etc is. Raises E_INDEX, E_NETRC, E_SECRET (exit 2).
    """
    address, origin = (given, "--index-url") if given else next(_named(environ, root), ("", ""))
    if not (address or netrc_file):
        return Index()
    from s2i.images.private import netrc  # here: most builds install from PyPI, and have no time to lose

    if not address or _PYPI.fullmatch(address):
        return Index("", netrc.whole(netrc_file) if netrc_file else None)
    url, user, password = apart(address, origin)
    host = urllib.parse.urlsplit(url).hostname or ""
    if _is_here(host):
        if origin == "--index-url":
            raise E_INDEX(url=url, origin=origin, why="a build runs in a container, whose loopback is its own")
        notice = Notice("W_INDEX", f"{url} is not used: a build cannot reach this machine's loopback", origin)
        return Index("", netrc.whole(netrc_file) if netrc_file else None, (notice,))
    if user and netrc_file:
        raise E_INDEX(url=url, origin=origin, why="its credentials are given twice: in the address and by --netrc")
    if netrc_file:
        opens: Secret | None = netrc.whole(netrc_file)
    else:
        opens = netrc.entry(host, user, password, url, origin) if user else netrc.of_host(host, url, environ)
    return Index(url, opens, tuple(_notices(url, origin)))


def apart(address: str, origin: str) -> tuple[str, str, str]:
    """Return an index's address without its credentials, its user and its password. Raises E_INDEX."""
    shown = re.sub(r"//.*@", "//…@", address) if "@" in address else address
    try:
        parts = urllib.parse.urlsplit(address)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
        user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    except ValueError:
        raise E_INDEX(url=shown, origin=origin, why="it is no address") from None
    if "@" in parts.path:  # a password with a slash in it, of which a part would be told everywhere
        why = "its path has an @: write a / in a password as %2F"
        raise E_INDEX(url=shown, origin=origin, why=why)
    url = urllib.parse.urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment)).rstrip("/")
    if not _ADDRESS.fullmatch(url):
        raise E_INDEX(url=shown, origin=origin, why="it is no plain http:// or https:// address")
    return url, user, password


def _is_here(host: str) -> bool:
    return host == "localhost" or host.startswith("127.")


def _notices(url: str, origin: str) -> Iterator[Notice]:
    where = "" if origin == "--index-url" else f" ({origin})"
    if origin != "--index-url":
        yield Notice("W_INDEX", f"packages come from {url}, which this machine's settings name{where}")
    if url.startswith("http://"):
        text = f"{url} is asked over plain http: whoever is on the way can read its password and change a package"
        yield Notice("W_INDEX_PLAIN", text)


def _named(environ: Mapping[str, str], root: Path) -> Iterator[tuple[str, str]]:
    """Yield each (address, where it is named), the one that counts first."""
    yield from ((environ[name], name) for name in VARIABLES if environ.get(name))
    home = Path(environ.get("HOME") or "/nonexistent")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    own = environ.get("UV_CONFIG_FILE")
    for path in (Path(own),) if own else (config / "uv/uv.toml", root / "etc/uv/uv.toml"):
        if url := _of_uv(path):
            yield url, str(path)
    own = environ.get("PIP_CONFIG_FILE")
    for path in (Path(own),) if own else (config / "pip/pip.conf", home / ".pip/pip.conf", root / "etc/pip.conf"):
        if url := _of_pip(path):
            yield url, str(path)


def _of_uv(path: Path) -> str:
    data = _content(path)
    if b"index" not in data:
        return ""
    import tomllib

    try:
        table: dict[str, Any] = tomllib.loads(data.decode())
    except ValueError:
        raise E_INDEX(url="", origin=str(path), why="the file is no TOML") from None
    indexes = table.get("index")
    for each in indexes if isinstance(indexes, list) else ():
        if isinstance(each, dict) and each.get("default") is True and isinstance(each.get("url"), str):
            return str(each["url"])
    pip = table.get("pip")
    for part in (table, pip if isinstance(pip, dict) else {}):
        if isinstance(part.get("index-url"), str):
            return str(part["index-url"])
    return ""


def _of_pip(path: Path) -> str:
    data = _content(path)
    if not any(line.strip().lower().startswith(_PIP_KEYS) for line in data.splitlines()):
        return ""
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(data.decode())
    except (configparser.Error, ValueError):
        raise E_INDEX(url="", origin=str(path), why="the file cannot be read as pip reads it") from None
    found = (parser.get(part, key, fallback="") for part in ("install", "global") for key in ("index-url", "index_url"))
    return next((url.strip() for url in found if url.strip()), "")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""  # somebody else's: not ours to use
