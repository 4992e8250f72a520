"""For which processor an image is: what is asked for, what the engine is, what an image turned out to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from s2i.errors import E_BUILD_PLATFORM, E_PLATFORM
from s2i.patterns import lazily

if TYPE_CHECKING:
    from s2i.images.clients import BuildClient
    from s2i.wire import Wire

# How processors are called elsewhere (uname -m, Debian), and here: GOARCH, as in every registry.
_CALLED = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm", "i386": "386"}
_NAMES = frozenset({"amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"})
_IMPLIED = {"arm64": "v8", "arm": "v7", "amd64": "v1"}  # a variant that says nothing
_FORM = lazily(r"(?P<os>[a-z0-9]+)/(?P<arch>[a-z0-9_-]+)(?:/(?P<variant>v[0-9]{1,2}))?")


def parse(value: str) -> str:
    """Return a platform as registries write it: ``linux/arm64``. Raises E_PLATFORM."""
    if "," in value:
        raise E_PLATFORM(
            value=value,
            why="an engine's image is for one platform",
            advice="build and push each under a tag of its own, then join them:"
            " `docker buildx imagetools create -t NAME:TAG NAME:TAG-amd64 NAME:TAG-arm64`",
        )
    found = _FORM.fullmatch(value.lower())
    arch = _CALLED.get(found["arch"], found["arch"]) if found else ""
    if not found or arch not in _NAMES:
        raise E_PLATFORM(value=value, why="there is no such platform")
    if found["os"] != "linux":
        raise E_PLATFORM(value=value, why="images of s2i are for Linux")
    return _written(arch, found["variant"] or "")


def of_engine(engine: Wire) -> str:
    """Return the platform of the machine that an engine runs on."""
    told = engine.get("/version")
    return _written(_CALLED.get(told["Arch"], told["Arch"]), "")


def of_image(details: Mapping[str, Any]) -> str:
    """Return the platform of an image, as the engine describes the image."""
    arch = str(details.get("Architecture") or "")
    return _written(_CALLED.get(arch, arch), str(details.get("Variant") or ""))


def check(details: Mapping[str, Any], platform: str) -> None:
    """Refuse an image that is for another platform than was asked for. Raises E_BUILD_PLATFORM."""
    has = of_image(details)
    if platform not in ("", has):
        why = f"the image is for {has}, not for {platform}"
        advice = "let no FROM of the Dockerfile name a platform of its own"
        raise E_BUILD_PLATFORM(step="write the image", why=why, log=(), advice=advice)


def explain(step: str, lines: Sequence[str], platform: str) -> None:
    """Return unless a build for another ``platform`` failed because nothing here runs its programs.

    Raises E_BUILD_PLATFORM.
    """
    if platform and any("exec format error" in line.lower() for line in lines):
        why = f"the kernel of this machine cannot run programs made for {platform}"
        raise E_BUILD_PLATFORM(step=step, why=why, log=())


def check_client(client: BuildClient, platform: str) -> None:
    """Refuse a client that can build for the engine's own platform only. Raises E_PLATFORM."""
    if platform and client.kind == "classic":
        why = "the only builder here is the classic one, which builds for its own machine"
        advice = "install buildx: `s2i doctor` says how"
        raise E_PLATFORM(value=platform, why=why, advice=advice)


def _written(arch: str, variant: str) -> str:
    return f"linux/{arch}/{variant}" if variant and variant != _IMPLIED.get(arch) else f"linux/{arch}"
