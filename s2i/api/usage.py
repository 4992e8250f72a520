"""What apps and jobs use, over HTTP: now, by hours, and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from s2i.control.platform import Platform
from s2i.resources.people import Caller
from s2i.resources.usage import Hour, Live

GAUGES = {
    "cpu": ("s2i_cpu_percent", "Percent of a core that a container uses."),
    "memory": ("s2i_memory_bytes", "Bytes of memory that a container uses."),
    "received": ("s2i_network_received_bytes_per_second", "Bytes a second that a container receives."),
    "sent": ("s2i_network_sent_bytes_per_second", "Bytes a second that a container sends."),
}


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers of /v1/usage, of a project's usage, and of /metrics."""

    @get("/v1/usage", sync_to_thread=True)
    def now(caller: NamedDependency[Caller], project: FromQuery[str] = "") -> list[Live]:
        return [one for one in platform.meter.live() if project in ("", one.project) and caller.role(one.project)]

    @get("/v1/projects/{project:str}/usage", sync_to_thread=True)
    def hours(project: FromPath[str], kind: FromQuery[str] = "", name: FromQuery[str] = "") -> list[Hour]:
        return list(platform.store.hours(project, kind, name))

    @get("/metrics", sync_to_thread=True)
    def metrics() -> Response[str]:
        text = "".join(exposed(platform.meter.live()))
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [now, hours, metrics]


def exposed(live: Iterable[Live]) -> Iterable[str]:
    """Yield the lines of Prometheus's text format, 0.0.4. Names of ours need no escapes."""
    every = list(live)
    for field, (name, about) in GAUGES.items():
        yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"
        for one in every:
            labels = f'project="{one.project}",kind="{one.kind}",name="{one.name}",instance="{one.instance}"'
            yield f"{name}{{{labels}}} {getattr(one, field)}\n"
