"""What tests of the API share; each says itself in which ``world`` the API stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from s2i.api.app import make_app


@pytest.fixture
def client(world: Any) -> Iterator[TestClient]:
    """Return a client of the API of a platform that runs, and is stopped in the end."""
    world.platform.start()
    with TestClient(make_app(world.platform, local=True), raise_server_exceptions=False) as one:
        yield one
