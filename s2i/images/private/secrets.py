"""Secrets of a build: read once, handed to the builder in memory, known by a fingerprint."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from s2i import dirs
from s2i.errors import E_SECRET, S2IError
from s2i.resources.secret import ID, LIMIT, Secret

CA = "ca"  # the machine's certificate authorities
NETRC = "netrc"
KEY = "fingerprint-key"
FINGERPRINT = 16  # characters of hex: enough to tell secrets apart, too little to try them out without the key


def read(text: str, environ: Mapping[str, str]) -> Secret:
    """Return the secret that ``id=NAME,src=FILE`` or ``id=NAME,env=VAR`` names; alone, NAME is a variable's name.

    Raises E_SECRET, which repeats nothing of what may be a value.
    """
    fields = _fields(text)
    name = fields.pop("id", "")
    if not ID.fullmatch(name) or len(fields) > 1 or not fields.keys() <= {"src", "source", "env"}:
        raise _refused("", why="it is not written as id=NAME,src=FILE or id=NAME,env=VAR")
    if name == CA:
        why = "s2i gives the machine's certificate authorities by this id"
        raise _refused(name, why=why, advice="S2I_CA_BUNDLE names another file of them")
    key, place = fields.popitem() if fields else ("env", name)
    if key == "env":
        if place not in environ:
            raise _refused(name, why=f"the variable {place} is not set")
        return checked(Secret(name, environ[place].encode(errors="surrogateescape")))
    return checked(Secret(name, file(name, place)))


def _refused(name: str, why: str, advice: str = "") -> S2IError:
    return E_SECRET(secret=f'the secret "{name}"' if name else "what --secret says", why=why, advice=advice)


def variable(text: str) -> str:
    """Return the variable that ``text`` takes a secret from, "" for none."""
    fields = _fields(text)
    return fields["env"] if "env" in fields else fields.get("id", "") if len(fields) == 1 else ""


def file(name: str, place: str) -> bytes:
    """Return what the file of the secret ``name`` holds. Raises E_SECRET."""
    try:
        with Path(place).expanduser().open("rb") as handle:
            return handle.read(LIMIT + 1)
    except OSError as error:
        advice = "name a file that is there and that you may read: a path is read from the folder that s2i is called in"
        raise _refused(name, f"{place}: {error.strerror or 'cannot be read'}", advice) from None


def checked(secret: Secret) -> Secret:
    """Return a secret whose id and size the builder takes. Raises E_SECRET."""
    if not ID.fullmatch(secret.id) or secret.id == CA:
        raise _refused("", why="its id must be letters, digits, dots and dashes, and not ca")
    if not secret.value:
        raise _refused(secret.id, why="it is empty")
    if len(secret.value) > LIMIT:
        raise _refused(secret.id, why=f"it has more than {LIMIT:,} bytes")
    return secret


def distinct(given: Sequence[Secret]) -> tuple[Secret, ...]:
    """Return secrets in the order of their ids. Raises E_SECRET when two have one id."""
    names = [secret.id for secret in given]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise _refused(twice, why="it is given twice")
    return tuple(sorted(given, key=lambda secret: secret.id))


@contextlib.contextmanager
def handed(given: Sequence[Secret], folder: Path) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield (id, path) for the builder to read. Nothing is on a disk, where the system has files in memory.

    Elsewhere they are private files in ``folder``, which somebody else removes.
    """
    with contextlib.ExitStack() as stack:
        yield tuple((secret.id, _path(secret, folder, stack)) for secret in given)


def fingerprint(given: Sequence[Secret]) -> str:
    """Return what changes with the secrets and tells nothing of them: it is keyed by this machine. "" for none.

    A secret is no part of BuildKit's cache key: without this, a step that read the old one would count for the new.
    """
    if not given:
        return ""
    import hashlib
    import hmac

    whole = hmac.new(_key(), digestmod=hashlib.sha256)
    for secret in given:
        whole.update(f"{secret.id}\0{len(secret.value)}\0".encode() + secret.value)
    return whole.hexdigest()[:FINGERPRINT]


def _fields(text: str) -> dict[str, str]:
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    fields.pop("type", None)
    return fields


def _path(secret: Secret, folder: Path, stack: contextlib.ExitStack) -> str:
    if sys.platform == "linux":
        here = os.memfd_create(f"s2i-{secret.id}", os.MFD_CLOEXEC)
        stack.callback(os.close, here)
        with os.fdopen(os.dup(here), "wb") as handle:
            handle.write(secret.value)
        return f"/proc/{os.getpid()}/fd/{here}"
    path = folder / f"secret-{secret.id}"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(secret.value)
    stack.callback(path.unlink)
    return str(path)


def _key() -> bytes:
    """Return this machine's key, made at its first use."""
    import secrets

    path = dirs.make_private(dirs.state()) / KEY
    with contextlib.suppress(FileExistsError):
        # Written under another name first: nobody reads a key that is half there.
        fresh = path.with_name(f"{KEY}.{secrets.token_hex(4)}")
        if not path.exists():
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                handle.write(secrets.token_bytes(32))
            try:
                os.link(fresh, path)
            finally:
                fresh.unlink()
    return path.read_bytes()
