"""Which hosts may be fetched from, and for whom."""

from __future__ import annotations

import socket

import pytest

from s2i.errors import S2IError
from s2i.sources.policy import Policy, addresses_of, is_public

KEYBOARD, NETWORK = Policy(), Policy(network=True)


def public(_host: str, _port: int) -> tuple[str, ...]:
    return ("93.184.216.34", "2606:2800:220:1::1")


def refusal(policy: Policy, url: str, *addresses: str) -> tuple[str, int]:
    with pytest.raises(S2IError) as caught:
        policy.admit(url, lambda _host, _port: addresses)
    return caught.value.code, caught.value.exit


def test_the_person_at_the_keyboard_may_name_any_https_or_ssh_host() -> None:
    assert KEYBOARD.admit("https://127.0.0.1/r") == ()
    assert KEYBOARD.admit("git@10.0.0.1:r") == ()


def test_plain_http_needs_the_allow_list_even_at_the_keyboard() -> None:
    assert refusal(KEYBOARD, "http://host/r") == ("E_URL", 2)


def test_the_allow_list_names_a_host_or_a_host_with_its_port() -> None:
    assert Policy(network=True, allow=frozenset(["host"])).admit("http://host:81/r") == ()
    assert Policy(network=True, allow=frozenset(["host:81"])).admit("http://HOST:81/r") == ()
    assert Policy(network=True, allow=frozenset(["[::1]:81"])).admit("http://[::1]:81/r") == ()
    assert Policy(network=True, allow=frozenset(["host"])).admit("git@host:r") == ()
    assert refusal(Policy(network=True, allow=frozenset(["host:82"])), "http://host:81/r") == ("E_URL", 2)


def test_the_allow_list_is_read_from_the_environment() -> None:
    made = Policy.of({"S2I_GIT_ALLOW": " Host:81, other ,"}, network=True)
    assert Policy(network=True, allow=frozenset(["host:81", "other"])) == made
    assert Policy() == Policy.of({})


def test_a_caller_on_the_network_is_held_to_the_addresses_that_were_checked() -> None:
    assert NETWORK.admit("https://host/r", public) == public("host", 443)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    assert refusal(NETWORK, "https://host/r", "93.184.216.34", "10.0.0.1") == ("E_URL_PRIVATE", 2)


def test_a_caller_on_the_network_does_not_get_the_servers_ssh_keys() -> None:
    assert refusal(NETWORK, "git@host:r") == ("E_URL_SSH", 2)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "localhost",
        "169.254.169.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:7f00:1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
    ],
)
def test_no_spelling_of_a_private_address_gets_past(host: str) -> None:
    with pytest.raises(S2IError) as caught:
        NETWORK.admit(f"https://{host}/r")
    assert caught.value.code == "E_URL_PRIVATE"


def test_public_addresses_are_public() -> None:
    assert all(is_public(address) for address in ("93.184.216.34", "1.1.1.1", "2606:4700::1111"))
    assert not is_public("no address")


def test_a_name_that_does_not_resolve_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(S2IError) as caught:
        addresses_of("host.invalid", 443)
    assert (caught.value.code, caught.value.exit) == ("E_GIT_UNREACHABLE", 75)
    assert str(caught.value) == "cannot reach host.invalid: Temporary failure in name resolution"
