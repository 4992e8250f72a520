"""Keep the containers of one server from the machine that they run on, and lead them to its router alone (T45).

One chain in the table mangle, before anything is translated or routed: neither Docker nor a firewall's own tool, which
work in the tables filter and nat, take it away. Our bridges are known by the beginning of their names. A second chain,
where packets are passed on, keeps projects that are closed from everything beyond their own bridge. A third, in the
table nat, has port 80 of a project's gateway answered by the router, wherever that listens.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from s2i import shell
from s2i.engines.docker import connection

LINK_LOCAL = "169.254.0.0/16"
DNS = 53  # the engine's name server asks that of the machine from within the container's network
PROGRAMS = ("iptables", "ip6tables")
DOOR = 80  # at a project's gateway
SECONDS = 10.0
NAME_BYTES = 15  # of an interface, at most


class Way(NamedTuple):
    """A way into a chain of ours: the table, the chain of iptables that it begins in, what ours is named by."""

    table: str
    hook: str
    suffix: str

    def chain(self, server: str) -> str:
        """Return the name of our chain."""
        return f"S2I-{server}{self.suffix}"


SHUT, BEYOND, DOORS = (
    Way("mangle", "PREROUTING", ""),
    Way("mangle", "FORWARD", "-out"),
    Way("nat", "PREROUTING", "-door"),
)
WAYS = {"iptables": (SHUT, BEYOND, DOORS), "ip6tables": (SHUT, BEYOND)}


def bridge(server: str, project: str) -> str:
    """Return the name of a project's bridge on this machine."""
    digest = base64.b32encode(hashlib.sha256(project.encode()).digest()).decode().lower()
    return f"{_ours(server)}{digest}"[:NAME_BYTES]


def rules(
    server: str,
    ports: Sequence[int],
    closed: Sequence[str] = (),
    link_local: str = LINK_LOCAL,
    gateways: Mapping[str, str] | None = None,
) -> str:
    """Return the chains of a server that keep its containers from things, in the language of iptables-restore.

    ``ports``: TCP, of ours, open to containers. ``closed``: projects that reach nothing beyond their bridge.
    ``gateways``: by project, with a DOOR that is open.
    """
    chain, beyond = SHUT.chain(server), BEYOND.chain(server)
    local = f"-A {chain} -m addrtype --dst-type LOCAL"
    shut_off = [bridge(server, one) for one in closed]
    lines = (
        "*mangle",
        *(f":{one} - [0:0]" for one in (chain, beyond)),  # what was in them goes
        f"-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        *((f"-A {chain} -d {link_local} -j DROP",) if link_local else ()),
        # A name server carries questions anywhere. That of the engine answers for neighbours without it.
        *(f"{local} -i {name} -p {protocol} --dport {DNS} -j DROP" for name in shut_off for protocol in ("udp", "tcp")),
        *(f"{local} -p {protocol} --dport {DNS} -j RETURN" for protocol in ("udp", "tcp")),
        *(f"-A {chain} {_at_door(server, *one)} -j RETURN" for one in (gateways or {}).items()),
        *(f"{local} -p tcp --dport {port} -j RETURN" for port in ports),
        f"{local} -j DROP",
        # Whatever was open before counts as well: nobody beyond asks a container anything.
        *(f"-A {beyond} -i {name} ! -o {name} -j DROP" for name in shut_off),
        "COMMIT",
    )
    return "".join(f"{line}\n" for line in lines)


def doors(server: str, gateways: Mapping[str, str], router: str) -> str:
    """Return the chain that has the DOOR of each gateway, by project, lead to ``router`` ("127.0.0.1:8080")."""
    chain = DOORS.chain(server)
    led = (f"-A {chain} {_at_door(server, *one)} -j DNAT --to-destination {router}" for one in gateways.items())
    return "".join(f"{line}\n" for line in ("*nat", f":{chain} - [0:0]", *led, "COMMIT"))


def jump(server: str, verb: str, way: Way = SHUT) -> tuple[str, ...]:
    """Return the words that ask for ("-C"), make ("-I") or remove ("-D") the way into a chain."""
    return ("-w", "-t", way.table, verb, way.hook, "-i", f"{_ours(server)}+", "-j", way.chain(server))


def hindrance() -> str:
    """Return why this machine's containers cannot be kept from it, "" when they can."""
    if not connection.is_here():
        return "the engine is on another machine"
    if os.geteuid() != 0:
        return "it takes root"
    missing = [program for program in PROGRAMS[:1] if shell.find(program) is None]
    return f"there is no program {missing[0]}" if missing else ""


def shut(
    server: str,
    ports: Sequence[int],
    closed: Sequence[str] = (),
    gateways: Mapping[str, str] | None = None,
    router: str = "",
) -> str:
    """Have the rules in force; return why they are not. Idempotent: rules that are there are replaced at once.

    ``router``: where the DOOR of each gateway, by project, leads to; "" for no doors.
    """
    if why := hindrance():
        return why
    led = dict(gateways or {}) if router else {}
    for program in _programs():
        if program == "iptables":
            own = rules(server, ports, closed, LINK_LOCAL, led) + doors(server, led, router)
        else:
            own = rules(server, ports, closed, "")
        if why := _run((f"{program}-restore", "-w", "--noflush"), own):
            return why
        for way in WAYS[program]:
            if _run((program, *jump(server, "-C", way))) and (why := _run((program, *jump(server, "-I", way)))):
                return why
    for project in led:
        _let_in(bridge(server, project))
    return ""


def open_again(server: str) -> None:
    """Take the rules of a server away. Idempotent."""
    if hindrance():
        return
    for program in _programs():
        for way in WAYS[program]:
            while not _run((program, *jump(server, "-D", way))):
                pass
            for verb in ("-F", "-X"):
                _run((program, "-w", "-t", way.table, verb, way.chain(server)))


def _at_door(server: str, project: str, gateway: str) -> str:
    """Return what matches the packets of a project's containers to the DOOR of their own gateway."""
    return f"-i {bridge(server, project)} -d {gateway} -p tcp --dport {DOOR}"


def _let_in(name: str) -> None:
    """Let what comes over a bridge be led to a loopback address.

    By itself no container can send there: it has the privileges for no such route, and the chain SHUT drops it.
    """
    with contextlib.suppress(OSError):  # the bridge has just gone
        Path(f"/proc/sys/net/ipv4/conf/{name}/route_localnet").write_text("1")


def _programs() -> tuple[str, ...]:
    """Return the programs to use: a machine without IPv6 has no table of it."""
    speaks_6 = Path("/proc/net/if_inet6").exists() and shell.find(PROGRAMS[1]) is not None
    return PROGRAMS if speaks_6 else PROGRAMS[:1]


def _run(argv: tuple[str, ...], given: str = "") -> str:
    """Return "" when ``argv`` succeeds, else what it said."""
    try:
        done = shell.run(argv, timeout=SECONDS, stdin=given.encode())
    except (shell.TimedOut, shell.Missing, OSError) as error:
        return f"{argv[0]}: {error or type(error).__name__}"
    if done.code == 0:
        return ""
    said = done.err.decode(errors="replace").strip().splitlines()
    return f"{argv[0]}: {said[-1] if said else f'exit status {done.code}'}"


def _ours(server: str) -> str:
    return f"s2i{server[:5]}"
