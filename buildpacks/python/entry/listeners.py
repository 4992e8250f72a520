"""Scripts that serve by themselves: which one is taken, and how it is told where to listen."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.code import Code
from s2i.planning.listening import Listener, Listening
from s2i.sources import Notice

PATH = Path(__file__).parents[1] / "listening.toml"
_OURS = lazily(r"[A-Za-z0-9=_-]*\$\{PORT:-\d+\}")  # words of s2i's own that the shell fills in
PORT = 8080
ANY = "0.0.0.0"  # noqa: S104 - in a container, it is the router that can reach it
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# The variables of a program of one's own that say where it listens; DB_PORT and the like say where others do.
_OWN = ("APP", "SERVER", "HTTP", "WEB", "LISTEN", "BIND", "API", "SERVICE", "FUNCTIONS_CUSTOMHANDLER", "UVICORN", "MCP")


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    listening: tuple[Listening, ...] = ()


class Start(msgspec.Struct, frozen=True):
    """The command, the port that is listened on unless $PORT says otherwise, and what a person should know."""

    command: tuple[str, ...]
    port: int = PORT
    notices: tuple[Notice, ...] = ()


@functools.cache
def table() -> tuple[Listening, ...]:
    """Return listening.toml."""
    return toml.load(PATH, _Table).listening


def rows(code: Code) -> tuple[Listening, ...]:
    """Return the rows that can be about ``code``: it imports what they name."""
    names = {name for module in code.modules.values() for name in module.imports}
    words = (word for name in names for word in (f'"{name}"', f'"{name}.'))
    return toml.select(PATH, _Table, words).listening


def start(code: Code, listener: Listener, command: tuple[str, ...] = ()) -> Start:
    """Return how a listener is started; ``command`` is how the program itself is run (`python PATH` by default)."""
    row, module = listener.row, listener.module
    if row.start:
        known = {"{path}": module.path, "{module}": module.name, "{function}": listener.function}
        return Start(_line(tuple(known.get(word, word) for word in row.start), {}))
    words = command or run(module.path)
    reads = {name for each in code.modules.values() for name in each.reads}
    env, port, notices = dict(row.env), PORT, []
    is_told = "PORT" in reads or (any("PORT" in value for value in env.values()) and not listener.port)
    if listener.port_option and "PORT" not in reads:
        words = (*words, f"--{listener.port_option.removeprefix('--')}=${{PORT:-{PORT}}}")
    elif not is_told and (own := _own_variable(reads)):
        env[own] = f"${{PORT:-{PORT}}}"
    elif "PORT" not in reads and not is_told:
        port = listener.port or row.port or PORT
        if listener.port and listener.port != PORT:
            text = f"listens on {port}, which is written in the code; reading it from $PORT would be better"
            notices.append(Notice("W_PORT", text, listener.where))
    if listener.host_option:
        words = (*words, f"--{listener.host_option.removeprefix('--')}={ANY}")
    elif listener.host in _LOOPBACK or (row.loopback and not listener.host and ANY not in env.values()):
        host = listener.host or "127.0.0.1"
        text = f"listens on {host}: nobody outside of the container reaches that; make it {ANY}"
        notices.append(Notice("W_LOOPBACK", text, listener.where))
    return Start(_line(words, env), port, tuple(notices))


def run(path: str) -> tuple[str, ...]:
    """Return the command that runs a script: a package's ``__main__`` by its name, a file by its path."""
    if path.endswith("/__main__.py"):
        package = path.removesuffix("/__main__.py").removeprefix("src/").replace("/", ".")
        if package.replace(".", "_").isidentifier():
            return ("python", "-m", package)
    return ("python", path)


def _own_variable(reads: set[str]) -> str:
    own = sorted(name for name in reads if name.endswith("PORT") and name.startswith(_OWN))
    return own[0] if own else ""


def _line(words: tuple[str, ...], env: dict[str, str]) -> tuple[str, ...]:
    """Return a command; a shell stands in front, and is replaced, only where something has to be expanded."""
    if not env and not any(_OURS.fullmatch(word) for word in words):
        return words
    import shlex

    settings = "".join(f'export {name}="{value}"; ' for name, value in env.items())
    quoted = " ".join(f'"{word}"' if _OURS.fullmatch(word) else shlex.quote(word) for word in words)
    return ("sh", "-c", f"{settings}exec {quoted}")
