"""The server as the command line sees it: started when it does not run, asked over its unix socket; or elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

import s2i
from s2i import dirs, errors, shell
from s2i.cli import remote
from s2i.errors import E_INTERNAL, E_SERVER, E_SERVER_NONE, E_SERVER_VERSION, S2IError
from s2i.wire import Refused, Wire

START_SECONDS = 20.0
CALL_SECONDS = 120.0  # deleting waits for requests under way


class RemoteError(S2IError):
    """An error as the server told it."""

    def __init__(self, wire: dict[str, Any]) -> None:
        kind = errors.KINDS.get(str(wire.get("code")), E_INTERNAL)
        Exception.__init__(self, wire.get("message", ""))
        self.kind, self.facts = kind, {}
        self.where, self.message = str(wire.get("found", "")), str(wire.get("message", ""))
        self.advice = str(wire.get("advice", ""))


class Client:
    """Calls of one server's API. Every method raises what the server refused, or E_SERVER."""

    def __init__(self, wire: Wire, failure: Callable[[OSError], S2IError]) -> None:
        self._wire, self._failure = wire, failure

    def call(self, method: str, path: str, body: object = None, timeout: float = CALL_SECONDS) -> Any:
        """Send a request and return the decoded answer."""
        content = None if body is None else msgspec.json.encode(body)
        with self._answered():
            return msgspec.json.decode(self._wire.raw(method, path, body=content, timeout=timeout))

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield what is answered, as it comes; nothing is missing at the end."""
        with self._answered(), self._wire.stream("GET", path) as answer:
            yield from answer.pieces()

    def lines(self, path: str, **query: object) -> Iterator[str]:
        """Yield the lines of a streamed answer as they come."""
        params = {key: str(value).lower() for key, value in query.items() if value is not None}
        with self._answered(), self._wire.stream("GET", path, params) as answer:
            for line in answer.lines():
                yield line.rstrip(b"\n").decode("utf-8", "replace")

    def send(self, path: str, file: BinaryIO, size: int, kind: str, timeout: float = CALL_SECONDS) -> Any:
        """Send ``size`` bytes of a file of a media type, and return the decoded answer."""
        with self._answered():
            return msgspec.json.decode(self._wire.send(path, file, size, kind, timeout))

    @contextlib.contextmanager
    def _answered(self) -> Iterator[None]:
        """Turn what can go wrong with a call into our errors."""
        try:
            yield
        except Refused as refusal:
            raise _refusal(refusal.body) from None
        except OSError as error:
            raise self._failure(error) from None


def connect(*, start: bool = True) -> Client:
    """Return a client of this user's server, started first when it does not run and ``start``.

    Or of the one that S2I_SERVER names, which is never started from here.
    Raises E_SERVER, E_SERVER_NONE, E_SERVER_VERSION, E_SERVER_URL, E_SERVER_REMOTE, E_SERVER_UNKNOWN, E_TOKEN.
    """
    if there := remote.named():
        return _elsewhere(there)
    client = _client()
    about = _about(client)
    if about is None and start:
        about = _start(client)
    if about is None:
        raise E_SERVER_NONE()
    if about["version"] != s2i.__version__:
        raise E_SERVER_VERSION(server=about["version"], client=s2i.__version__)
    return client


def _elsewhere(there: remote.Remote) -> Client:
    wire = Wire(there.url, CALL_SECONDS, tls=there.context(), headers=there.headers())
    client = Client(wire, there.failure)
    about = client.call("GET", "/v1/server", timeout=35.0)
    if about["version"] != s2i.__version__:
        advice = f"install s2i {about['version']} here, or this one there"
        raise E_SERVER_VERSION(server=about["version"], client=s2i.__version__, advice=advice)
    return client


def running() -> tuple[Client, dict[str, Any]] | None:
    """Return a client of the server that runs, whatever its version, and what it says of itself; None: none runs."""
    client = _client()
    about = _about(client)
    return None if about is None else (client, about)


def _client() -> Client:
    return Client(Wire(f"unix://{_socket()}", CALL_SECONDS), lambda error: _silent(str(error) or type(error).__name__))


def _about(client: Client) -> dict[str, Any] | None:
    if not _socket().exists():
        return None
    with contextlib.suppress(S2IError):
        found: dict[str, Any] = client.call("GET", "/v1/server", timeout=35.0)
        return found
    return None


def _start(client: Client) -> dict[str, Any] | None:
    """Start a server and wait until it answers. Of two that start at once, one gets the lock and serves both."""
    log = dirs.server_log()
    dirs.make_private(log.parent)
    size = log.stat().st_size if log.exists() else 0
    pid = shell.spawn(
        (sys.executable, "-m", "s2i", "server", "run", "-o", "json"), log=log, env=_environment(), cwd=Path("/")
    )
    until = time.monotonic() + START_SECONDS
    ended = False
    while time.monotonic() < until:
        if (about := _about(client)) is not None:
            # One that came too late would begin when the one that was faster is stopped.
            while about["pid"] != pid and shell.alive(pid) and time.monotonic() < until:
                time.sleep(0.02)
            return about
        if ended and not _locked():
            raise _last_error(log, size)
        ended = not shell.alive(pid)
        time.sleep(0.02)
    raise _silent(f"it did not answer within {START_SECONDS:g} s")


def _environment() -> dict[str, str]:
    """Return the environment for a server, whose working directory is another one, and which is here to stay.

    What looks secret stays with the person who has it: so does an index, whose address may hold a password.
    """
    from s2i.images.private.index import VARIABLES
    from s2i.planning.secretnames import looks_secret

    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES and not looks_secret(k)}
    if paths := environment.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep))
    # A deployment has threads of its own, and the C library keeps what they freed: 6 of 61 MB after the first.
    return {"MALLOC_ARENA_MAX": "1", **environment}


def _locked() -> bool:
    """Say whether some server, this one's or a faster one, lives."""
    import fcntl

    with (dirs.state() / "server.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _last_error(log: Path, offset: int) -> S2IError:
    """Return why a server ended as soon as it was started: `server run -o json` says it in its last line."""
    with log.open("rb") as file:
        file.seek(offset if log.stat().st_size >= offset else 0)  # it began a new file
        lines = file.read().splitlines()
    return _refusal(lines[-1]) if lines else _silent("it ended at once")


def _refusal(content: bytes) -> S2IError:
    try:
        return RemoteError(msgspec.json.decode(content)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return _silent(f"it answered {content[:80]!r}")


def _silent(why: str) -> S2IError:
    return E_SERVER(socket=_socket(), why=why, log=dirs.server_log())


def _socket() -> Path:
    return dirs.runtime() / "s2i.sock"
