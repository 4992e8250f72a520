"""Secrets and configmaps: named values of a project, and how a container refers to them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from s2i.errors import E_BUNDLE, E_REFERENCE, S2IError
from s2i.patterns import lazily
from s2i.resources.names import NAME

BundleKind = Literal["secret", "configmap"]
Format = Literal["generic", "basic_auth", "registry", "ssh", "tls"]
NEEDED: dict[str, tuple[str, ...]] = {
    "generic": (),
    "basic_auth": ("username", "password"),
    "registry": ("server", "username", "password"),
    "ssh": ("ssh-privatekey",),
    "tls": ("tls.crt", "tls.key"),
}
LIMIT = 1 << 20  # bytes of all values of one
KEY = lazily(r"[A-Za-z0-9._-]{1,253}")
VARIABLE = lazily(r"[A-Za-z_][A-Za-z0-9_]{0,254}")

Values = Mapping[str, bytes]


class Bundle(msgspec.Struct, frozen=True):
    """A secret or a configmap as it is listed: without its values. ``version`` counts its changes, from 1."""

    project: str
    kind: BundleKind
    name: str
    format: Format = "generic"
    version: int = 1
    keys: tuple[str, ...] = ()
    created: float = 0.0
    changed: float = 0.0


class EnvFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Variables that come from a bundle: all of its keys, each behind ``prefix``, or ``key`` alone as ``variable``.

    ``version``: which of its versions (0: the newest when the container starts).
    """

    kind: BundleKind
    name: str
    key: str = ""
    variable: str = ""
    prefix: str = ""
    version: int = 0


def parse(kind: BundleKind, text: str) -> EnvFrom:
    """Parse NAME, PREFIX=NAME, NAME:KEY or NAME:NEW=KEY. Raises E_REFERENCE."""
    name, colon, rest = text.partition(":")
    if colon:
        new, equals, key = rest.partition("=")
        found = EnvFrom(kind, name, key if equals else new, new)
        if not found.key:
            raise E_REFERENCE(kind=kind, value=text, why="it names no key")
    else:
        prefix, equals, after = name.partition("=")
        found = EnvFrom(kind, after, prefix=prefix) if equals else EnvFrom(kind, name)
    return checked_reference(found, text)


def checked_reference(one: EnvFrom, text: str = "") -> EnvFrom:
    """Return ``one`` when it can be. Raises E_REFERENCE."""
    why = ""
    if not NAME.fullmatch(one.name):
        why = f'there can be no {one.kind} "{one.name}"'
    elif one.key and not KEY.fullmatch(one.key):
        why = f'"{one.key}" is no key'
    elif one.key and not VARIABLE.fullmatch(one.variable):
        why = f'"{one.variable}" is no name of a variable: {one.name}:NEW={one.key}'
    elif one.prefix and not VARIABLE.fullmatch(one.prefix):
        why = f'"{one.prefix}" begins no name of a variable'
    if why:
        raise E_REFERENCE(kind=one.kind, value=text or one.name, why=why)
    return one


def written(one: EnvFrom) -> str:
    """Return a reference as a person writes it."""
    if one.key:
        return f"{one.name}:{one.key if one.variable == one.key else f'{one.variable}={one.key}'}"
    return f"{one.prefix}={one.name}" if one.prefix else one.name


def checked_bundle(one: Bundle, values: Values) -> Bundle:
    """Return ``one`` with the keys of ``values`` when it can be kept. Raises E_BUNDLE; the text shows no value."""
    if not NAME.fullmatch(one.name):
        raise _refused(one, "its name has to be lower-case letters, digits and dashes, a letter first")
    for key in values:
        if not KEY.fullmatch(key):
            raise _refused(one, f'the key "{key[:60]}" has to be letters, digits, dots, dashes and _')
    if missing := [key for key in NEEDED[one.format] if key not in values]:
        raise _refused(one, f"one of the format {one.format} needs {' and '.join(NEEDED[one.format])}: no {missing[0]}")
    if not values:
        raise _refused(one, "it has no value: --from-literal KEY=VALUE")
    if sum(map(len, values.values())) > LIMIT:
        raise _refused(one, f"its values have more than {LIMIT >> 20} MB in all")
    return msgspec.structs.replace(one, keys=tuple(sorted(values)))


def variables(one: EnvFrom, values: Values) -> dict[str, str]:
    """Return the variables that a reference gives. Raises E_REFERENCE when a key is not there or cannot be one."""
    if one.key:
        if one.key not in values:
            raise E_REFERENCE(kind=one.kind, value=one.name, why=f"it has no key {one.key}")
        return {one.variable: _text(one, one.key, values)}
    found = {}
    for key in sorted(values):
        name = f"{one.prefix}{key}"
        if not VARIABLE.fullmatch(name):
            why = (
                f"its key {key} is no name of a variable: take the others one by one, and this as {one.name}:NEW={key}"
            )
            raise E_REFERENCE(kind=one.kind, value=one.name, why=why)
        found[name] = _text(one, key, values)
    return found


def _text(one: EnvFrom, key: str, values: Values) -> str:
    text = values[key].decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise E_REFERENCE(
            kind=one.kind, value=one.name, why=f"the value of {key} has a NUL byte: no variable can hold it"
        )
    return text


def _refused(one: Bundle, why: str) -> S2IError:
    return E_BUNDLE(kind=one.kind, name=one.name, why=why)
