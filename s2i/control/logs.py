"""The log of an app: the lines of all its instances in the order of time, of those that run or of those that ended."""

from __future__ import annotations

import collections
import contextlib
import heapq
from collections.abc import Callable, Generator, Iterable, Iterator

import msgspec

from s2i.control import kept
from s2i.control.follow import BATCH, Follower, Said, instances
from s2i.control.position import Position
from s2i.engines.engine import Engine, Line
from s2i.resources.app import App

TAIL_BYTES = 32 << 20  # of lines that are held to know which are the last


class Wish(msgspec.Struct, frozen=True):
    """Which lines: the last ``tail``; of one ``instance`` ("": all); of those that ended (``previous``)."""

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


def app_log(engine: Engine, app: App, wish: Wish, exists: Callable[[], bool]) -> Generator[bytes, None, None]:
    """Yield JSON objects, a line each: a Head, then Shown ones, some at a time; b"" now and then while none comes.

    With ``follow`` it goes on, over the instances that come and go, until the app no longer ``exists``.

    Raises E_DOCKER.
    """
    ended = tuple(one for one in kept.every(app.project, app.name) if wish.instance in ("", one.instance))
    names = tuple(dict.fromkeys(one.instance for one in ended))
    if wish.previous:
        yield _encoded(Head(names))
        yield from _batches(_tail(_of_ended(ended, wish.tail), wish.tail))
        return
    boxes = instances(engine.observe(), app, wish.instance)
    yield _encoded(Head(tuple(one.owner.instance for one in boxes), names))
    tail = wish.tail if wish.tail is None or not wish.follow else max(wish.tail, 1)  # from there it goes on
    read = {box.id: Position() for box in boxes}
    with contextlib.ExitStack() as stack:
        streams = []
        for box in boxes:
            lines = engine.logs(box.id, tail=tail)
            stack.callback(lines.close)
            streams.append(_said(box.owner.instance, read[box.id].passing(lines)))
        yield from _batches(_tail(heapq.merge(*streams, key=lambda said: said.at), wish.tail))
    if not wish.follow:
        return
    with Follower(engine, app, wish.instance, [(box, read[box.id]) for box in boxes], ended) as follower:
        while exists():
            yield b"".join(map(_shown, follower.next()))
        yield from _batches(follower.rest())


def _of_ended(ended: tuple[kept.Kept, ...], tail: int | None) -> Iterator[Said]:
    """Yield the lines of instances that ended, one after the other; of no more than have ``tail`` lines."""
    first, lines = 0, 0
    if tail is not None:
        first = len(ended)
        while first and lines < tail:
            first -= 1
            lines += sum(1 for _ in kept.read(ended[first]))
    for one in ended[first:]:
        yield from _said(one.instance, kept.read(one))


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
