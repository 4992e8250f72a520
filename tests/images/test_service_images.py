"""Images of services: the call that makes each, and scripts that show no password in a list of processes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from s2i.images.services import obtain
from s2i.resources.service import ServiceKind

KINDS: tuple[ServiceKind, ...] = get_args(ServiceKind)


def test_the_call_that_makes_the_image_of_redis() -> None:
    assert obtain.command("redis", Path("/x/root.tar"), ("Acquire::http::Proxy p;",)) == (
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "mmdebstrap", "--variant=extract"),
        *("--skip=cleanup/apt,cleanup/mmdebstrap", '--extract-hook=sh "$S2I_HOOK" "$1"'),
        *("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--aptopt=Acquire::http::Proxy p;"),
        *("--dpkgopt=path-exclude=/usr/share/perl*", "--dpkgopt=path-exclude=/usr/lib/*/perl*"),
        *("--dpkgopt=path-exclude=/usr/bin/perl*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        "--include=base-files,coreutils,dash,libc-bin,netbase,tzdata,redis-server",
        *("bookworm", "/x/root.tar", "-"),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_recipe_a_name_and_a_script_that_starts_it(kind: ServiceKind) -> None:
    assert obtain.recipe_of(kind).packages
    assert obtain.name_of(kind).startswith(f"s2i.local/{kind}:")
    script = (obtain.HERE / f"{kind}.sh").read_text()
    assert script.startswith("#!/bin/sh\n")
    assert "set -eu" in script
