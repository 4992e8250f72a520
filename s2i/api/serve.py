"""Run the server: one for each state folder, on a unix socket that only its user can open."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import logging.handlers
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import s2i
from s2i import dirs
from s2i.errors import E_BUSY

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
    raise E_BUSY(name="the server", holder="another one runs on the same state folder")


def serve() -> None:
    """Serve until SIGTERM, SIGINT, or a caller's stop. Raises E_BUSY, E_STORE."""
    with lock():
        logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=[_log_handler()])
        # What follows takes a third of a second to import: a second server should have ended before.
        from s2i.api.app import make_app
        from s2i.control.assembly import assemble

        _take_files()
        platform = assemble()
        log.info("s2i %s, pid %d, server %s", s2i.__version__, os.getpid(), platform.store.server)
        platform.start()
        try:
            asyncio.run(_listen(make_app(platform, local=True), platform.stopping))
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


async def _listen(app: Any, stopping: threading.Event) -> None:
    from hypercorn.asyncio import serve as listen
    from hypercorn.config import Config

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    dirs.make_private(dirs.runtime())
    config = Config()
    config.bind = [f"unix:{socket()}"]
    config.umask = 0o177
    config.graceful_timeout = 3.0
    config.errorlog = log
    config.keep_alive_timeout = 600.0

    async def stopped() -> None:
        await asyncio.to_thread(stopping.wait)

    await listen(app, config, shutdown_trigger=stopped)
