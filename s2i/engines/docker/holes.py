"""Which known holes the engine, containerd and runc have, by version and by what their packages say of themselves."""

from __future__ import annotations

import contextlib
import gzip
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

Component = Literal["engine", "containerd", "runc"]
PACKAGES: dict[str, str] = {"engine": "docker.io", "containerd": "containerd", "runc": "runc"}
UPDATE = r"(.+\+deb[0-9]+u)([0-9]+).*"  # a stable release's update: "1.1.5+ds1-1+deb12u1"
CHANGELOG_LIMIT = 8 << 20  # bytes
Version = tuple[int, int, int, int, int]  # the last two: 1 for a release, 0 for a candidate; the candidate's number


class Hole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One weakness of one component, and the first version of each branch that is without it."""

    component: Component
    cves: tuple[str, ...]
    fixed: tuple[str, ...]
    what: str
    packages: tuple[str, ...] = ()

    def affects(self, version: str) -> bool:
        """Say whether upstream's ``version`` has the hole. One that cannot be read has not."""
        if (given := parse(version)) is None:
            return False
        fixes = sorted(fix for text in self.fixed if (fix := parse(text)) is not None)
        same = [fix for fix in fixes if fix[:2] == given[:2]]
        return given < same[0] if same else given < fixes[-1]

    def mended_in(self, package: str) -> bool:
        """Say whether the Debian version ``package`` is one of ``packages``, or a later update of the same release."""
        given = re.fullmatch(UPDATE, package)
        fixes = [fix for text in self.packages if (fix := re.fullmatch(UPDATE, text))]
        return given is not None and any(given[1] == fix[1] and int(given[2]) >= int(fix[2]) for fix in fixes)


def known() -> tuple[Hole, ...]:
    """Return the table holes.toml."""
    text = Path(__file__).with_name("holes.toml").read_text()
    return msgspec.convert(tomllib.loads(text)["hole"], tuple[Hole, ...])


def parse(version: str) -> Version | None:
    """Read "1.4.0-rc.3", "20.10.24+dfsg1" or "1.6.20~ds1" as something that sorts; None when it is none of them."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:-rc\.?(\d+))?(?:[+~-].*)?", version)
    if found is None:
        return None
    major, minor, patch, candidate = found.groups()
    return int(major), int(minor), int(patch), 0 if candidate else 1, int(candidate or 0)


def open_ones(
    versions: Mapping[str, str], packages: Mapping[str, str], changelog: Callable[[str], str]
) -> tuple[Hole, ...]:
    """Return the holes that ``versions`` (by component) have and that their packages do not say to have mended.

    ``packages``: the Debian package's version by component; ``changelog`` gives the text of a package's changelog, ""
    for none. A hole keeps only the open CVEs.
    """
    found = []
    for hole in known():
        if hole.affects(versions.get(hole.component, "")) and not hole.mended_in(packages.get(hole.component, "")):
            said = changelog(PACKAGES[hole.component])
            left = tuple(cve for cve in hole.cves if not re.search(rf"\b{cve}\b", said))
            if left:
                found.append(msgspec.structs.replace(hole, cves=left))
    return tuple(found)


def changelog(package: str, documents: Path = Path("/usr/share/doc")) -> str:
    """Return the Debian changelog of ``package`` on this machine, "" when there is none."""
    for name in ("changelog.Debian.gz", "changelog.gz"):
        with contextlib.suppress(OSError, EOFError), gzip.open(documents / package / name) as file:
            return file.read(CHANGELOG_LIMIT).decode(errors="replace")
    return ""
