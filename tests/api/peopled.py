"""A platform with two projects and a token of each kind, asked over the listener on TCP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from s2i.control.platform import Platform
from s2i.control.task import Built, Task
from s2i.resources.bundle import Bundle
from s2i.resources.people import Token, digest_of, text_of
from s2i.resources.project import Project
from tests.control.simulation import Simulation

HOST = "testserver.local"
CALLERS = ("none", "expired", "stranger", "reader", "writer", "manager", "admin")


class Peopled(Simulation):
    """A platform on fakes behind its API, with a token of each kind."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.platform = Platform(self.store, self.engine, self.router, _build)
        self.platform.loop._prober.answers = self.engine.answers
        self.platform.sweeper.stop()
        self.tokens = {"none": "", "unknown": text_of(b"?" * 32)}
        for number, name in enumerate(CALLERS[1:]):
            self.tokens[name] = text_of(bytes([number]) * 32)
            expires = 1.0 if name == "expired" else 0.0
            digest = digest_of(self.tokens[name])
            self.store.add_token(Token(name, digest, 0.5, expires, admin=name == "admin"))
        self.platform.people.refresh()
        self.make("shop")
        self.make("other")
        for role in ("reader", "writer", "manager"):
            self.platform.people.join("shop", role, role)  # type: ignore[arg-type]
        self.platform.people.join("other", "stranger", "manager")

    def make(self, name: str) -> None:
        if not any(one.name == name for one in self.store.projects()):
            self.store.create_project(Project(name, created=1.0))
            self.platform.world.vault.put(Bundle(name, "secret", "db"), {"A": b"canary"}, 1.0)


def _build(task: Task) -> Built:
    return Built("app", "sha256:app")


def ask(client: TestClient, peopled: Peopled, route: str, who: str, project: str = "shop") -> Any:
    method, _, template = route.partition(" ")
    path = template.replace("{project}", project).replace("{how}", "unused")
    path = re.sub(r"\{\w+\}", "nothing", path)
    token = peopled.tokens[who]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.request(method, path, headers=headers, json={} if method in ("POST", "PUT", "PATCH") else None)
