"""A program beside what runs in a container, as the same user; and a file put onto one of its volumes."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s2i.engines.docker import connection
from s2i.engines.docker.output import frames
from s2i.engines.docker.sealed import UID
from s2i.errors import E_CONTAINER, E_DOCKER
from s2i.wire import Refused, Wire

_ERRORS, _KEPT = 2, 8 << 10  # standard error, of which the last bytes are kept


def run(wire: Wire, container: str, command: tuple[str, ...], out: Callable[[bytes], object]) -> tuple[int, str]:
    """Run a program in a container; give ``out`` what it writes; return its exit status and the end of its errors.

    Raises E_CONTAINER, E_DOCKER.
    """
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command), "User": f"{UID}:0", "Privileged": False}
    said = bytearray()
    try:
        ident = wire.post(f"/containers/{container}/exec", None, body)["Id"]
        headers = {"Content-Type": "application/json"}
        with wire.stream("POST", f"/exec/{ident}/start", None, b'{"Detach":false,"Tty":false}', headers) as answer:
            for stream, piece in frames(answer.pieces()):
                if stream == _ERRORS:
                    said = (said + piece)[-_KEPT:]
                else:
                    out(piece)
        found: dict[str, Any] = wire.get(f"/exec/{ident}/json")
    except Refused as error:
        raise E_CONTAINER(name=container, why=error) from None
    except OSError as error:
        raise E_DOCKER(socket=connection.host(), why=error) from None
    return -1 if found["ExitCode"] is None else int(found["ExitCode"]), said.decode("utf-8", "replace")


def archive(name: str, size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the archive of one file of the user of containers, which has ``size`` bytes."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.uid, entry.gid = size, 0o600, UID, 0
    yield entry.tobuf()
    yield from pieces
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
