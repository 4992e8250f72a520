"""Keep the containers of one server from the machine that they run on: its services, the metadata of its cloud (T45).

One chain in the table mangle, before anything is translated or routed: neither Docker nor a firewall's own tool, which
work in the tables filter and nat, take it away. Our bridges are known by the beginning of their names. A second chain,
where packets are passed on, keeps projects that are closed from everything beyond their own bridge.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from s2i import shell
from s2i.engines.docker import connection

LINK_LOCAL = "169.254.0.0/16"
DNS = 53  # the engine's name server asks that of the machine from within the container's network
PROGRAMS = ("iptables", "ip6tables")
HOOKS = ("PREROUTING", "FORWARD")
SECONDS = 10.0
NAME_BYTES = 15  # of an interface, at most


def bridge(server: str, project: str) -> str:
    """Return the name of a project's bridge on this machine."""
    digest = base64.b32encode(hashlib.sha256(project.encode()).digest()).decode().lower()
    return f"{_ours(server)}{digest}"[:NAME_BYTES]


def rules(server: str, ports: Sequence[int], closed: Sequence[str] = (), link_local: str = LINK_LOCAL) -> str:
    """Return the chains of a server in the language of iptables-restore.

    ``ports``: TCP, of ours, open to containers. ``closed``: projects that reach nothing beyond their bridge.
    """
    chain, beyond = _chain(server), _beyond(server)
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
        *(f"{local} -p tcp --dport {port} -j RETURN" for port in ports),
        f"{local} -j DROP",
        # Whatever was open before counts as well: nobody beyond asks a container anything.
        *(f"-A {beyond} -i {name} ! -o {name} -j DROP" for name in shut_off),
        "COMMIT",
    )
    return "".join(f"{line}\n" for line in lines)


def jump(server: str, verb: str, hook: str = "PREROUTING") -> tuple[str, ...]:
    """Return the words that ask for ("-C"), make ("-I") or remove ("-D") the way into the chain of ``hook``.

    ``hook``: PREROUTING, or FORWARD for the chain of closed projects.
    """
    chain = _chain(server) if hook == "PREROUTING" else _beyond(server)
    return ("-w", "-t", "mangle", verb, hook, "-i", f"{_ours(server)}+", "-j", chain)


def hindrance() -> str:
    """Return why this machine's containers cannot be kept from it, "" when they can."""
    if not connection.is_here():
        return "the engine is on another machine"
    if os.geteuid() != 0:
        return "it takes root"
    missing = [program for program in PROGRAMS[:1] if shell.find(program) is None]
    return f"there is no program {missing[0]}" if missing else ""


def shut(server: str, ports: Sequence[int], closed: Sequence[str] = ()) -> str:
    """Have the rules in force; return why they are not. Idempotent: rules that are there are replaced at once."""
    if why := hindrance():
        return why
    for program in _programs():
        own = rules(server, ports, closed, LINK_LOCAL if program == "iptables" else "")
        if why := _run((f"{program}-restore", "-w", "--noflush"), own):
            return why
        for hook in HOOKS:
            if _run((program, *jump(server, "-C", hook))) and (why := _run((program, *jump(server, "-I", hook)))):
                return why
    return ""


def open_again(server: str) -> None:
    """Take the rules of a server away. Idempotent."""
    if hindrance():
        return
    for program in _programs():
        for hook in HOOKS:
            while not _run((program, *jump(server, "-D", hook))):
                pass
        for chain in (_chain(server), _beyond(server)):
            for verb in ("-F", "-X"):
                _run((program, "-w", "-t", "mangle", verb, chain))


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


def _chain(server: str) -> str:
    return f"S2I-{server}"


def _beyond(server: str) -> str:
    return f"{_chain(server)}-out"
