"""Credentials as a netrc file, which uv, pip, PDM and git all read where a build mounts it: /root/.netrc."""

from __future__ import annotations

import netrc as reader
import re
from collections.abc import Mapping
from pathlib import Path

from s2i.errors import E_INDEX, E_NETRC
from s2i.images.private import secrets
from s2i.resources.secret import Secret

# Programs read quotes, backslashes and # in a netrc each in its own way.
_WORD = re.compile(r"[!$-\[\]-~][!#-\[\]-~]*")


def whole(place: str) -> Secret:
    """Return the file ``place`` as it is: somebody has named it. Raises E_NETRC, and E_SECRET for its size."""
    path = Path(place).expanduser()
    _parsed(path)
    return secrets.checked(Secret(secrets.NETRC, secrets.file(secrets.NETRC, place)))


def of_host(host: str, url: str, environ: Mapping[str, str]) -> Secret | None:
    """Return what ~/.netrc ($NETRC) says of ``host``, and of no other; None for nothing. Raises E_NETRC, E_INDEX."""
    path = Path(environ.get("NETRC") or Path(environ.get("HOME") or "/nonexistent") / ".netrc")
    if not path.is_file():
        return None
    found = _parsed(path).hosts.get(host)  # never the entry `default`: it opens every host
    return entry(host, found[0], found[2] or "", url, str(path)) if found else None


def entry(host: str, user: str, password: str, url: str, origin: str) -> Secret:
    """Return the netrc of one host. Raises E_INDEX for credentials that such a file cannot hold."""
    for word in (user, password):
        if word and not _WORD.fullmatch(word):
            why = "its user or password has a space, a quote, a backslash or a letter that a netrc file cannot hold"
            raise E_INDEX(url=url, origin=origin, why=why)
    words = f"machine {host} login {user}" + (f" password {password}" if password else "")
    return Secret(secrets.NETRC, f"{words}\n".encode())


def _parsed(path: Path) -> reader.netrc:
    try:
        return reader.netrc(str(path))
    except reader.NetrcParseError as error:  # its own words may hold a password
        raise E_NETRC(path=path, why=f"it is no netrc file: line {error.lineno}") from None
    except OSError as error:
        raise E_NETRC(path=path, why=error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise E_NETRC(path=path, why="it is not UTF-8") from None
