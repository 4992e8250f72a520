"""A Python that pyenv built on this machine, cut down and moved to /usr/local: what a base image is made with.

Such an installation knows the folder that it was built for: in its configuration (sysconfig), in its scripts, and in
its binaries (the search path of libraries, the default prefix). None of it may reach an image that people ship.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from s2i import shell
from s2i.errors import E_BASE
from s2i.images.bases import table
from s2i.images.bases.machine import Way
from s2i.resources import labels

TARGET = "/usr/local"
_PREFIX = re.compile(r"""'prefix': '(/[^'\\]+)'""")
_LIBRARY = re.compile(r"=> (/\S+) \(")
_OWNER = re.compile(r"([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?: /\S+")


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of an installation goes into an image: ``programs`` of bin, and all but ``drop``; patterns of names."""

    programs: tuple[str, ...]
    drop: tuple[str, ...]


def lay_out(folder: Path, parts: Parts, target: Path, epoch: int) -> None:
    """Copy ``folder`` to ``target``, which stands for /usr/local, without what ``parts`` drops.

    ``epoch``: the time that every file gets, so that the same installation gives the same layer.
    """
    old = _built_for(folder).encode()
    for path in _kept(folder, parts):
        to = target / path.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            to.symlink_to(path.readlink())
        elif path.is_dir():
            to.mkdir(exist_ok=True)
        else:
            to.write_bytes(moved(path.read_bytes(), old))
            to.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            os.utime(to, (epoch, epoch))
    program = next(path.name for path in sorted((target / "bin").glob("python3.*")) if path.name[8:].isdecimal())
    for name in ("python", "python3"):
        (target / "bin" / name).unlink(missing_ok=True)
        (target / "bin" / name).symlink_to(program)
    (target / "lib" / program / "site-packages").mkdir(exist_ok=True)


def moved(data: bytes, old: bytes) -> bytes:
    """Return the content of a file with the prefix ``old`` replaced by /usr/local.

    In a binary each string keeps its place and its room, and the last name of ``old`` (3.8.18) stays where it was, with
    what follows it: linkers let a string share its end with a longer one, and "3.8.18" is what sys.version shows.
    """
    if not old or old not in data:
        return data
    new = TARGET.encode()
    if b"\0" not in data:
        return data.replace(old, new)

    def shorter(found: re.Match[bytes]) -> bytes:
        was, now = found[0], found[0].replace(old, new)
        room = len(was) - len(now) - 1
        end = was[was.rindex(old) + old.rindex(b"/") + 1 :][-room:] if room > 0 else b""
        return (now + bytes(max(room + 1 - len(end), 0)) + end)[: len(was)]

    return re.sub(re.escape(old) + rb"[^\0]*", shorter, data)


def dockerfile(way: Way, under: str, libraries: Sequence[str], recipe: str) -> str:
    """Return the Dockerfile of the build base: ``under``, Debian's own of the same release, and the Python on top."""
    names = " ".join(libraries)
    return f"""FROM {under}
COPY python {TARGET}
RUN dpkg-query --show {names} >/dev/null 2>&1 || {{ apt-get update && \\
    apt-get install --yes --no-install-recommends {names} && rm -rf /var/lib/apt/lists/*; }}
RUN ldconfig && {way.interpreter} -m compileall -q -j 0 {TARGET}/lib/python{way.python}
LABEL {labels.BASE}={way.python} {table.RECIPE_LABEL}={recipe}
"""


def packages(python: str, root: Path) -> tuple[str, ...]:
    """Return the Debian packages of this machine whose libraries the binaries under ``root`` need. Raises E_BASE."""
    binaries = [str(path) for path in sorted(root.rglob("*")) if path.is_file() and _is_elf(path)]
    out = shell.run(("ldd", *binaries), timeout=60).out.decode(errors="replace")
    needed = sorted({path for path in _LIBRARY.findall(out) if not Path(path).name.startswith("libpython")})
    # dpkg knows a file by the path it was packed with, with /usr in front or without.
    spelt = [path.removeprefix("/usr") for path in needed]
    said = shell.run(("dpkg-query", "--search", *spelt, *(f"/usr{path}" for path in spelt)), timeout=60).out.decode()
    owners = {line.partition(": ")[2].removeprefix("/usr"): line for line in said.splitlines()}
    if strange := [path for path in spelt if path not in owners]:
        raise E_BASE(python=python, why=f"it needs {', '.join(strange)}, which no Debian package of this machine has")
    return tuple(sorted({match[1] for path in spelt if (match := _OWNER.fullmatch(owners[path]))}))


def _kept(folder: Path, parts: Parts) -> Iterator[Path]:
    for path in sorted((folder / "bin").iterdir()):
        if _any(path.name, parts.programs) and not _any(path.name, parts.drop):
            yield path
    for top in ("include", "lib"):
        yield from _below(folder / top, parts.drop)


def _below(folder: Path, drop: Sequence[str]) -> Iterator[Path]:
    if not folder.is_dir() or _any(folder.name, drop):
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, drop)
        elif not _any(path.name, drop):
            yield path


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _built_for(folder: Path) -> str:
    """Return the prefix that is written into the installation, "" when it is none of its own (/usr of a distribution).

    What is shorter than /usr/local finds no room in a binary: such a Python finds its place by itself.
    """
    for path in sorted(folder.glob("lib/python3.*/_sysconfigdata*.py")):
        found = _PREFIX.search(path.read_text(errors="replace"))
        if found and len(found[1]) >= len(TARGET) and found[1] != TARGET:
            return found[1]
    return ""


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
