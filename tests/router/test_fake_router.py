from __future__ import annotations

import pytest

from s2i.router.router import Router
from tests.router.contract import RouterContract
from tests.router.fake import FakeRouter


class TestFakeRouter(RouterContract):
    @pytest.fixture
    def router(self) -> Router:
        router = FakeRouter()
        router.ensure()
        return router
