"""Take known secrets out of what a build or a program prints, in the forms in which programs print them."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator

import msgspec

from s2i.images.events import StepEvent
from s2i.resources.secret import Secret

SHORTEST = 6  # characters: what is shorter would be found in words that are none
WRAPPED = (76, 64)  # columns at which base64 is cut into lines: by coreutils and MIME, by PEM
MASK = "[secret]"
# A reader cuts longer lines: what is left of a secret at a cut is taken out as well.
CUT = 16 << 10


class Redactor:
    """Knows the secrets of one build, app or job, and puts ``mask`` in their place.

    ``short`` are the ids of those with a value that is too short to look for.
    """

    def __init__(self, given: Iterable[Secret], others: Iterable[str] = (), *, mask: str = MASK) -> None:
        self._mask = mask
        values: dict[str, None] = dict.fromkeys(others)
        short = []
        for secret in given:
            found = tuple(_values(secret))
            values.update(dict.fromkeys(found))
            if any(len(value) < SHORTEST for value in found):
                short.append(secret.id)
        self.short = tuple(short)
        self._forms = sorted({form for value in values for form in _forms(value)}, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None
        self._cut: set[str] = set()  # the steps whose last line was cut

    def again(self) -> Redactor:
        """Return one that knows the same secrets, for what is written elsewhere."""
        made = copy.copy(self)
        made._cut = set()
        return made

    def __call__(self, event: StepEvent) -> StepEvent:
        """Return ``event`` without what is secret in its line."""
        if self._pattern is None or not event.line:
            return event
        return msgspec.structs.replace(event, line=self.line(event.line, event.step))

    def line(self, text: str, step: str = "", *, cut: bool | None = None) -> str:
        """Return a line without what is secret in it; ``step``: where the lines before it came from.

        ``cut``: whether it goes on in the next one of ``step``; None: as its length says. Bytes that are no UTF-8 are
        surrogates.
        """
        if self._pattern is None:
            return text
        begins = step in self._cut
        self._cut.discard(step)
        text = self._without_start(text) if begins else text
        if cut if cut is not None else len(text) >= CUT:
            self._cut.add(step)
            text = self._without_end(text)
        return self._pattern.sub(lambda _: self._mask, text)

    def _without_end(self, text: str) -> str:
        parts = (form[:size] for form in self._forms for size in range(len(form) - 1, 2, -1))
        found = next((part for part in parts if text.endswith(part)), "")
        return text[: len(text) - len(found)] + self._mask if found else text

    def _without_start(self, text: str) -> str:
        parts = (form[-size:] for form in self._forms for size in range(len(form) - 1, 2, -1))
        found = next((part for part in parts if text.startswith(part)), "")
        return self._mask + text[len(found) :] if found else text


def _values(secret: Secret) -> Iterator[str]:
    """Yield what of a secret is worth hiding: all of it, each of its lines; of a netrc only its passwords."""
    text = secret.value.decode(errors="surrogateescape")
    if secret.id == "netrc":
        words = text.split()
        # A token may stand where a user does: then there is no password.
        kept = ("password", "account") if "password" in words else ("login",)
        yield from (value for word, value in itertools.pairwise(words) if word in kept)
        return
    whole = text.strip()
    yield whole
    lines = whole.split("\n")
    for line in lines if len(lines) > 1 else ():
        # A short line of a long secret says little; of NAME=VALUE the value counts.
        yield from (part for part in (line.strip(), line.partition("=")[2].strip("\"' \r")) if len(part) >= SHORTEST)


def _forms(value: str) -> Iterator[str]:
    if len(value) < SHORTEST:
        return
    data = value.encode(errors="surrogateescape")
    quoted = {urllib.parse.quote(data, safe=safe) for safe in ("", "/")} | {urllib.parse.quote_plus(data)}
    yield from (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], data.hex())
    yield data.hex().upper()
    yield from ("".join(f"%{byte:{case}}" for byte in data) for case in ("02X", "02x"))
    yield from quoted
    yield from (re.sub(r"%..", lambda found: found[0].lower(), text) for text in quoted)
    yield value.replace("'", "'\\''")
    for before in range(3):  # in the middle of something longer, as in user:password
        whole = base64.b64encode(b"\0" * before + data).decode()
        core = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(core) >= SHORTEST:
            yield from (core, core.replace("+", "-").replace("/", "_"))
    lines = base64.b64encode(data).decode()
    for width in WRAPPED:
        parts = (lines[at : at + width] for at in range(0, len(lines), width)) if len(lines) > width else ()
        yield from (part for part in parts if len(part) >= SHORTEST)
