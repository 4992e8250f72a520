"""Where s2i keeps its state, cache and sockets (XDG, or one folder named by S2I_HOME)."""

import os
from pathlib import Path


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


def make_private(folder: Path) -> Path:
    """Create ``folder`` with mode 0700 (parents as the umask says) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)
    return folder


def _home(part: str) -> Path | None:
    given = os.environ.get("S2I_HOME")
    return Path(given).absolute() / part if given else None


def _xdg(variable: str, default: str) -> Path:
    given = os.environ.get(variable)
    return (Path(given) if given else Path.home() / default) / "s2i"
