"""A plan with what it is given in private, and the arguments of a Dockerfile."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from s2i import sources
from s2i.errors import S2IError
from s2i.images.dockerfile import render
from s2i.images.private import arguments, kept, mounts
from s2i.images.private.received import received
from s2i.images.request import BuildRequest
from s2i.planning.plan import Base, BuildPlan, Copy, Decision, Mount, Run
from s2i.resources.secret import Secret

URL = "https://pypi.example.com/simple"
CACHE = Mount("cache", "/root/.cache/uv", id="s2i-uv")
PIP = Run("build", "Get uv", ("/usr/bin/python3", "-m", "pip", "install", "uv"), mounts=(CACHE,))
VENV = Run("build", "Make it", ("uv", "venv", "/opt/venv"))
INSTALL = Run(
    "build", "Install", ("uv", "pip", "install", "--default-index", "https://a.example", "x"), mounts=(CACHE,)
)
PLAN = BuildPlan(
    buildpack="python", kind="job", framework="script", manager="uv", python="3.13", entry="a.py",
    start=("python", "a.py"), base=Base("3.13", "b:1", "r:1"), env=(("LANG", "C.UTF-8"),),
    steps=(PIP, VENV, INSTALL, Copy("runtime", "The source", (".",), "/app/")),
)  # fmt: skip
OWN = BuildPlan(
    buildpack="dockerfile", kind="http", framework="dockerfile", manager="dockerfile", python="", entry="Dockerfile",
    start=(), dockerfile="Dockerfile",
)  # fmt: skip


def index(what: str, url: str) -> BuildPlan:
    return msgspec.structs.replace(PLAN, decisions=(Decision(what, url, "requirements.txt:1"),))


def test_a_build_that_is_given_nothing_has_the_plan_as_it_is() -> None:
    assert mounts.private(PLAN, BuildRequest(title="x")) is PLAN


def test_the_steps_that_install_get_the_secrets_and_the_index() -> None:
    text = render(mounts.mounted(PLAN, URL, ("netrc", "token")))
    assert (
        "RUN --mount=type=cache,id=s2i-uv,target=/root/.cache/uv \\\n"
        "    --mount=type=secret,id=netrc,target=/root/.netrc \\\n"
        "    --mount=type=secret,id=token,target=/run/secrets/token \\\n"
        "    UV_DEFAULT_INDEX=https://pypi.example.com/simple \\\n"
        "    uv pip install x\n"
    ) in text
    assert "    PIP_INDEX_URL=https://pypi.example.com/simple \\\n    /usr/bin/python3 -m pip install uv\n" in text
    assert "RUN uv venv /opt/venv\n" in text


def test_pip_is_told_to_ask_over_plain_http() -> None:
    step = mounts.mounted(PLAN, "http://pypi.example.com:8080/simple", ()).steps[0]
    assert isinstance(step, Run)
    assert ("PIP_TRUSTED_HOST", "pypi.example.com") in step.env


def test_a_source_that_names_an_index_can_be_given_a_netrc_for_it() -> None:
    plan = mounts.mounted(index("index", "https://a.example"), "", ())
    assert [step.mounts[1:] for step in plan.steps if isinstance(step, Run) and step.mounts] == [
        (Mount("secret", "/root/.netrc", id="netrc"),)
    ] * 2


def test_the_index_of_a_person_takes_the_place_of_the_sources() -> None:
    plan = mounts.mounted(index("index", "https://a.example"), URL, ())
    step = plan.steps[2]
    assert isinstance(step, Run)
    assert (step.argv, step.env) == (("uv", "pip", "install", "x"), (("UV_DEFAULT_INDEX", URL),))


def test_beside_the_index_of_a_person_the_source_has_none() -> None:
    with pytest.raises(S2IError) as caught:
        mounts.mounted(index("extra index", "https://download.pytorch.org/whl/cpu"), URL, ())
    assert (caught.value.code, caught.value.where) == ("E_EXTRA_INDEX", "requirements.txt:1")
    assert mounts.mounted(index("extra index", URL), URL, ()) != PLAN


def test_what_the_source_means_to_have_from_elsewhere_is_not_taken_from_pypi() -> None:
    plan = index("index", "left out")
    with pytest.raises(S2IError) as caught:
        mounts.mounted(plan, "", ())
    assert (caught.value.code, caught.value.where) == ("E_EXTRA_INDEX", "requirements.txt:1")
    assert mounts.mounted(plan, URL, ()).steps[2] != plan.steps[2]


def test_a_dockerfile_of_the_sources_own_is_left_as_it_is() -> None:
    assert mounts.private(OWN, BuildRequest(title="x", index=URL, secrets=(Secret("a", b"b"),))) == OWN


# Build arguments -------------------------------------------------------------------------------------------------------


def test_an_argument_has_its_value_or_the_environments() -> None:
    assert arguments.parse("MODE=a=b", {}) == ("MODE", "a=b")
    assert arguments.parse("EMPTY=", {"EMPTY": "x"}) == ("EMPTY", "")
    assert arguments.parse("MODE", {"MODE": "fast"}) == ("MODE", "fast")


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("API_TOKEN=s3cretcanary", "API_TOKEN", "its name looks like a secret's, and a build argument stays in the image's history"),
        ("1x=y", "1x", "a name has letters, digits and underscores"),
        ("s3cret canary", "…", "a name has letters, digits and underscores"),
        ("http_proxy=x", "http_proxy", "s2i gives it itself"),
        ("BUILDKIT_CACHE_MOUNT_NS=other", "BUILDKIT_CACHE_MOUNT_NS", "s2i gives it itself"),
        ("NONE", "NONE", "it has no value, here or in the environment"),
    ],
)  # fmt: skip
def test_an_argument_that_cannot_be_given_is_refused_without_its_value(text: str, name: str, why: str) -> None:
    with pytest.raises(S2IError) as caught:
        arguments.parse(text, {})
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_ARG", 2)
    assert caught.value.message == f'the build argument "{name}" cannot be given: {why}'
    assert "canary" not in str(caught.value.as_dict())


def test_a_secret_name_is_answered_with_the_way_to_give_it() -> None:
    with pytest.raises(S2IError) as caught:
        arguments.parse("API_TOKEN=x", {})
    assert caught.value.advice == (
        "give it as a secret: `--secret id=api_token,env=API_TOKEN`, and read it in the step that needs it:"
        " RUN --mount=type=secret,id=api_token …"
    )


def test_a_plan_of_the_code_takes_no_arguments() -> None:
    with pytest.raises(S2IError) as caught:
        mounts.private(PLAN, BuildRequest(title="x", arguments=(("MODE", "fast"),)))
    assert caught.value.message == (
        'the build argument "MODE" cannot be given: the plan is made from the code, and no step of it takes one'
    )


# What is secret about a build ----------------------------------------------------------------------------------------


def test_the_salt_changes_with_the_project_and_the_secrets_alone() -> None:
    def salt(**given: Any) -> str:
        return kept.of(BuildRequest(**{"title": "x", **given}), {}, lambda notice: None).salt

    one, two = (Secret("a", b"1"),), (Secret("a", b"2"),)
    assert (salt(), salt(namespace="p")) == ("", "p.s2i.invalid")
    salts = {salt(), salt(namespace="p"), salt(namespace="q"), salt(secrets=one), salt(secrets=two)}
    assert len(salts | {salt(secrets=one, namespace="p")}) == 6
    assert salt(secrets=one, timeout=5.0) == salt(secrets=one)


def test_the_classic_builder_is_given_no_secrets() -> None:
    found = kept.of(BuildRequest(title="x", secrets=(Secret("token", b"s3cretcanary"),)), {}, lambda notice: None)
    with pytest.raises(S2IError) as caught:
        found.refuse()
    assert (caught.value.code, caught.value.exit) == ("E_SECRET_BUILDER", 6)
    assert "(token)" in caught.value.message


def test_a_secret_that_is_too_short_to_be_found_is_said() -> None:
    notices: list[sources.Notice] = []
    kept.of(BuildRequest(title="x", secrets=(Secret("pin", b"12345"),)), {}, notices.append)
    assert [notice.code for notice in notices] == ["W_SECRET_SHORT"]


def test_what_comes_over_the_wire_is_looked_at_again() -> None:
    secret = Secret("token", b"x")
    assert received((secret,), f"{URL}/", (("MODE", "x"),)) == ((secret,), URL)
    for given, address, pairs, code in (
        ((Secret("../x", b"x"),), "", (), "E_SECRET"),
        ((Secret("ca", b"x"),), "", (), "E_SECRET"),
        ((), "https://me:word@pypi.example.com", (), "E_INDEX"),
        ((), "", (("API_TOKEN", "x"),), "E_BUILD_ARG"),
    ):
        with pytest.raises(S2IError) as caught:
            received(given, address, pairs)
        assert caught.value.code == code
