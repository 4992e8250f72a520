"""What every Router does: run by the fake (tests/router) and by Caddy (tests/live)."""

from __future__ import annotations

import pytest

from s2i.resources.app import Routing
from s2i.router.router import SLOTS, Route, Router

ONE, TWO = "127.0.0.1:20001", "127.0.0.1:20002"


class RouterContract:
    """Subclasses give the fixture ``router``: one that runs, without a route."""

    @pytest.fixture
    def router(self) -> Router:
        raise NotImplementedError

    def test_a_new_app_is_closed(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        assert router.pointed("shop", "web") == {}

    def test_an_app_that_nobody_added_is_closed(self, router: Router) -> None:
        assert router.pointed("shop", "nobody") == {}

    def test_what_was_pointed_is_in_force(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        assert router.pointed("shop", "web") == {ONE: SLOTS}
        router.point("shop", "web", {ONE: 18, TWO: 2})
        assert router.pointed("shop", "web") == {ONE: 18, TWO: 2}
        router.point("shop", "web", {})
        assert router.pointed("shop", "web") == {}

    def test_a_share_of_nothing_is_left_out(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS, TWO: 0})
        assert router.pointed("shop", "web") == {ONE: SLOTS}

    def test_shares_that_do_not_sum_up_are_refused(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        with pytest.raises(ValueError, match="shares"):
            router.point("shop", "web", {ONE: 3})
        assert router.pointed("shop", "web") == {ONE: SLOTS}

    def test_adding_an_app_again_leaves_it_open(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        router.add(Route("shop", "web"))
        assert router.pointed("shop", "web") == {ONE: SLOTS}

    def test_a_route_is_kept_as_it_was_set_last(self, router: Router) -> None:
        changed = Route("shop", "web", Routing(request_timeout=60, visibility="private"), limited=True)
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        router.add(changed)
        router.add(Route("bank", "web"))
        assert router.routes() == {("shop", "web"): changed, ("bank", "web"): Route("bank", "web")}
        assert router.pointed("shop", "web") == {ONE: SLOTS}

    def test_a_removed_app_is_closed(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        router.remove("shop", "web")
        router.remove("shop", "web")
        assert (router.pointed("shop", "web"), router.routes()) == ({}, {})

    def test_clearing_removes_every_app(self, router: Router) -> None:
        for project in ("shop", "bank"):
            router.add(Route(project, "web"))
            router.point(project, "web", {ONE: SLOTS})
        router.clear()
        router.clear()
        assert router.routes() == {}
        assert (router.pointed("shop", "web"), router.pointed("bank", "web")) == ({}, {})

    def test_apps_of_one_name_in_two_projects_are_two(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.add(Route("bank", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        assert router.pointed("bank", "web") == {}

    def test_nothing_is_in_flight_at_first(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        assert router.in_flight() == {}

    def test_the_url_names_app_and_project(self, router: Router) -> None:
        assert router.url("shop", "web") == f"http://web.shop.localhost:{router.port}"

    def test_ensuring_changes_nothing_when_all_is_well(self, router: Router) -> None:
        router.add(Route("shop", "web"))
        router.point("shop", "web", {ONE: SLOTS})
        before = router.port
        router.ensure()
        assert (router.port, router.pointed("shop", "web")) == (before, {ONE: SLOTS})
