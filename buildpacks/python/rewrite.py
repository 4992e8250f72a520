"""Programs that change requirements in the build, before uv reads them. (No backslash may stand in their text.)"""

from __future__ import annotations

from collections.abc import Iterator

from buildpacks.python.install import VENV
from buildpacks.python.manifest import Manifest
from s2i.planning.plan import Run, Words

# Requirements as uv reads them: UTF-8, each on one line.
_READ = """import pathlib, sys;
utf16 = (bytes([255, 254]), bytes([254, 255]));
read = lambda data: data.decode("utf-16" if data.startswith(utf16) else "utf-8-sig");
join = lambda text: text.replace(chr(13), "").replace(chr(92) + chr(10), "");
"""
_REWRITE = _READ + "[path.write_text(join(read(path.read_bytes()))) for path in map(pathlib.Path, sys.argv[1:])]"
_NAME = 'name = lambda line: re.sub("[-_.]+", "-", re.split("[^A-Za-z0-9._-]", line.strip())[0]).lower();\n'
# The same, without the distributions that the first word names, with a comma between.
_DROP = (
    "import re;\n"
    + _READ
    + _NAME
    + """out = sys.argv[1].split(",");
keep = lambda text: chr(10).join(line for line in text.split(chr(10)) if name(line) not in out);
[path.write_text(keep(join(read(path.read_bytes())))) for path in map(pathlib.Path, sys.argv[2:])]"""
)
# Of the file that the first word names, the lines of the distributions that further words name go to the second.
_PICK = (
    "import fnmatch, re;\n"
    + _READ
    + _NAME
    + """source, to, *wanted = sys.argv[1:];
lines = join(read(pathlib.Path(source).read_bytes())).split(chr(10));
picked = [line for line in lines if any(fnmatch.fnmatchcase(name(line), each) for each in wanted)];
pathlib.Path(to).write_text(chr(10).join([*picked, str()]))"""
)


def rewrite(manifest: Manifest, python: str = f"{VENV}/bin/python") -> Iterator[Run]:
    """Yield what changes the files of ``manifest``, by ``python``."""
    if manifest.dropped:
        names = ",".join(manifest.dropped)
        yield Run("build", "Leave out what only Windows has", (python, "-c", _DROP, names, *manifest.rewrite))
    elif manifest.rewrite:
        why = "Rewrite what pip reads and uv does not: UTF-16, a requirement over two lines"
        yield Run("build", why, (python, "-c", _REWRITE, *manifest.rewrite))


def picked(source: str, to: str, names: tuple[str, ...]) -> Words:
    """Return the command that writes what ``source`` says of ``names`` to ``to``, where each has one line."""
    either = "|".join(name.replace("*", ".*") for name in names)
    return ("sed", "-nE", f"/^({either})[ =@]/w {to}", source)


def picked_with_hashes(python: str, source: str, to: str, names: tuple[str, ...]) -> Words:
    """Return the command that does the same where a requirement goes over many lines; run by ``python``."""
    return (python, "-c", _PICK, source, to, *names)
