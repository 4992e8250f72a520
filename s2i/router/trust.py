"""Who trusts the local CA: the system's store, and that of browsers (NSS: Chromium, and others that share it)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from s2i import shell
from s2i.errors import E_TRUST

SYSTEM = Path("/usr/local/share/ca-certificates")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LIMIT_SECONDS = 60.0
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s*(.*?)\s*-----END CERTIFICATE-----", re.DOTALL)


class Store(Protocol):
    """A place that programs take their authorities from."""

    name: str  # for people

    def has(self, root: str) -> bool:
        """Say whether it trusts ``root`` (PEM)."""

    def add(self, root: str) -> None:
        """Trust ``root``. Raises E_TRUST."""

    def remove(self, root: str) -> None:
        """Trust it no more. Raises E_TRUST."""


def fingerprint(root: str) -> str:
    """Return the SHA-256 of a certificate in hexadecimal. Raises E_TRUST for what is none."""
    if not (found := _PEM.search(root)):
        raise E_TRUST(store="the certificate", why="it cannot be read")
    return hashlib.sha256(base64.b64decode(found[1])).hexdigest()


def stores(home: Path, system: Path = SYSTEM, bundle: Path = BUNDLE) -> Iterator[Store]:
    """Yield the stores of this machine and of the person whose home it is."""
    if system.is_dir():
        yield SystemStore(system, bundle)
    yield BrowserStore(home / ".pki" / "nssdb")


class SystemStore:
    """Debian's: a folder of certificates, and what update-ca-certificates makes of it. Python, curl and Git use it."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self._folder, self._bundle = folder, bundle
        self.name = f"the system ({folder})"

    def has(self, root: str) -> bool:
        try:
            return "".join(_PEM.findall(root)) in self._bundle.read_text()
        except OSError:
            return False

    def add(self, root: str) -> None:
        path = self._path(root)
        try:
            path.write_text(root)
        except OSError as error:
            advice = "run it as root: `sudo s2i tls trust`, or trust it for the browser alone with --browser"
            raise E_TRUST(store=self.name, why=error.strerror, advice=advice) from None
        self._update()

    def remove(self, root: str) -> None:
        try:
            self._path(root).unlink(missing_ok=True)
        except OSError as error:
            raise E_TRUST(store=self.name, why=error.strerror, advice="run it as root") from None
        self._update()

    def _path(self, root: str) -> Path:
        return self._folder / f"s2i-{fingerprint(root)[:16]}.crt"

    def _update(self) -> None:
        _run(self.name, ("update-ca-certificates",))


class BrowserStore:
    """NSS's, in a home: Chromium and its kin read it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"the browser ({folder})"

    def has(self, root: str) -> bool:
        if not (self._folder / "cert9.db").exists() or not shell.find("certutil"):
            return False
        return shell.run(self._argv("-L", "-n", _nickname(root)), timeout=LIMIT_SECONDS).code == 0

    def add(self, root: str) -> None:
        if not shell.find("certutil"):
            advice = "install it, `apt install libnss3-tools`, and run this again"
            raise E_TRUST(store=self.name, why="the program certutil is missing", advice=advice)
        if not (self._folder / "cert9.db").exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _run(self.name, self._argv("-N", "--empty-password"))
        _run(self.name, self._argv("-A", "-a", "-t", "C,,", "-n", _nickname(root)), root)

    def remove(self, root: str) -> None:
        _run(self.name, self._argv("-D", "-n", _nickname(root)))

    def _argv(self, *words: str) -> tuple[str, ...]:
        return ("certutil", "-d", f"sql:{self._folder}", *words)


def _nickname(root: str) -> str:
    return f"s2i local CA {fingerprint(root)[:16]}"


def _run(where: str, argv: tuple[str, ...], text: str = "") -> None:
    if not shell.find(argv[0]):
        raise E_TRUST(store=where, why=f"the program {argv[0]} is missing", advice=f"install {argv[0]}")
    done = shell.run(argv, timeout=LIMIT_SECONDS, stdin=text.encode())
    if done.code:
        said = (done.err or done.out).decode(errors="replace").strip().splitlines()
        raise E_TRUST(store=where, why=said[-1] if said else f"{argv[0]} ended with {done.code}")
