"""Pull a base image in sight: how much has come, of how much, and an end to it when it is cancelled."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from s2i.errors import E_BASE_MISSING, E_BUILD_CANCELLED
from s2i.images.events import StepEvent

PULL_SECONDS = 600.0  # at most between two words of the engine
TELL_SECONDS = 0.2


def pull(
    name: str,
    why: str,
    on_event: Callable[[StepEvent], None],
    cancelled: threading.Event | None = None,
    *,
    platform: str = "",
    advice: str = "",
) -> None:
    """Pull the image ``name``, which has its version. ``why``: how to begin the sentence when that cannot be done.

    ``platform`` "" is the engine's own; ``advice`` "" is that of the error.
    Raises E_BASE_MISSING, E_BUILD_CANCELLED, E_DOCKER.
    """
    import docker.errors  # the SDK knows where registries' passwords are
    import requests.exceptions

    from s2i.engines.docker import connection

    step = f"pull {name}"
    on_event(StepEvent("started", step, step))
    try:
        rows = connection.client(timeout=PULL_SECONDS).api.pull(
            name, stream=True, decode=True, platform=platform or None
        )
        _told(step, rows, (why, advice), on_event, cancelled)
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        on_event(StepEvent("failed", step, step))
        text = str(getattr(error, "explanation", None) or error)
        raise E_BASE_MISSING(why=why, log=(text,), advice=advice) from None


def _told(
    step: str,
    rows: Iterable[Any],
    words: tuple[str, str],
    on_event: Callable[[StepEvent], None],
    cancelled: threading.Event | None,
) -> None:
    began = told = time.monotonic()
    layers: dict[str, tuple[int, int]] = {}
    for row in rows:
        if cancelled is not None and cancelled.is_set():
            with contextlib.suppress(AttributeError):  # a generator ends the request
                rows.close()  # type: ignore[attr-defined]
            raise E_BUILD_CANCELLED()
        if "error" in row:
            on_event(StepEvent("failed", step, step, line=str(row["error"])))
            raise E_BASE_MISSING(why=words[0], log=(str(row["error"]),), advice=words[1])
        # What is unpacked was counted when it came.
        if row.get("status") == "Downloading" and (at := row.get("progressDetail")):
            layers[str(row.get("id"))] = int(at.get("current", 0)), int(at.get("total", 0))
        elif row.get("status") == "Download complete" and (known := layers.get(str(row.get("id")))):
            layers[str(row.get("id"))] = known[1], known[1]
        now = time.monotonic()
        if layers and now - told >= TELL_SECONDS:
            told = now
            count, total = (sum(part) for part in zip(*layers.values(), strict=True))
            on_event(StepEvent("progress", step, step, round(now - began, 3), bytes=count, total=total))
    moved = sum(total or count for count, total in layers.values())
    on_event(StepEvent("done", step, step, round(time.monotonic() - began, 3), bytes=moved))
