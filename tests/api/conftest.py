"""What tests of the API share; each says itself in which ``world`` the API stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from s2i.api.app import make_app
from tests.api.peopled import HOST, Peopled


@pytest.fixture
def client(world: Any) -> Iterator[TestClient]:
    """Return a client of the API of a platform that runs, and is stopped in the end."""
    world.platform.start()
    with TestClient(make_app(world.platform, local=True), raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def peopled(tmp_path: Path) -> Iterator[Peopled]:
    """Return a platform with a token of each kind."""
    made = Peopled(tmp_path)
    yield made
    made.platform.stop()


@pytest.fixture
def door(peopled: Peopled) -> Iterator[TestClient]:
    """Return a client of the listener on TCP of the platform ``peopled``."""
    peopled.platform.start()
    api = make_app(peopled.platform, local=False, hosts=frozenset({HOST}))
    with TestClient(api, raise_server_exceptions=False) as one:
        yield one
