"""What a buildpack found: the second station of the pipeline, before anything is planned."""

from __future__ import annotations

import msgspec

from s2i.planning.plan import AppKind, Decision
from s2i.sources import Notice


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One source, recognised. A buildpack may extend it with what its own ``plan`` needs.

    ``entry`` is "module:name", "module:factory()" or a script's path.
    """

    buildpack: str
    kind: AppKind
    framework: str
    entry: str
    decisions: tuple[Decision, ...] = ()
    notices: tuple[Notice, ...] = ()
