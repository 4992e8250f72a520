"""What is installed in an image, told by the files that installers leave behind. Pure: files in, an Inventory out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

import msgspec

from s2i.images.carried.labels import sha256

FILE_LIMIT = 16 << 20  # bytes of one file that are read: a full Debian's list of packages has 2 MB
ROOM = 256 << 20  # bytes of all of them
_DPKG = re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]+)")
_RELEASE = ("etc/os-release", "usr/lib/os-release")
_ENVIRONMENT = "pyvenv.cfg"
_SEPARATORS = re.compile(r"[-_.]+")
_SHORT = 100  # characters of a licence's name; some put its whole text there


class Distribution(msgspec.Struct, frozen=True):
    """An installed Python distribution. ``name`` as PyPI compares names; ``requires`` as its metadata has them.

    ``url``: where it was installed from when that was no index; ``hash`` of what was there (hex SHA-256).
    ``record``: SHA-256 of its RECORD, which has that of each installed file. ``requested``: somebody asked for it.
    """

    name: str
    version: str
    place: str
    licence: str = ""
    requires: tuple[str, ...] = ()
    url: str = ""
    hash: str = ""
    record: str = ""


class Package(msgspec.Struct, frozen=True):
    """An installed Debian package, and the source package that it is made of."""

    name: str
    version: str
    architecture: str = ""
    source: str = ""


class Inventory(msgspec.Struct, frozen=True):
    """All that is installed. ``python`` is "3.13.5", ``system`` "debian", ``release`` "13"; "" where not known."""

    python: str = ""
    system: str = ""
    release: str = ""
    distributions: tuple[Distribution, ...] = ()
    packages: tuple[Package, ...] = ()


def telling(path: str) -> bool:
    """Say whether the file at ``path`` (no slash in front) tells of something that is installed."""
    return (
        path.endswith((".dist-info/METADATA", ".dist-info/RECORD", ".dist-info/direct_url.json"))
        or path.endswith((".egg-info", ".egg-info/PKG-INFO"))
        or path.rpartition("/")[2] == _ENVIRONMENT
        or path in _RELEASE
        or bool(_DPKG.fullmatch(path))
    )


def take(files: Iterable[tuple[str, bytes]], python: str = "") -> Inventory:
    """Return what ``files`` (path, content) tell; ``python``: its version, when the image itself says it."""
    folders: dict[str, dict[str, bytes]] = {}
    packages: dict[str, Package] = {}
    release: dict[str, str] = {}
    for path, data in files:
        folder, _, name = path.rpartition("/")
        if _DPKG.fullmatch(path):
            packages |= {one.name: one for one in _packages(data)}
        elif path in _RELEASE:
            release |= _pairs(data)
        elif name == _ENVIRONMENT:
            found = _pairs(data)
            python = python or found.get("version_info", "") or found.get("version", "")
        elif path.endswith(".egg-info"):
            folders[path] = {"METADATA": data}
        else:
            folders.setdefault(folder, {})[name.replace("PKG-INFO", "METADATA")] = data
    known: dict[tuple[str, str], Distribution] = {}
    for place, parts in sorted(folders.items(), key=lambda item: (item[0].count("/"), item[0])):
        if one := _distribution(place, parts):
            known.setdefault((one.name, one.version), one)
    return Inventory(
        python=python,
        system=release.get("ID", ""),
        release=release.get("VERSION_ID", ""),
        distributions=tuple(sorted(known.values(), key=lambda one: (one.name, one.version))),
        packages=tuple(packages[name] for name in sorted(packages)),
    )


def normalized(name: str) -> str:
    """Return a distribution's name as PyPI compares names."""
    return _SEPARATORS.sub("-", name).lower()


def _distribution(place: str, parts: dict[str, bytes]) -> Distribution | None:
    from packaging.metadata import parse_email

    if "METADATA" not in parts:
        return None
    found, _ = parse_email(parts["METADATA"])
    name, version = found.get("name", ""), found.get("version", "")
    if not name or not version:
        return None
    url, digest = _direct(parts.get("direct_url.json", b""))
    return Distribution(
        name=normalized(name),
        version=version,
        place=f"/{place}",
        licence=_licence(found.get("license_expression", ""), found.get("license", ""), found.get("classifiers", [])),
        requires=tuple(found.get("requires_dist", [])),
        url=url,
        hash=digest,
        record=sha256(parts["RECORD"]) if "RECORD" in parts else "",
    )


def _licence(expression: str, text: str, classifiers: list[str]) -> str:
    if expression:
        return expression
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]
    short = text.strip() if text and len(text) <= _SHORT and "\n" not in text.strip() else ""
    return short if short and short.upper() != "UNKNOWN" else ", ".join(named)


def _direct(data: bytes) -> tuple[str, str]:
    """Read direct_url.json: the address without credentials, and the archive's SHA-256. A folder's is left out."""
    try:
        found = json.loads(data)
        url, archive = str(found["url"]), found.get("archive_info") or {}
        hashes = archive.get("hashes") or {}
        digest = str(hashes.get("sha256") or str(archive.get("hash", "")).removeprefix("sha256="))
    except (ValueError, KeyError, AttributeError, TypeError):
        return "", ""
    if url.startswith("file:"):
        return "", ""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    commit = (found.get("vcs_info") or {}).get("commit_id", "")
    clean = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{f'@{commit}' if commit else ''}"
    return clean, digest if re.fullmatch(r"[0-9a-f]{64}", digest) else ""


def _packages(data: bytes) -> Iterator[Package]:
    for text in data.decode(errors="replace").split("\n\n"):
        found = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line[:1].isspace())
        status = found.get("Status", "install ok installed")
        if found.get("Package") and found.get("Version") and status.endswith(" installed"):
            source = found.get("Source", "").partition(" ")[0]
            yield Package(found["Package"], found["Version"], found.get("Architecture", ""), source)


def _pairs(data: bytes) -> dict[str, str]:
    pairs = (line.partition("=") for line in data.decode(errors="replace").splitlines())
    return {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}
