"""One answer of HTTP/1.1, read from a connection: https://www.rfc-editor.org/rfc/rfc9112.

By itself, because http.client brings the parser of e-mails and TLS, which take longer to import than a command takes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

HEAD_LIMIT = 64 << 10  # bytes of the status line and all fields, and those of interim answers; of the trailer, too
CHUNK_LINE_LIMIT = 4 << 10  # bytes of the line that says how long a chunk is
BODY_LIMIT = 256 << 20  # bytes of an answer that is taken as a whole
DIGITS = 18  # of a length
PIECE = 64 << 10  # bytes that are handed on at most at once
_HEXADECIMAL = b"0123456789abcdefABCDEF"


class NoHTTP(OSError):
    """What answers speaks another language than HTTP/1.1."""


class Answer:
    """The answer to ``method`` that ``file`` holds; ``status`` and ``headers`` (names in small letters) are read.

    Raises NoHTTP; ConnectionError when it ends too early; OSError as the file does.
    """

    def __init__(self, file: io.BufferedReader, method: str) -> None:
        self._file, self._method = file, method
        self.status, self.headers = _head(file)

    def read(self) -> bytes:
        """Return the rest of the body, BODY_LIMIT bytes at most. Raises as the answer does."""
        found: list[bytes] = []
        size = 0
        for piece in self.pieces():
            size += len(piece)
            if size > BODY_LIMIT:
                raise NoHTTP(f"the answer is longer than {BODY_LIMIT >> 20} MB")
            found.append(piece)
        return b"".join(found)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in the pieces in which it comes, none of them empty. Raises as the answer does."""
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if self._method == "HEAD" or self.status in (204, 304):
            return
        if coding is not None:
            if coding.lower() != "chunked":
                raise NoHTTP(f"the answer is encoded in a way that nobody asked for: {coding[:80]!r}")
            yield from self._chunks()
        elif length is not None:
            yield from self._exactly(_length(length))
        else:
            while piece := self._file.read1(PIECE):
                yield piece

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the body with their ends, each as soon as it is there. Raises as the answer does."""
        begun: list[bytes] = []
        for piece in self.pieces():
            for part in io.BytesIO(piece):
                begun.append(part)
                if part.endswith(b"\n"):
                    yield b"".join(begun)
                    begun.clear()
        if begun:
            yield b"".join(begun)

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._file.read1(min(size, PIECE))
            if not piece:
                raise _cut("its body")
            size -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._exactly(size)
            if _line(self._file, CHUNK_LINE_LIMIT, "its body"):
                raise NoHTTP("a chunk is longer than it says")
        _fields(self._file, HEAD_LIMIT)  # the trailer, of which nothing is wanted

    def _chunk_size(self) -> int:
        size = _line(self._file, CHUNK_LINE_LIMIT, "its body").partition(b";")[0].strip()
        if not 0 < len(size) <= 16 or size.strip(_HEXADECIMAL):
            raise NoHTTP(f"this is no length of a chunk: {size[:80]!r}")
        return int(size, 16)


def _head(file: io.BufferedReader) -> tuple[int, dict[str, str]]:
    """Read up to the body; what is answered in the meantime (100 Continue) is passed over."""
    left = HEAD_LIMIT
    while True:
        first = _line(file, left, "its first line")
        version, _, rest = first.partition(b" ")
        code = rest[:3]
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or not code.isdigit() or rest[3:4] not in (b"", b" "):
            raise NoHTTP(f"this is no answer of HTTP: {first[:80]!r}")
        headers, left = _fields(file, left - len(first))
        if not 100 <= (status := int(code)) < 200 or status == 101:
            return status, headers


def _fields(file: io.BufferedReader, left: int) -> tuple[dict[str, str], int]:
    """Read fields up to the empty line after them; return how much of ``left`` bytes is left, too."""
    found: dict[str, str] = {}
    while line := _line(file, left, "its head"):
        left -= len(line)
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise NoHTTP(f"this is no field of a head: {line[:80]!r}")
        key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found, left


def _line(file: io.BufferedReader, limit: int, where: str) -> bytes:
    line = file.readline(max(limit, 1) + 1)
    if not line.endswith(b"\n"):
        raise NoHTTP(f"{where} is too long") if len(line) > limit else _cut(where)
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _length(value: str) -> int:
    said = {part.strip() for part in value.split(",")}  # a repeated field is one as long as it says the same
    size = said.pop()
    if said or not (size.isascii() and size.isdigit() and len(size) <= DIGITS):
        raise NoHTTP(f"this is no length of an answer: {value[:80]!r}")
    return int(size)


def _cut(where: str) -> ConnectionError:
    return ConnectionError(f"the connection was closed in the middle of the answer, in {where}")
