"""The one place that runs git: a fixed command line, a clean environment, limits.

A repository is data of a stranger: its configuration, hooks, attributes, names and objects try to run something, or
to be written somewhere. Every flag below closes one such way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from s2i import shell
from s2i.errors import E_CANCELLED, E_GIT_MISSING, E_GIT_TIMEOUT
from s2i.sources.limits import Limits
from s2i.sources.source import Endpoint, endpoint

SETTINGS = (
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "transfer.fsckObjects=true",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "filter.lfs.process=",
    "filter.lfs.smudge=cat",
    "filter.lfs.required=false",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "http.followRedirects=false",
    "http.sslVerify=true",
    "credential.helper=",
    "core.fsync=none",  # what is fetched lives as long as its reader
    "gc.auto=0",
    "maintenance.auto=false",
    # One pack however small, so that one limit on a file's size holds for all that is fetched.
    "transfer.unpackLimit=1",
    "fetch.unpackLimit=1",
    # With these, 1 GiB of address space is enough for any repository within the limits, on any number of cores.
    "pack.threads=1",
    "core.bigFileThreshold=16m",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=128m",
)
SSH = (
    "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ProxyCommand=none"
    " -o PermitLocalCommand=no -o ClearAllForwardings=yes -o ConnectTimeout=20"
)
# The keys of the server's own user open repositories that are nobody else's.
SSH_OF_OTHERS = f"{SSH} -o PubkeyAuthentication=no -o IdentityAgent=none -o GSSAPIAuthentication=no"
# Of the caller's environment only this goes through: a company's proxy and CA, and at the keyboard the ssh agent.
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
# libcurl does not read SSL_CERT_FILE and SSL_CERT_DIR; git reads these two for it.
CERTIFICATES = {"GIT_SSL_CAINFO": "SSL_CERT_FILE", "GIT_SSL_CAPATH": "SSL_CERT_DIR"}
METADATA_SECONDS = 60.0


class Remote(msgspec.Struct, frozen=True):
    """A repository to talk to: its URL, where that leads, the addresses it is held to, and for whom."""

    url: str
    at: Endpoint
    pin: tuple[str, ...] = ()
    network: bool = False

    @classmethod
    def of(cls, url: str, pin: tuple[str, ...] = (), *, network: bool = False) -> Remote:
        """Make it from a URL that a Policy has admitted."""
        return cls(url, endpoint(url), pin, network)


class Site(msgspec.Struct, frozen=True):
    """Where git works: ``work`` is a private folder with the repository, an empty home and the checkout in it."""

    work: Path
    limits: Limits
    remote: Remote | None = None
    cancelled: threading.Event | None = None

    @property
    def repository(self) -> Path:
        return self.work / "repository"

    @property
    def checkout(self) -> Path:
        return self.work / "tree"


def command(arguments: tuple[str, ...], limits: Limits, remote: Remote | None = None) -> tuple[str, ...]:
    """Return the whole git command line for ``arguments``, which begin with git's subcommand or --git-dir."""
    settings = [*SETTINGS, "http.lowSpeedLimit=1000", f"http.lowSpeedTime={limits.stall}"]
    if remote and remote.at.scheme == "http":
        settings.append("protocol.http.allow=always")
    if remote and remote.pin:
        addresses = ",".join(f"[{a}]" if ":" in a else a for a in remote.pin)
        settings.append(f"http.curloptResolve={remote.at.host}:{remote.at.port}:{addresses}")
    flags = [word for setting in settings for word in ("-c", setting)]
    return (*_limited(limits), "git", "--no-pager", "--no-replace-objects", *flags, *arguments)


def environment(home: Path, inherited: Mapping[str, str], remote: Remote | None = None) -> dict[str, str]:
    """Return the whole environment of a git process; ``home`` is an empty folder."""
    protocols = "none"
    if remote:
        protocols = "https:ssh:http" if remote.at.scheme == "http" else "https:ssh"
    fixed = {
        "PATH": inherited.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": (SSH_OF_OTHERS if remote.network else SSH) if remote else "false",
        "GIT_SSH_VARIANT": "ssh",
    }
    if not remote:
        return fixed
    passed = {name: inherited[name] for name in PROXIES if name in inherited}
    for name, other in CERTIFICATES.items():
        if value := inherited.get(name) or inherited.get(other):
            passed[name] = value
    if not remote.network and "SSH_AUTH_SOCK" in inherited:
        passed["SSH_AUTH_SOCK"] = inherited["SSH_AUTH_SOCK"]
    return fixed | passed


def run(
    site: Site,
    *arguments: str,
    talks: bool = False,
    stdin: bytes = b"",
    limit: int = 16 << 20,
    seconds: float | None = None,
) -> shell.Completed:
    """Run git with ``arguments``; only with ``talks`` may it reach the site's remote. Output past ``limit`` ends it.

    Raises E_GIT_MISSING, E_GIT_TIMEOUT, E_CANCELLED.
    """
    remote = site.remote if talks else None
    home = site.work / "home"
    home.mkdir(exist_ok=True)
    timeout = seconds or site.limits.seconds
    try:
        return shell.run(
            command(arguments, site.limits, remote),
            timeout=timeout,
            env=environment(home, os.environ, remote),
            cwd=home,
            stdin=stdin,
            limit=limit,
            end_at_limit=True,
            cancelled=site.cancelled,
        )
    except shell.Missing:
        raise E_GIT_MISSING() from None
    except shell.Cancelled:
        raise E_CANCELLED(doing="the source was fetched") from None
    except shell.TimedOut:
        host = remote.at.host if remote else "git"
        raise E_GIT_TIMEOUT(host=host, why=f"more than {timeout:g} s") from None


def _limited(limits: Limits) -> tuple[str, ...]:
    """Return the words in front of git that bound its memory and the size of a file it writes.

    The memory of a process cannot be bounded from Python without running code between fork and exec; util-linux has
    the program for it on every Linux. Elsewhere the wall clock and the counting before a checkout have to do.
    """
    if not shell.find("git"):
        raise E_GIT_MISSING()
    if not (prlimit := shell.find("prlimit")):
        return ()
    # A pack is compressed, and its index comes on top: the sum of the files is checked from the listing.
    return (prlimit, f"--as={limits.memory}", f"--fsize={limits.size + (64 << 20)}", "--core=0", "--")
