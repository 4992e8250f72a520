"""Certificates as a part of Caddy's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s2i.router.document import document
from s2i.router.handlers import Places
from s2i.router.router import Route
from s2i.router.tls import Acme, acme_of, apps

PLACES = Places(
    Path("/r/slots"), Path("/r/caddy.sock"), Path("/r/wake.sock"), Path("/r/turn.sock"), Path("/s/caddy.log")
)
LISTEN = ("127.0.0.1:8080", "127.0.0.1:8443")
NOBODY = Acme()


def tls(*routes: Route, acme: Acme = NOBODY) -> dict[str, Any]:
    found: dict[str, Any] = apps(routes, "localhost", acme, (8080, 8443))["tls"]
    return found


def domains(**hosts: str) -> Route:
    return Route("default", "shop", domains=tuple((f"{host}.example.com", how) for host, how in hosts.items()))


def test_a_project_has_one_certificate_however_many_apps_there_are() -> None:
    found = tls(Route("default", "a"), Route("default", "b"), Route("team", "c"))
    assert found["certificates"]["automate"] == ["*.default.localhost", "*.team.localhost"]
    assert found["automation"]["policies"] == [{"issuers": [{"module": "internal", "ca": "local"}]}]


def test_a_domain_asks_no_public_authority_unless_somebody_has_said_so() -> None:
    route = domains(one="auto", two="local", three="off")
    assert tls(route)["certificates"]["automate"] == ["*.default.localhost", "one.example.com", "two.example.com"]
    assert [policy.get("subjects") for policy in tls(route)["automation"]["policies"]] == [None]
    acme = Acme("ops@example.com")
    assert tls(route, acme=acme)["automation"]["policies"][0] == {
        "subjects": ["one.example.com"],
        "issuers": [
            {
                "module": "acme",
                "email": "ops@example.com",
                "challenges": {"http": {"alternate_port": 8080}, "tls-alpn": {"alternate_port": 8443}},
            }
        ],
    }
    assert tls(domains(one="acme"))["automation"]["policies"][0]["subjects"] == ["one.example.com"]


def test_the_authority_is_what_the_environment_says() -> None:
    environment = {"S2I_ACME_EMAIL": "a@b", "S2I_ACME_DIRECTORY": "https://ca/dir", "S2I_ACME_ROOT": "/root.pem"}
    assert acme_of(environment) == Acme("a@b", "https://ca/dir", "/root.pem")
    assert (acme_of({}), acme_of({}).on) == (Acme(), False)
    issuer = tls(domains(one="acme"), acme=acme_of(environment))["automation"]["policies"][0]["issuers"][0]
    assert (issuer["ca"], issuer["trusted_roots_pem_files"]) == ("https://ca/dir", ["/root.pem"])


def test_nobody_is_made_to_trust_the_authority_of_this_machine() -> None:
    authorities = apps((), "localhost", Acme(), (8080, 8443))["pki"]["certificate_authorities"]
    assert authorities["local"]["install_trust"] is False


def test_https_is_beside_http_and_redirects_nobody() -> None:
    whole = document((domains(one="auto"),), LISTEN, "localhost", PLACES)["apps"]
    server = whole["http"]["servers"]["apps"]
    assert (whole["http"]["http_port"], whole["http"]["https_port"]) == (8080, 8443)
    assert (server["listen"], server["protocols"]) == (list(LISTEN), ["h1", "h2"])
    assert (server["automatic_https"], server["tls_connection_policies"]) == ({"disable": True}, [{}])
    assert server["routes"][1]["match"] == [{"host": ["shop.default.localhost", "one.example.com"]}]


def test_without_a_port_for_it_there_is_no_https() -> None:
    whole = document((Route("default", "shop"),), LISTEN[:1], "localhost", PLACES)["apps"]
    assert list(whole) == ["http"]
    assert "tls_connection_policies" not in whole["http"]["servers"]["apps"]
