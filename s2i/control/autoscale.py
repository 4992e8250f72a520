"""How many instances a revision should have, by the requests that are under way: Knative's algorithm. Pure.

https://github.com/knative/serving/blob/main/docs/scaling/SYSTEM.md, pkg/autoscaler/scaling. The numbers are its
defaults but for the panic window: ours is 2 s of a gauge that is read ten times a second and sees every request,
theirs 6 s of averages that come once a second.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from s2i.resources.app import Scale

PANIC_SECONDS = 2.0
PANIC_THRESHOLD = 2.0  # so many times what the ready instances can take is a panic
UTILIZATION = 0.7  # of the target: room for what comes while an instance starts
RATE_UP, RATE_DOWN = 1000.0, 2.0  # at most so many times as many, or as few, at once
FINE_SECONDS, COARSE_SECONDS = 0.1, 1.0  # of a bucket of the panic window, and of the stable one
DEFAULT_TARGET = 100  # requests under way at one instance, where neither a target nor a limit is set

Mode = Literal["stable", "panic"]
Limit = Literal["", "min-scale", "max-scale", "rate", "panic", "scale-down-delay", "too-early"]


class Series(msgspec.Struct, frozen=True):
    """Readings in buckets of ``width`` seconds: which one (time by width), the sum and the number of its readings."""

    width: float
    buckets: tuple[tuple[int, float, int], ...] = ()

    def read(self, value: float, now: float, window: float) -> Series:
        """Return the series with one more reading, without what is older than ``window``."""
        index = math.floor(now / self.width)
        buckets = self.buckets
        if buckets and buckets[-1][0] == index:
            _, total, count = buckets[-1]
            buckets = (*buckets[:-1], (index, total + value, count + 1))
        else:
            oldest = index - round(window / self.width)
            buckets = (*(one for one in buckets if one[0] > oldest), (index, value, 1))
        return Series(self.width, buckets)

    def idle(self, every: float, now: float, window: float) -> Series:
        """Return the series as if nothing had been under way since its last reading, read ``every`` so many seconds."""
        index, stride = math.floor(now / self.width), max(round(every / self.width), 1)
        last = self.buckets[-1][0] if self.buckets else index
        gone = max(index - round(window / self.width) - last, 0) // stride * stride  # out of the window by now
        missing = range(last + gone + stride, index, stride)
        return Series(self.width, (*self.buckets, *((one, 0.0, 1) for one in missing)))

    def mean(self, now: float, window: float) -> float:
        """Return the mean of the buckets of ``window``; of a younger series, of its whole life."""
        first = math.floor((now - window) / self.width)
        found = [total / count for index, total, count in self.buckets if index > first]
        return sum(found) / len(found) if found else 0.0


class Scaler(msgspec.Struct, frozen=True):
    """What is remembered of one revision from one decision to the next; times are monotonic seconds.

    ``asked``: the instances that were wanted within the scale-down delay, each with its time.
    """

    begun: float
    fine: Series = Series(FINE_SECONDS)
    coarse: Series = Series(COARSE_SECONDS)
    panic_at: float | None = None  # when the last reason for a panic was seen, None outside of one
    panic_most: int = 0
    asked: tuple[tuple[float, int], ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """How many instances are wanted, and the arithmetic of it.

    ``stable`` and ``panic``: mean requests under way in each window. ``capacity``: requests that one instance is to
    take. ``raw``: instances by the window that counts. ``limit``: what changed that, "" for nothing.
    """

    at: float
    ready: int
    stable: float
    panic: float
    capacity: float
    mode: Mode
    raw: int
    wanted: int
    limit: Limit = ""


def capacity(scale: Scale) -> float:
    """Return how many requests under way one instance is meant to have."""
    target = min(filter(None, (scale.target, scale.concurrency)), default=DEFAULT_TARGET)
    return max(target * UTILIZATION, 0.01)


def read(scaler: Scaler, scale: Scale, under_way: float, now: float) -> Scaler:
    """Return ``scaler`` with one more reading: the requests under way ``now``, those that wait included."""
    return msgspec.structs.replace(
        scaler,
        fine=scaler.fine.read(under_way, now, PANIC_SECONDS),
        coarse=scaler.coarse.read(under_way, now, scale.window),
    )


def slept(scaler: Scaler, scale: Scale, every: float, now: float) -> Scaler:
    """Return ``scaler`` of a revision that was not read while it had no instance and nobody waited for it.

    ``every``: the seconds between two readings that there would have been.
    """
    return msgspec.structs.replace(
        scaler, fine=scaler.fine.idle(every, now, PANIC_SECONDS), coarse=scaler.coarse.idle(every, now, scale.window)
    )


def decide(scaler: Scaler, scale: Scale, ready: int, now: float) -> tuple[Scaler, Decision]:
    """Return what is to be remembered, and how many instances are wanted ``now`` that ``ready`` can take requests."""
    stable, panic = scaler.coarse.mean(now, scale.window), scaler.fine.mean(now, PANIC_SECONDS)
    room, has = capacity(scale), max(ready, 1)
    scaler = _panicked(scaler, scale, panic >= PANIC_THRESHOLD * room * has, now)
    mode: Mode = "stable" if scaler.panic_at is None else "panic"
    raw = math.ceil((stable if mode == "stable" else panic) / room)
    wanted, limit = _rated(raw, ready)
    if mode == "panic":
        most = max(scaler.panic_most, wanted, ready)
        scaler = msgspec.structs.replace(scaler, panic_most=most)
        wanted, limit = most, "" if most == raw else "panic"
    if wanted == 0 and ready and now - scaler.begun < scale.window:  # nobody knows that it was idle for a whole window
        wanted, limit = 1, "too-early"
    scaler, kept = _delayed(scaler, scale, wanted, now)
    if kept != wanted:
        wanted, limit = kept, "scale-down-delay"
    bounded = min(max(wanted, scale.min), scale.max)
    if bounded != wanted:
        limit = "min-scale" if bounded > wanted else "max-scale"
    return scaler, Decision(now, ready, stable, panic, room, mode, raw, bounded, limit)


def _panicked(scaler: Scaler, scale: Scale, alarm: bool, now: float) -> Scaler:
    """Return ``scaler`` in a panic, or out of it when there was no reason for one during a window."""
    if alarm:
        return msgspec.structs.replace(scaler, panic_at=now)
    if scaler.panic_at is not None and now - scaler.panic_at >= scale.window:
        return msgspec.structs.replace(scaler, panic_at=None, panic_most=0)
    return scaler


def _rated(raw: int, ready: int) -> tuple[int, Limit]:
    """Return how many instances may be had at once, and whether that is fewer, or more, than ``raw``."""
    most, least = math.ceil(max(ready, 1) * RATE_UP), math.floor(ready / RATE_DOWN)
    wanted = min(max(raw, least), most)
    return wanted, "" if wanted == raw else "rate"


def _delayed(scaler: Scaler, scale: Scale, wanted: int, now: float) -> tuple[Scaler, int]:
    """Return the most that was wanted within the scale-down delay."""
    if not scale.down_delay:
        return scaler, wanted
    recent = [(at, one) for at, one in scaler.asked if at > now - scale.down_delay]
    asked = (*(one for one in recent if one[1] > wanted), (now, wanted))
    return msgspec.structs.replace(scaler, asked=asked), asked[0][1]
