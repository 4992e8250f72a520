"""Lines that come from a blocking source, for an asynchronous answer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Generator, Iterator

from litestar.response import Stream

AHEAD = 256  # lines that are read before the caller has taken them


def streamed(lines: Iterator[bytes], stopping: threading.Event, ahead: int = AHEAD) -> Stream:
    """Return an answer of text that holds ``lines`` as they come."""
    return Stream(in_thread(lines, stopping, ahead), media_type="text/plain; charset=utf-8")


async def in_thread(lines: Iterator[bytes], stopping: threading.Event, ahead: int = AHEAD) -> AsyncIterator[bytes]:
    """Yield ``lines``, read in a thread of their own, until they end, the caller goes, or ``stopping`` is set.

    One that is empty is not told: who has nothing to tell sees by it whether anybody listens.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(ahead)
    gone = threading.Event()

    def pump() -> None:
        with contextlib.suppress(Exception):
            for line in lines:
                if line:
                    asyncio.run_coroutine_threadsafe(queue.put(line), loop).result()
                if gone.is_set():
                    break
        if isinstance(lines, Generator):
            lines.close()
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            asyncio.run_coroutine_threadsafe(queue.put(None), loop)

    threading.Thread(target=pump, name="lines", daemon=True).start()
    try:
        while not stopping.is_set():
            try:
                line = await asyncio.wait_for(queue.get(), 0.5)
            except TimeoutError:
                continue
            if line is None:
                return
            yield line
    finally:
        gone.set()
        while not queue.empty():  # a pump that waits for room sees that nobody listens
            queue.get_nowait()
