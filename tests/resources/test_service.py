"""Services: their credentials, what an app gets of them, and what several of them come to together."""

from __future__ import annotations

import json

import pytest

from s2i.errors import E_NAME, S2IError
from s2i.resources.app import Config
from s2i.resources.bundle import checked_reference, variables
from s2i.resources.change import Change, config_after
from s2i.resources.config import checked_config
from s2i.resources.service import (
    SERVICES,
    ServiceKind,
    binding,
    bound,
    config,
    credentials,
    joined,
    secret_of,
    service_name,
)


def given(name: str, kind: ServiceKind, prefix: str = "") -> dict[str, str]:
    values, found = credentials(name, kind, "pw"), {}
    for one in binding(name, kind, prefix):
        found |= variables(checked_reference(one), values)
    return found


@pytest.mark.parametrize(
    ("kind", "variable", "url"),
    [
        ("postgres", "DATABASE_URL", "postgresql://app:pw@db:5432/app"),
        ("redis", "REDIS_URL", "redis://:pw@db:6379/0"),
    ],
)
def test_an_app_gets_a_url_and_a_json(kind: ServiceKind, variable: str, url: str) -> None:
    found = given("db", kind)
    assert found.keys() == {variable, SERVICES}
    assert found[variable] == url
    ((name, (one,)),) = json.loads(found[SERVICES]).items()
    assert (name, one["name"], one["credentials"]["password"], one["credentials"]["url"]) == (kind, "db", "pw", url)


def test_the_json_holds_all_that_are_bound() -> None:
    env = given("db", "postgres")
    env |= joined(env, given("old", "postgres", "OLD_"))
    env |= joined(env, given("cache", "redis"))
    assert env.keys() == {"DATABASE_URL", "OLD_DATABASE_URL", "REDIS_URL", SERVICES}
    assert {kind: [one["name"] for one in each] for kind, each in json.loads(env[SERVICES]).items()} == {
        "postgres": ["db", "old"],
        "redis": ["cache"],
    }
    strange = {SERVICES: "not ours"}
    assert joined(strange, given("db", "postgres")) == given("db", "postgres")


def test_what_is_bound_is_known_by_its_references_and_goes_with_them() -> None:
    made = config_after(Change(env_from=(*binding("db", "postgres"), *binding("cache", "redis", "X_"))), Config())
    assert bound(made) == {"db": "DATABASE_URL", "cache": "X_REDIS_URL"}
    assert bound(config_after(Change(env_from_rm=(secret_of("db"),)), made)) == {"cache": "X_REDIS_URL"}


def test_the_container_of_a_service_can_be_run_and_has_no_credentials_in_its_variables() -> None:
    made = checked_config(config("db", "postgres", 64 << 20, 0.5))
    assert (made.env, made.env_from, made.command) == ((), (), ())
    assert [one.directory for one in made.mounts] == ["/run/service"]
    assert [one.directory for one in made.volumes] == ["/data"]


@pytest.mark.parametrize("name", ["", "Db", "a" * 51, "default", "../x", "a_b"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(S2IError) as caught:
        service_name(name)
    assert caught.value.kind is E_NAME
