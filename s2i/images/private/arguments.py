"""Build arguments of a source's own Dockerfile: everybody who has the image can read them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from s2i.errors import E_BUILD_ARG
from s2i.planning.secretnames import looks_secret

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
# What s2i or the builder itself gives: proxies, the caches' namespace, the source's time.
_OURS = re.compile(r"(?i)(?:https?|ftp|all|no)_proxy|buildkit_.*|source_date_epoch")


def parse(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the value of ``NAME=VALUE``, or of ``NAME`` alone as the environment has it.

    Raises E_BUILD_ARG, also for a name that looks like a secret's: the value is not repeated.
    """
    name, equals, value = text.partition("=")
    if not _NAME.fullmatch(name):
        shown = name if len(name) < 40 and equals else "…"
        raise E_BUILD_ARG(name=shown, why="a name has letters, digits and underscores")
    if looks_secret(name):
        why = "its name looks like a secret's, and a build argument stays in the image's history"
        advice = (
            f"give it as a secret: `--secret id={name.lower()},env={name}`, and read it in the step that needs it:"
            f" RUN --mount=type=secret,id={name.lower()} …"
        )
        raise E_BUILD_ARG(name=name, why=why, advice=advice)
    if _OURS.fullmatch(name):
        raise E_BUILD_ARG(name=name, why="s2i gives it itself", advice="set it in the environment of `s2i build`")
    if not equals and name not in environ:
        raise E_BUILD_ARG(name=name, why="it has no value, here or in the environment")
    return name, value if equals else environ[name]
