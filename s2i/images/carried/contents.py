"""Read files of an image without running anything of it: from a container that is made and never started."""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from s2i.resources import labels

if TYPE_CHECKING:
    import docker

CHUNK = 2 << 20  # bytes
OVERHEAD = 1000  # bytes that a file takes beside its content: an image may hold a million empty ones


def files(
    client: docker.DockerClient, image: str, wanted: Callable[[str], bool], *, limit: int, room: int
) -> Iterator[tuple[str, bytes]]:
    """Yield path (no slash in front) and content of each regular file that is ``wanted``.

    Files of more than ``limit`` bytes are left out, and so is what comes after ``room`` bytes of all of them. The
    whole image streams by: 100 MB take about half a second.
    """
    made = client.api.create_container(
        image,
        command=["none"],
        entrypoint=[],
        labels={labels.READER: image},
        network_disabled=True,
    )
    try:
        stream = client.api.export(made["Id"], chunk_size=CHUNK)
        with contextlib.closing(stream), tarfile.open(fileobj=_Reader(stream), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                path = member.name.removeprefix("./").lstrip("/")
                if member.isfile() and member.size <= limit and wanted(path):
                    room -= member.size + OVERHEAD
                    if room < 0:
                        return
                    content = archive.extractfile(member)
                    assert content is not None
                    yield path, content.read()
                archive.members.clear()  # it remembers each, which is of no use in a stream
    finally:
        client.api.remove_container(made["Id"], force=True, v=True)


class _Reader:
    """Chunks as a file that can be read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        parts = []
        while size:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            parts.append(self._rest[:size])
            self._rest = self._rest[len(parts[-1]) :]
            size -= len(parts[-1])
        return b"".join(parts)
