"""The log of an app or a job run: the lines of all its containers in the order of time."""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator

import msgspec

from s2i.control import kept
from s2i.control.follow import BATCH, Follower, Said
from s2i.control.position import Position
from s2i.control.subject import Subject
from s2i.control.veil import CLEAR, Veil
from s2i.engines.engine import Engine, Line, Observed

MERGED = 100  # files that are read at once; of more than that one is told after the other, as they ended
TAIL_BYTES = 32 << 20  # of lines that are held to know which are the last


class Wish(msgspec.Struct, frozen=True):
    """Which lines: the last ``tail``; of an ``instance``, or of all of "r3"; of those that ended (``previous``)."""

    tail: int | None = None
    instance: str = ""
    previous: bool = False
    follow: bool = False


class Head(msgspec.Struct, frozen=True):
    """What comes before the lines: the instances that have some, and those that could be asked for instead."""

    instances: tuple[str, ...]
    ended: tuple[str, ...] = ()


class Shown(msgspec.Struct, frozen=True):
    """One line as callers see it; ``at`` as the engine writes a time. Bytes that are no UTF-8 are replaced."""

    at: str
    instance: str
    line: str


def log_of(
    engine: Engine, subject: Subject, wish: Wish, exists: Callable[[], bool], veil: Veil = CLEAR
) -> Generator[bytes, None, None]:
    """Yield JSON objects, a line each: a Head, then Shown ones, some at a time; b"" now and then while none comes.

    Of an app it is what runs that is told, unless ``previous`` is wished; of a job run what has ended as well.
    With ``follow`` it goes on, over the containers that come and go, until the subject no longer ``exists``.
    ``veil``: what hides the subject's secrets.

    Raises E_DOCKER.
    """
    ended = subject.kept(wish.instance)
    names = tuple(dict.fromkeys(one.instance for one in ended))
    if wish.previous:
        yield _encoded(Head(names))
        yield from _batches(_tail(_of_ended(ended, wish.tail, veil), wish.tail))
        return
    boxes = subject.containers(engine.observe(), wish.instance)
    told: tuple[kept.Kept, ...] = ()
    if subject.role == "task":
        told = ended
        # What has ended and is not removed yet is told once, as it is kept.
        boxes = [box for box in boxes if not any(kept.is_of(one, box.id) for one in ended)]
    yield _encoded(Head(tuple(dict.fromkeys((*(one.instance for one in told), *_names(boxes)))), names))
    tail = wish.tail if wish.tail is None or not wish.follow else max(wish.tail, 1)  # from there it goes on
    read = {box.id: Position() for box in boxes}
    veils: dict[str, Veil] = {}
    with contextlib.ExitStack() as stack:
        streams = [_said(one.instance, veil.again().lines(kept.read(one))) for one in told]
        if len(streams) > MERGED:
            streams = [itertools.chain.from_iterable(streams)]
        for box in boxes:
            lines = engine.logs(box.id, tail=tail)
            stack.callback(lines.close)
            veils[box.id] = veil.again()
            streams.append(_said(box.owner.instance, veils[box.id].lines(read[box.id].passing(lines))))
        yield from _batches(_tail(heapq.merge(*streams, key=lambda said: said.at), wish.tail))
    if not wish.follow:
        return
    begun = [(box, read[box.id], veils[box.id]) for box in boxes]
    with Follower(engine, subject, wish.instance, begun, ended, veil) as follower:
        while exists():
            yield b"".join(map(_shown, follower.next()))
        yield from _batches(follower.rest())


def _names(boxes: Iterable[Observed]) -> list[str]:
    return [one.owner.instance for one in boxes]


def _of_ended(ended: tuple[kept.Kept, ...], tail: int | None, veil: Veil) -> Iterator[Said]:
    """Yield the lines of instances that ended, one after the other; of no more than have ``tail`` lines."""
    first, lines = 0, 0
    if tail is not None:
        first = len(ended)
        while first and lines < tail:
            first -= 1
            lines += sum(1 for _ in kept.read(ended[first]))
    for one in ended[first:]:
        yield from _said(one.instance, veil.again().lines(kept.read(one)))


def _said(instance: str, lines: Iterable[Line]) -> Iterator[Said]:
    for line in lines:
        yield Said(line.at, instance, line.text)


def _tail(lines: Iterator[Said], tail: int | None) -> Iterator[Said]:
    """Yield the last ``tail`` of ``lines``, fewer when they are more than TAIL_BYTES."""
    if tail is None:
        yield from lines
        return
    last: collections.deque[Said] = collections.deque()
    size = 0
    for said in lines:
        last.append(said)
        size += len(said.text)
        while len(last) > tail or size > TAIL_BYTES:
            size -= len(last.popleft().text)
    yield from last


def _batches(lines: Iterator[Said]) -> Iterator[bytes]:
    """Join lines to pieces: each piece that is sent has a price of its own."""
    batch: list[bytes] = []
    size = 0
    for said in lines:
        batch.append(_shown(said))
        size += len(batch[-1])
        if size >= BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


def _shown(said: Said) -> bytes:
    return _encoded(Shown(said.at, said.instance, said.text.decode("utf-8", "replace")))


def _encoded(one: msgspec.Struct) -> bytes:
    return msgspec.json.encode(one) + b"\n"
