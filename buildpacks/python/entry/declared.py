"""What the source itself declares to run: its Procfile, .s2i/environment, gunicorn.conf.py, app.yaml.

A declaration holds when what it names is there. One that lies is overruled, and said.
"""

from __future__ import annotations

import posixpath
import re

import msgspec

from buildpacks.python.entry import command, procfile
from buildpacks.python.entry.procfile import Line
from buildpacks.python.manifest import Manifest
from s2i.patterns import lazily
from s2i.planning.plan import Process
from s2i.planning.values import WebKind
from s2i.sources import Notice, Tree

_ENVIRONMENT = ".s2i/environment"
_ENTRYPOINT = lazily(r"^entrypoint:[ \t]*(.+)$", re.MULTILINE)
# Options of a server that change how it works, and not where it listens: they are kept.
_KEPT = lazily(
    r"--(?:workers|threads|timeout|worker-connections|max-requests|max-requests-jitter|graceful-timeout|keep-alive"
    r"|log-level|limit-request-line|limit-request-fields|limit-concurrency|backlog|ws|root-path|websocket-ping-interval)"
)
_SHORT = {"-w": "--workers", "-t": "--timeout"}
_PLAIN = lazily(r"[A-Za-z0-9._/][A-Za-z0-9._/-]{0,39}")


class Claim(msgspec.Struct, frozen=True):
    """What is to be served, as somebody wrote it down: a ``target`` "module:name", or a ``script``.

    ``argv`` is the whole command, of one that names neither and can be run. ``options`` are a server's name and those
    of its options that are kept.
    """

    where: str
    target: str = ""
    script: str = ""
    kind: WebKind = "wsgi"  # what the server that it is given to serves
    argv: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Declared(msgspec.Struct, frozen=True):
    """All claims, best first; the other processes; what lied, and why.

    ``folder`` is the one that the web process changes to.
    """

    claims: tuple[Claim, ...] = ()
    processes: tuple[Process, ...] = ()
    lines: tuple[Line, ...] = ()
    lies: tuple[Notice, ...] = ()
    folder: str = ""

    def notices(self, used: str) -> tuple[Notice, ...]:
        """Say what was declared and is not run as it stands; ``used`` is the ``file:line`` that decided."""
        said = {lie.where for lie in self.lies}
        web = [line for line in self.lines if line.type == "web" and line.where not in said | {used}]
        return (*self.lies, *(procfile.overruled(line, f"{used or 'the code'} decides") for line in web))


def read(tree: Tree, manifest: Manifest) -> Declared:
    """Return what is declared. Raises E_PROCFILE, E_ENCODING (exit 3)."""
    lines = procfile.read(tree)
    claims: list[Claim] = []
    lies: list[Notice] = []
    folder = ""
    for line in lines:
        if line.type != "web":
            continue
        if line.command is None:
            lies.append(procfile.overruled(line, "only a shell could tell what it starts"))
            continue
        if why := command.missing(line.command, tree, manifest.names, frozenset(manifest.scripts)):
            lies.append(procfile.overruled(line, why))
            if line.command.program in command.SERVERS or line.command.program == "python":
                continue
        if line.command.before:
            text = f"`{line.command.before[0][:80]}` is not run in each instance: run it as a job, once"
            lies.append(Notice("W_PROCFILE", text, line.where))
        folder = folder or line.command.folder
        claims.append(_claim(line.command, line.where, "" if why else line.text))
    claims += _environment(tree)
    folder = folder or _settings(tree).get("APP_HOME", ("", ""))[0].strip("/")
    claims += _gunicorn(tree)
    claims += _app_yaml(tree)
    return Declared(tuple(claims), procfile.others(lines), lines, tuple(lies), folder)


def _claim(found: command.Command, where: str, text: str) -> Claim:
    script = posixpath.normpath(posixpath.join(found.folder, found.script)) if found.script else ""
    if found.module and not found.target:
        script = f"{found.module.replace('.', '/')}/__main__.py"
    argv = (found.program, *found.words)
    if any(mark in text for mark in "$=") or found.folder:
        line = text.rpartition("&&")[2].strip()
        is_set = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*=.*", line, re.DOTALL)
        argv = ("sh", "-c", f"{f'cd {found.folder} && ' if found.folder else ''}exec {'env ' if is_set else ''}{line}")
    is_program = text and not found.target and not found.script and found.program not in ("python", *command.SERVERS)
    is_asgi = found.program in ("uvicorn", "hypercorn", "daphne", "fastapi") or "uvicorn" in " ".join(found.words)
    kind: WebKind = "asgi" if is_asgi else "wsgi"
    return Claim(where, found.target, script, kind, argv if is_program else (), _options(found))


def _options(found: command.Command) -> tuple[str, ...]:
    """Return the options of a server that are kept: known ones with a plain value. Where it listens is ours."""
    kept: list[str] = []
    words = list(found.words)
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        name = _SHORT.get(name, name)
        value = value if equals else (words[index + 1] if index + 1 < len(words) else "")
        if found.program in ("gunicorn", "uvicorn") and _KEPT.fullmatch(name) and _PLAIN.fullmatch(value):
            kept += [name, value]
        elif found.program == "gunicorn" and word == "--preload":
            kept.append(word)
    return (found.program, *kept) if kept else ()


def _environment(tree: Tree) -> list[Claim]:
    """Read .s2i/environment, as the builder images of OpenShift do: APP_MODULE, APP_FILE, APP_HOME."""
    found = _settings(tree)
    home = found.get("APP_HOME", ("", ""))[0].strip("/")
    claims = []
    if "APP_MODULE" in found:
        claims.append(Claim(found["APP_MODULE"][1], target=found["APP_MODULE"][0]))
    if "APP_FILE" in found:
        value, where = found["APP_FILE"]
        claims.append(Claim(where, script=posixpath.normpath(posixpath.join(home, value))))
    return claims


def _settings(tree: Tree) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    if _ENVIRONMENT in tree:
        for number, line in enumerate(tree.text(_ENVIRONMENT, 64 << 10).splitlines(), 1):
            name, _, value = line.strip().partition("=")
            found[name] = (value.strip("\"'"), f"{_ENVIRONMENT}:{number}")
    return found


def _gunicorn(tree: Tree) -> list[Claim]:
    """Read ``wsgi_app`` of gunicorn.conf.py."""
    for number, line in enumerate(config_lines(tree), 1):
        found = re.fullmatch(r"""wsgi_app\s*=\s*["']([A-Za-z0-9_.:()]+)["']\s*(?:#.*)?""", line)
        if found:
            return [Claim(f"gunicorn.conf.py:{number}", target=found[1])]
    return []


def config_lines(tree: Tree) -> list[str]:
    """Return the lines of gunicorn.conf.py, which gunicorn reads by itself; none when there is no such file."""
    if "gunicorn.conf.py" not in tree:
        return []
    return tree.read("gunicorn.conf.py").decode(errors="replace").splitlines()


def _app_yaml(tree: Tree) -> list[Claim]:
    """Read ``entrypoint`` of App Engine's app.yaml."""
    if "app.yaml" not in tree:
        return []
    text = tree.read("app.yaml").decode(errors="replace")
    found = _ENTRYPOINT.search(text)
    read_ = command.read(found[1].strip().strip("\"'")) if found else None
    if not found or read_ is None or not (read_.target or read_.script):
        return []
    line = text.count("\n", 0, found.start()) + 1
    return [_claim(read_, f"app.yaml:{line}", "")]
