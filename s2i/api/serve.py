"""Run the server: one for each state folder, on a unix socket that only its user can open; on TCP when told."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import fcntl
import logging
import logging.handlers
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

import s2i
from s2i import dirs
from s2i.api import listener
from s2i.errors import E_BUSY

if TYPE_CHECKING:
    from s2i.control.platform import Platform

LOCK_ATTEMPTS = 10
FILES = 65536  # open at once, at most
LOG_LIMIT = 10 << 20  # bytes of the log file; the one before is kept
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"

log = logging.getLogger("s2i")


def lock() -> IO[str]:
    """Take the lock that the server of this state folder holds while it lives. Raises E_BUSY."""
    file = (dirs.make_private(dirs.state()) / "server.lock").open("a+")
    for _ in range(LOCK_ATTEMPTS):  # a client that looks whether a server lives holds it for a moment
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        time.sleep(0.05)
    file.close()
    advice = "`s2i server stop` ends it, and apps run on; then try again"
    raise E_BUSY(name="the server", holder="another one runs on the same state folder", advice=advice)


def serve(*, listen: str = "", cert: str = "", key: str = "") -> None:
    """Serve until SIGTERM, SIGINT, or a caller's stop. Raises E_BUSY, E_STORE, E_LISTEN, E_CERTIFICATE.

    ``listen``, ``cert``, ``key``: see listener.wanted, which looks at the environment as well.
    """
    wanted = listener.wanted(os.environ, listen=listen, cert=cert, key=key)
    with lock():
        logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=[_log_handler()])
        # What follows takes a third of a second to import: a second server should have ended before.
        from s2i.control.assembly import assemble

        _take_files()
        face = _face(wanted) if wanted else None
        platform = assemble()
        log.info("s2i %s, pid %d, server %s", s2i.__version__, os.getpid(), platform.store.server)
        platform.start()
        try:
            asyncio.run(_listen(platform, face))
        finally:
            platform.stopping.set()
            platform.stop()
            socket().unlink(missing_ok=True)
            log.info("ended")


def _take_files() -> None:
    """Allow this process as many open files as it may have: each request that waits or has a limit is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS says "unlimited", and means less
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(most, FILES) if most != resource.RLIM_INFINITY else FILES, most)
        )


class LogFile(logging.handlers.RotatingFileHandler):
    """The log file, begun anew at LOG_LIMIT; what goes to standard error without asking goes there as well."""

    def __init__(self, path: Path, limit: int = LOG_LIMIT) -> None:
        super().__init__(path, maxBytes=limit, backupCount=1)

    def doRollover(self) -> None:  # noqa: N802 - the name is logging's
        """Begin a new file."""
        super().doRollover()
        if self.stream:
            os.dup2(self.stream.fileno(), sys.stderr.fileno())


def _log_handler() -> logging.Handler:
    """Return where this server's log goes: its file when that is what standard error is, else standard error."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(sys.stderr.fileno()), dirs.server_log().stat()):
            return LogFile(dirs.server_log())
    return logging.StreamHandler(sys.stderr)


def socket() -> Path:
    """Return the path of the server's unix socket."""
    return dirs.runtime() / "s2i.sock"


class _Face(msgspec.Struct, frozen=True):
    """What the server shows on TCP: how hypercorn is to serve it, to which names it answers, what is told of it."""

    config: Any
    hosts: frozenset[str]
    listening: listener.Listening


def _face(wanted: listener.Listener) -> _Face:
    """Take the address, and the certificate for it. Raises E_LISTEN, E_CERTIFICATE."""
    from s2i.api import certificate

    line = listener.bound(wanted)
    one = certificate.ready(dirs.state() / "api", wanted, datetime.datetime.now(datetime.UTC))
    config = listener.settings(line, str(one.chain), str(one.key))
    return _Face(config, frozenset(wanted.names), listener.Listening(wanted.url, one.sha256, str(one.root)))


async def _listen(platform: Platform, face: _Face | None) -> None:
    from hypercorn.asyncio import serve as listen
    from hypercorn.config import Config

    from s2i.api.app import make_app

    loop, stopping = asyncio.get_running_loop(), platform.stopping
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    dirs.make_private(dirs.runtime())
    config = Config()
    config.bind = [f"unix:{socket()}"]
    config.umask = 0o177
    config.keep_alive_timeout = 600.0
    listening = face.listening if face else None
    # An application for each: what comes over TCP can never be taken for the server's own user.
    faces = [(make_app(platform, local=True, listening=listening), config)]
    if face:
        faces.append((make_app(platform, local=False, hosts=face.hosts, listening=listening), face.config))

    async def stopped() -> None:
        await asyncio.to_thread(stopping.wait)

    for _, each in faces:
        each.graceful_timeout = 3.0
        each.errorlog = log
    await asyncio.gather(*(listen(app, each, shutdown_trigger=stopped) for app, each in faces))  # type: ignore[arg-type]
