"""What somebody asks to be otherwise with an app or a job: merged with how it is, and told as differences. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from s2i.errors import E_REQUEST
from s2i.resources import masked, probes
from s2i.resources.app import Config, Routing, Scale
from s2i.resources.bundle import EnvFrom, checked_reference, written
from s2i.resources.config import checked_config, checked_routing, checked_scale
from s2i.resources.masked import IsSecret
from s2i.resources.mounts import Mount
from s2i.resources.mounts import written as written_mount
from s2i.resources.volume import VolumeMount
from s2i.resources.volume import written as written_volume

T = TypeVar("T", bound=msgspec.Struct)
# Fields that people know by another name: that of their option.
OPTIONS = {
    "min": "min-scale",
    "max": "max-scale",
    "target": "concurrency-target",
    "down_delay": "scale-down-delay",
    "arguments": "argument",
    "array": "array-indices",
    "size": "array-size",
    "retry_limit": "retrylimit",
    "max_seconds": "maxexecutiontime",
    "runs": "keep-runs",
    "days": "keep-days",
    "volumes": "mount-volume",
}


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be otherwise: fields of a Config, a Scale, a Routing, by name. What is not named stays as it is.

    ``env`` is set beside what is there, without ``env_rm``; ``env_from`` so, too, without those of the bundles
    ``env_from_rm``; ``mounts`` and ``volumes`` so, without those at the folders ``mount_rm``. ``exact``: what is not
    named has its default instead.
    """

    config: dict[str, Any] = {}
    env: tuple[tuple[str, str], ...] = ()
    env_rm: tuple[str, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    env_from_rm: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    mount_rm: tuple[str, ...] = ()
    scale: dict[str, Any] = {}
    routing: dict[str, Any] = {}
    exact: bool = False

    @property
    def makes_revision(self) -> bool:
        """Whether it changes what an instance is, not only how many there are and how requests come."""
        references = self.env_from or self.env_from_rm or self.mounts or self.volumes or self.mount_rm
        return bool(self.config or self.env or self.env_rm or references)


class Difference(msgspec.Struct, frozen=True):
    """One thing that is otherwise: its name, and both values for people; "" for none."""

    what: str
    before: str
    after: str


def config_after(change: Change, before: Config) -> Config:
    """Return ``before`` with ``change``. Raises E_REQUEST, E_ENV, E_LIMIT, E_PORT, E_VALUE, E_PROBE, E_MOUNT."""
    start = Config() if change.exact else before
    env = {key: value for key, value in start.env if key not in change.env_rm} | dict(change.env)
    gone = {_place(one) for one in change.env_from}
    kept = [one for one in start.env_from if one.name not in change.env_from_rm and _place(one) not in gone]
    env_from = (*kept, *map(checked_reference, change.env_from))
    new = [*(one.directory for one in change.mounts), *(one.directory for one in change.volumes)]
    taken = {*change.mount_rm, *new}
    mounts = (*(one for one in start.mounts if one.directory not in taken), *change.mounts)
    volumes = (*(one for one in start.volumes if one.directory not in taken), *change.volumes)
    config = merged(start, change.config)
    fields = {"env": tuple(env.items()), "env_from": env_from, "mounts": mounts, "volumes": volumes}
    config = msgspec.structs.replace(config, **fields)
    after = checked_config(config)
    for what, probe in (("probe-ready", after.probe_ready), ("probe-live", after.probe_live)):
        if probe:
            probes.checked(probe, what)
    return after


def _place(one: EnvFrom) -> tuple[str, ...]:
    """Return what tells a reference from others: one more of the same takes its place."""
    return one.kind, one.name, one.variable, one.prefix


def scale_after(change: Change, before: Scale) -> Scale:
    """Return ``before`` with ``change``. Raises E_REQUEST, E_LIMIT."""
    return checked_scale(merged(Scale() if change.exact else before, change.scale))


def routing_after(change: Change, before: Routing) -> Routing:
    """Return ``before`` with ``change``. Raises E_REQUEST, E_LIMIT."""
    return checked_routing(merged(Routing() if change.exact else before, change.routing))


def merged(before: T, fields: Mapping[str, Any]) -> T:
    """Return ``before`` with ``fields`` in place of its own. Raises E_REQUEST for one that it has not."""
    if not fields:
        return before
    try:
        return msgspec.convert(msgspec.to_builtins({**msgspec.structs.asdict(before), **fields}), type(before))
    except msgspec.ValidationError as error:
        raise E_REQUEST(why=error) from None


def differences(before: Any, after: Any, is_secret: IsSecret) -> tuple[Difference, ...]:
    """Return where two structs of one type differ, in the order of their fields, each variable on its own.

    Of a password no more is shown than that it is another (see masked.py).
    """
    found: list[Difference] = []
    for field in type(before).__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if field == "env":
            found += _variables(dict(old), dict(new), is_secret)
        elif old != new:
            found.append(_difference(option(field), *(shown(field, value, is_secret) for value in (old, new))))
    return tuple(found)


def option(field: str) -> str:
    """Return what people call a setting: its option, without the dashes."""
    return OPTIONS.get(field, field.replace("_", "-"))


def shown(field: str, value: Any, is_secret: IsSecret) -> str:
    """Return one setting as a person would write it, with a mask for a password."""
    if field in ("memory", "body_limit") and value:
        return f"{value >> 20}M" if not value % (1 << 20) else f"{value}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:g}"
    if field in ("env_from", "mounts"):
        write: Callable[[Any], str] = written if field == "env_from" else written_mount
        return " ".join(f"{one.kind} {write(one)}" + (f" v{one.version}" if one.version else "") for one in value)
    if field == "volumes":
        return " ".join(map(written_volume, value))
    if isinstance(value, tuple):
        return shlex.join(masked.words(map(str, value), is_secret))
    if isinstance(value, msgspec.Struct):
        return " ".join(
            f"{option(key)}={shown(key, each, is_secret)}"
            for key, each in msgspec.structs.asdict(value).items()
            if each
        )
    return masked.text(str(value or ""), is_secret)


def _variables(old: Mapping[str, str], new: Mapping[str, str], is_secret: IsSecret) -> list[Difference]:
    found = []
    for key in sorted({**old, **new}):
        if old.get(key) == new.get(key):
            continue
        before, after = (masked.value(key, each[key], is_secret) if key in each else "" for each in (old, new))
        found.append(_difference(f"env {key}", before, after))
    return found


def _difference(what: str, before: str, after: str) -> Difference:
    """Return what is otherwise, also where both look the same: behind the mask."""
    return Difference(what, before, after if before != after or not after else f"{after} (another)")
