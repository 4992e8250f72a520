"""Which records of BuildKit's cache come from steps of ours."""

from __future__ import annotations

from typing import Any

import pytest

from s2i.images.stock.cache import Cached, ours, records, texts

DOCKERFILE = """\
FROM b AS build
RUN uv venv --python /usr/bin/python3 /opt/venv
RUN --mount=type=cache,id=s2i-uv,target=/root/.cache/uv \\
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \\
    UV_LINK_MODE=copy \\
    uv pip install -r requirements.txt
FROM r
COPY --from=build ["/opt/venv", "/opt/venv"]
COPY [".", "/app/"]
RUN python -m compileall /app
"""
SHELL = "mount / from exec /bin/sh -c "
COMMANDS = texts([DOCKERFILE])


def one(name: str, text: str, *parents: str, used: bool = False) -> Cached:
    return Cached(name, parents, text, 10, used)


def mine(*every: Cached) -> list[str]:
    return [found.id for found in ours(every, COMMANDS)]


def test_the_commands_of_a_dockerfile_are_read_without_their_mounts() -> None:
    assert COMMANDS == {
        "uv venv --python /usr/bin/python3 /opt/venv",
        "UV_LINK_MODE=copy uv pip install -r requirements.txt",
        "python -m compileall /app",
    }


@pytest.mark.parametrize(
    "text",
    [
        f"{SHELL}UV_LINK_MODE=copy     uv pip install -r requirements.txt",
        "cached mount /root/.cache/uv from exec /bin/sh -c UV_LINK_MODE=copy     uv pip install -r requirements.txt",
        "cached mount /root/.cache/uv from exec /bin/sh -c UV_LINK_MODE=copy     uv pip install -r requirements.txt"
        ' with id "shop/s2i-uv"',
    ],
)
def test_a_step_and_its_cache_mount_are_known_by_the_command(text: str) -> None:
    assert mine(one("a", text)) == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        f"{SHELL}uv pip install -r requirements.txt",
        f"{SHELL}pip install flask",
        "local source for context",
        "pulled from docker.io/library/python:3.13",
        "fileop target",
    ],
)
def test_what_anybody_may_have_left_is_left_alone(text: str) -> None:
    assert mine(one("a", text)) == []


def test_copies_between_our_steps_are_ours_and_what_lies_below_for_others_too_is_not() -> None:
    compile_step, venv_step = f"{SHELL}python -m compileall /app", f"{SHELL}uv venv --python /usr/bin/python3 /opt/venv"
    every = (
        one("base", "pulled from r"),
        one("venv", "fileop target", "base"),
        one("source", "fileop target", "venv"),
        one("compiled", compile_step, "source"),
        one("made", venv_step, "base"),
        one("manifest", "fileop target", "made"),
        one("theirs", "fileop target", "base"),
        one("their-step", f"{SHELL}theirs", "theirs"),
    )
    assert mine(*every) == ["compiled", "made", "manifest", "source", "venv"]
    shared = one("other", f"{SHELL}theirs too", "venv")
    assert mine(*every, shared) == ["compiled", "made", "manifest", "source"]


def test_what_a_build_uses_now_is_left_alone() -> None:
    assert mine(one("a", f"{SHELL}python -m compileall /app", used=True)) == []


def test_records_are_read_as_old_and_new_engines_give_them() -> None:
    row: dict[str, Any] = {"ID": "a", "Description": "x", "Size": 7, "InUse": True, "Shared": True}
    old, new = {**row, "Parent": "p"}, {**row, "Parents": ["p", "q"]}
    assert records({"BuildCache": [old, new, {**row, "Parent": ""}]}) == (
        Cached("a", ("p",), "x", 7, True, True),
        Cached("a", ("p", "q"), "x", 7, True, True),
        Cached("a", (), "x", 7, True, True),
    )
    assert records({"BuildCache": None}) == ()
