from __future__ import annotations

import pytest

from s2i.engines.docker import firewall

SERVER = "0123456789ab"


@pytest.mark.parametrize("project", ["default", "p", "a" * 63])
def test_the_name_of_a_bridge_fits_and_is_known_by_its_beginning(project: str) -> None:
    name = firewall.bridge(SERVER, project)
    assert len(name) == firewall.NAME_BYTES
    assert name.startswith("s2i01234")
    assert "s2i01234+" in firewall.jump(SERVER, "-I")


def test_two_projects_have_two_bridges() -> None:
    assert len({firewall.bridge(SERVER, f"p{number}") for number in range(5000)}) == 5000


def test_the_rules_of_a_server() -> None:
    assert firewall.rules(SERVER, (8080, 8443)).splitlines() == [
        "*mangle",
        ":S2I-0123456789ab - [0:0]",
        ":S2I-0123456789ab-out - [0:0]",
        "-A S2I-0123456789ab -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-A S2I-0123456789ab -d 169.254.0.0/16 -j DROP",
        "-A S2I-0123456789ab -m addrtype --dst-type LOCAL -p udp --dport 53 -j RETURN",
        "-A S2I-0123456789ab -m addrtype --dst-type LOCAL -p tcp --dport 53 -j RETURN",
        "-A S2I-0123456789ab -m addrtype --dst-type LOCAL -p tcp --dport 8080 -j RETURN",
        "-A S2I-0123456789ab -m addrtype --dst-type LOCAL -p tcp --dport 8443 -j RETURN",
        "-A S2I-0123456789ab -m addrtype --dst-type LOCAL -j DROP",
        "COMMIT",
    ]


def test_a_closed_project_gets_rules_of_its_own_and_no_other_does() -> None:
    name = firewall.bridge(SERVER, "shop")
    more = set(firewall.rules(SERVER, (8080,), ("shop",)).splitlines()) - set(
        firewall.rules(SERVER, (8080,)).splitlines()
    )
    assert more == {
        f"-A S2I-0123456789ab -m addrtype --dst-type LOCAL -i {name} -p udp --dport 53 -j DROP",
        f"-A S2I-0123456789ab -m addrtype --dst-type LOCAL -i {name} -p tcp --dport 53 -j DROP",
        f"-A S2I-0123456789ab-out -i {name} ! -o {name} -j DROP",
    }


def test_the_names_of_chains_are_not_too_long() -> None:
    names = [firewall.jump("0" * 12, "-C", way)[-1] for way in firewall.WAYS["iptables"]]
    assert len(set(names)) == 3
    assert max(map(len, names)) <= 28  # of iptables


def test_port_80_of_the_own_gateway_leads_to_the_router_and_no_other_one() -> None:
    name, gateways = firewall.bridge(SERVER, "shop"), {"shop": "172.18.0.1"}
    more = set(firewall.rules(SERVER, (), gateways=gateways).splitlines()) - set(
        firewall.rules(SERVER, ()).splitlines()
    )
    assert more == {f"-A S2I-0123456789ab -i {name} -d 172.18.0.1 -p tcp --dport 80 -j RETURN"}
    assert firewall.doors(SERVER, gateways, "127.0.0.1:8080").splitlines() == [
        "*nat",
        ":S2I-0123456789ab-door - [0:0]",
        f"-A S2I-0123456789ab-door -i {name} -d 172.18.0.1 -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8080",
        "COMMIT",
    ]
    assert firewall.doors(SERVER, {}, "").splitlines() == ["*nat", ":S2I-0123456789ab-door - [0:0]", "COMMIT"]
    assert firewall.jump(SERVER, "-I", firewall.DOORS) == (
        *("-w", "-t", "nat", "-I", "PREROUTING", "-i", "s2i01234+", "-j", "S2I-0123456789ab-door"),
    )
