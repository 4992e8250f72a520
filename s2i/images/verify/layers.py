"""The files of two images, compared: what is in the archive that `docker save` makes."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

SAMPLE = 1 << 20  # bytes of a file that are kept to be looked at
_CHUNK = 1 << 20
What = Literal["content", "mode", "time", "owner", "type", "only in the first", "only in the second"]


class File(msgspec.Struct, frozen=True):
    """One entry of a layer. ``digest`` is of a file's content, or the target of a link."""

    type: str
    mode: int
    owner: tuple[int, int]
    time: int
    digest: str


class Difference(msgspec.Struct, frozen=True):
    """One path that differs, in the layer of that number (from 0), and in what; the content of both as far as kept.

    ``by``: the instruction that made the layer, like "COPY"; "" where the image does not tell.
    """

    layer: int
    path: str
    what: tuple[What, ...]
    folder: bool = False
    contents: tuple[bytes, bytes] = (b"", b"")
    by: str = ""


def differences(first: Path, second: Path) -> Iterator[Difference]:
    """Yield what differs between the images in two archives, layer by layer, by path."""
    with tarfile.open(first) as one, tarfile.open(second) as other:
        pairs = list(zip(_layers(one), _layers(other), strict=False))
        for number, ((left, content, by), (right, others, _)) in enumerate(pairs):
            if content == others:
                continue
            with _layer(one, left) as a, _layer(other, right) as b:
                yield from _compared(number, by, a, b)


def _layers(archive: tarfile.TarFile) -> list[tuple[str, str, str]]:
    """Return the name of each layer in the archive, the digest of what is in it, and the instruction that made it."""
    manifest = json.loads(_opened(archive, "manifest.json").read())[0]
    config = json.loads(_opened(archive, manifest["Config"]).read())
    names, digests = manifest["Layers"], config["rootfs"]["diff_ids"]
    made = [_instruction(step) for step in config.get("history") or () if not step.get("empty_layer")]
    return list(zip(names, digests, made if len(made) == len(names) else [""] * len(names), strict=True))


def _instruction(step: dict[str, Any]) -> str:
    words = str(step.get("created_by") or "").removeprefix("/bin/sh -c #(nop) ").split()
    return words[0] if words else ""


def _layer(archive: tarfile.TarFile, name: str) -> tarfile.TarFile:
    # The containerd image store saves its layers as it has them: compressed, most often.
    return tarfile.open(fileobj=_opened(archive, name), mode="r:*")


def _opened(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.getmember(name)
    file = archive.extractfile(member)
    if file is None:
        raise FileNotFoundError(name)
    return file


def _compared(layer: int, by: str, first: tarfile.TarFile, second: tarfile.TarFile) -> Iterator[Difference]:
    left, right = _files(first), _files(second)
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path), right.get(path)
        what = _what(one, other)
        if not what:
            continue
        contents = (b"", b"")
        if "content" in what:
            contents = (_sample(first, path), _sample(second, path))
        yield Difference(layer, path, what, (one or other or _NONE).type == "folder", contents, by)


_NONE = File("", 0, (0, 0), 0, "")


def _what(one: File | None, other: File | None) -> tuple[What, ...]:
    if one is None:
        return ("only in the second",)
    if other is None:
        return ("only in the first",)
    pairs: tuple[tuple[What, bool], ...] = (
        ("type", one.type != other.type),
        ("content", one.digest != other.digest),
        ("mode", one.mode != other.mode),
        ("owner", one.owner != other.owner),
        ("time", one.time != other.time),
    )
    return tuple(what for what, differs in pairs if differs)


def _files(layer: tarfile.TarFile) -> dict[str, File]:
    return {
        member.name.removeprefix("./").rstrip("/"): File(
            type=_type(member),
            mode=member.mode,
            owner=(member.uid, member.gid),
            time=int(member.mtime),
            digest=_digest(layer, member),
        )
        for member in layer
    }


def _type(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "folder"
    return "file" if member.isfile() else "link" if member.issym() or member.islnk() else "other"


def _digest(layer: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = layer.extractfile(member) if member.isfile() else None
    if file is None:
        return member.linkname
    total = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return total.hexdigest()


def _sample(layer: tarfile.TarFile, path: str) -> bytes:
    member = next(m for m in layer.getmembers() if m.name.removeprefix("./").rstrip("/") == path)
    file = layer.extractfile(member) if member.isfile() else None
    return file.read(SAMPLE) if file else member.linkname.encode()
