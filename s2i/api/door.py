"""What every request comes through before its route is looked for: who asks, and what is written down of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Litestar

from s2i.api import auditing
from s2i.api.access import need_of
from s2i.api.answers import refusal
from s2i.api.strikes import Strikes
from s2i.control.platform import Platform
from s2i.errors import E_ATTEMPTS, E_HOST, E_REQUEST, E_SLOW, E_TOKEN, S2IError
from s2i.resources.people import OWNER, PREFIX, Caller

METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
BODY_SECONDS = 60.0  # for the whole of a body
UPLOAD_SECONDS = 900.0
UPLOADS = "/uploads"
STREAMED = (UPLOADS, "/restore")  # ends of paths whose body is a file, and can be a large one

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger("s2i")


class Gate(msgspec.Struct, frozen=True):
    """What a listener on TCP asks for. ``hosts``: the names that it answers to, in small letters."""

    hosts: frozenset[str]


class Door:
    """An ASGI application before the API: without a ``gate`` whoever asks is the server's own user."""

    def __init__(self, api: Litestar, platform: Platform, gate: Gate | None) -> None:
        self.api, self._platform, self._gate = api, platform, gate
        self._strikes = Strikes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.api(scope, receive, send)  # type: ignore[arg-type]
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope.setdefault("state", {})
        try:
            scope["state"]["caller"] = await self._caller(scope)
            if scope["method"] not in METHODS:
                raise E_REQUEST(why=f"there is no {scope['method']} here")
        except S2IError as error:
            await _refuse(error, send)
            return
        if self._gate:
            receive = _hurried(receive, UPLOAD_SECONDS if scope["path"].endswith(STREAMED) else BODY_SECONDS)

        ended = False

        async def noted(message: dict[str, Any]) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await self._record(scope, message["status"])
            elif message.get("more_body") and not self._still(scope):
                ended = True
                raise ConnectionAbortedError("the token does not hold any more")
            await send(message)

        try:
            await self.api(scope, receive, noted)  # type: ignore[arg-type]
        except Exception:
            if not ended:
                raise
            await send({"type": "http.response.body", "body": b""})

    def _still(self, scope: Scope) -> bool:
        """Say whether who asked may go on reading an answer without an end, as a log that is followed."""
        project = scope.get("path_params", {}).get("project", "")
        return self._gate is None or self._platform.people.still(scope["state"]["caller"].name, project)

    async def _caller(self, scope: Scope) -> Caller:
        """Return who asks. Raises E_HOST, E_TOKEN, E_ATTEMPTS."""
        if self._gate is None:
            return OWNER
        headers = dict(scope["headers"])
        if (host := _host(headers.get(b"host", b""))) not in self._gate.hosts:
            raise E_HOST(host=host, names=", ".join(sorted(self._gate.hosts)))
        address = scope["client"][0] if scope.get("client") else "unknown"
        people, now = self._platform.people, time.monotonic()
        try:
            caller = people.caller(_token(scope, headers), address)
        except S2IError as error:
            people.refused += 1
            if seconds := self._strikes.wait(address, now):
                raise E_ATTEMPTS(address=address, seconds=seconds) from None
            if self._strikes.add(address, now):
                log.warning("no good token came with a request from %s: %s", address, error)
            raise
        if people.is_due(caller.name):
            await asyncio.to_thread(people.record_use, caller.name)
        return caller

    async def _record(self, scope: Scope, status: int) -> None:
        need = need_of(scope["method"], scope.get("path_template"))
        if need is None or not need.verb:
            return
        state, platform = scope["state"], self._platform
        about = state.get("about", auditing.Named())

        def write() -> None:
            auditing.record(
                platform,
                state["caller"],
                need,
                scope["path_params"],
                about,
                status=status,
                code=state.get("code", ""),
                before=state.get("before", {}),
            )

        await asyncio.to_thread(write)


def _token(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Return the token that came with a request. Raises E_TOKEN."""
    query = scope.get("query_string", b"").lower()
    if PREFIX.encode() in query or b"token=" in query:
        raise E_TOKEN(why="one in a URL ends up in logs, it goes into the header Authorization")
    kind, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() != "bearer" or not text:
        raise E_TOKEN(why="none came with it")
    return text.strip()


def _host(value: bytes) -> str:
    """Return the host of a Host header without its port."""
    text = value.decode("latin-1").lower()
    if text.startswith("["):
        return text.partition("]")[0].removeprefix("[")
    return text.partition(":")[0].rstrip(".")


def _hurried(receive: Receive, seconds: float) -> Receive:
    """Return what gives a body that has to be there in time: who sends it byte by byte is told to go."""
    loop = asyncio.get_running_loop()
    until, whole = loop.time() + seconds, False

    async def one() -> dict[str, Any]:
        nonlocal whole
        if whole:
            return await receive()  # that the caller goes, for which there is no time limit
        try:
            message = await asyncio.wait_for(receive(), max(until - loop.time(), 0.0))
        except TimeoutError:
            raise E_SLOW(seconds=f"{seconds:g}") from None
        whole = message["type"] != "http.request" or not message.get("more_body")
        return message

    return one


async def _refuse(error: S2IError, send: Send) -> None:
    told = refusal(error)
    fields = {"Content-Type": "application/json", "Content-Length": str(len(told.body)), **told.headers}
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": told.body})
