"""The server itself over HTTP: what it is, and its end."""

from __future__ import annotations

import os

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, RawBody

import s2i
from s2i.api.body import decoded
from s2i.api.listener import Listening
from s2i.control.platform import Platform
from s2i.engines.engine import EngineInfo
from s2i.errors import S2IError
from s2i.resources.people import Caller


class ServerView(msgspec.Struct, frozen=True):
    """A server as callers see it. ``engine`` (when asked for) is None when none answers; ``problem`` says why.

    ``exposed``: why containers can reach services of this machine, "" when they cannot. ``refused``: requests without
    a good token so far; ``listening``: where it is on TCP, None for nowhere. Who is no admin is told what is the
    same for everybody.
    """

    version: str
    pid: int
    id: str
    started: float
    port: int
    apps: int
    serving: int  # of the apps
    engine: EngineInfo | None = None
    problem: str = ""
    exposed: str = ""
    refused: int = 0
    listening: Listening | None = None


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to stop: with ``all``, everything that the server made goes too; volumes only with ``volumes``."""

    all: bool = False
    volumes: bool = False


def routes(platform: Platform, listening: Listening | None = None) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/server."""

    @get("/v1/server", sync_to_thread=True)
    def view(caller: NamedDependency[Caller], full: FromQuery[bool] = False) -> ServerView:
        engine, problem = None, ""
        if not caller.admin:  # what every client has to know
            return ServerView(s2i.__version__, 0, "", platform.started, platform.router.port, 0, 0)
        if full:
            try:
                engine = platform.engine.info()
            except S2IError as error:
                problem = str(error)
        store = platform.store
        apps = store.apps()
        return ServerView(
            version=s2i.__version__,
            pid=os.getpid(),
            id=store.server,
            started=platform.started,
            port=platform.router.port,
            apps=len(apps),
            serving=sum(app.serving > 0 for app in apps),
            engine=engine,
            problem=problem,
            exposed=platform.loop.exposed,
            refused=platform.people.refused,
            listening=listening,
        )

    @post("/v1/server/stop", status_code=200, sync_to_thread=True)
    def stop(body: RawBody) -> dict[str, int]:
        wish = decoded(body, Stop)
        removed = platform.remove_all(volumes=wish.volumes) if wish.all else {}
        platform.stopping.set()
        return removed

    return [view, stop]
