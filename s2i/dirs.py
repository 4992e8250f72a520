"""Where s2i keeps its state, cache and sockets (XDG, or one folder named by S2I_HOME)."""

import os
import stat
import threading
from pathlib import Path

from s2i.errors import E_NOT_PRIVATE


def state() -> Path:
    """Return the folder of what must survive a reboot: the database, job logs, the proxy's data."""
    return _home("state") or _xdg("XDG_STATE_HOME", ".local/state")


def cache() -> Path:
    """Return the folder of what can be made again: clones, build contexts, what the engine offers."""
    return _home("cache") or _xdg("XDG_CACHE_HOME", ".cache")


def runtime() -> Path:
    """Return the folder of sockets and slot files: gone after a reboot, on a tmpfs where there is one."""
    if home := _home("run"):
        return home
    if given := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(given) / "s2i"
    return Path("/run/s2i") if os.geteuid() == 0 else Path(f"/tmp/s2i-{os.geteuid()}")  # noqa: S108


def server_log() -> Path:
    """Return the file that a server in the background writes to."""
    return state() / "logs" / "server.log"


def make_private(folder: Path) -> Path:
    """Create ``folder``, and the parents that are missing, with mode 0700, and return it.

    Raises E_NOT_PRIVATE when it is a link or somebody else's: who owns the folder of the sockets owns the server;
    and when it cannot be made.
    """
    missing = [folder, *folder.parents]
    try:
        for part in reversed(missing[: next(n for n, part in enumerate(missing) if os.path.lexists(part))]):
            part.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        advice = "name a folder that you can write to with S2I_HOME"
        raise E_NOT_PRIVATE(path=folder, why=error.strerror or error, advice=advice) from None
    if not stat.S_ISDIR(found.st_mode):
        raise E_NOT_PRIVATE(path=folder, why="it is not a folder")
    if found.st_uid != os.geteuid():
        raise E_NOT_PRIVATE(path=folder, why=f"it belongs to user {found.st_uid}")
    folder.chmod(0o700)
    return folder


def write(path: Path, data: bytes) -> None:
    """Write ``path`` as a whole: whoever reads it meanwhile sees what was there before, or ``data``."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(data)
    draft.replace(path)


def _home(part: str) -> Path | None:
    given = os.environ.get("S2I_HOME")
    return Path(given).absolute() / part if given else None


def _xdg(variable: str, default: str) -> Path:
    given = os.environ.get(variable)
    return (Path(given) if given else Path.home() / default) / "s2i"
