"""Certificates, as a part of Caddy's config: from a CA of this machine's own, or by ACME for names that are public."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from s2i.router.router import Route

CA = "local"  # as Caddy's admin API calls it: /pki/ca/local
CA_NAME = "s2i local CA"


class Acme(msgspec.Struct, frozen=True):
    """Who gives certificates for public names: ``email`` of the account, the ``directory`` of the authority.

    ``directory`` "" is Let's Encrypt's; ``root``: a file with the CA of the directory itself, "" where it is known.
    Without a word of them (``on``) no domain asks for ACME unless its own setting says so.
    """

    email: str = ""
    directory: str = ""
    root: str = ""

    @property
    def on(self) -> bool:
        """Whether somebody has set it up."""
        return bool(self.email or self.directory)


def acme_of(environment: Mapping[str, str]) -> Acme:
    """Return what S2I_ACME_EMAIL, S2I_ACME_DIRECTORY and S2I_ACME_ROOT say."""
    return Acme(*(environment.get(f"S2I_ACME_{name}", "") for name in ("EMAIL", "DIRECTORY", "ROOT")))


def apps(routes: Iterable[Route], domain: str, acme: Acme, ports: tuple[int, int]) -> dict[str, Any]:
    """Return Caddy's apps "tls" and "pki". ``ports``: of HTTP and HTTPS.

    A project has one certificate for all of its apps, so that another app changes none.
    """
    routes = tuple(routes)
    local, public = set(), set()
    for route in routes:
        local.add(f"*.{route.project}.{domain}")
        for host, how in route.domains:
            if how == "acme" or (how == "auto" and acme.on):
                public.add(host)
            elif how != "off":
                local.add(host)
    policies: list[dict[str, Any]] = [{"issuers": [{"module": "internal", "ca": CA}]}]
    if public:
        policies.insert(0, {"subjects": sorted(public), "issuers": [_issuer(acme, ports)]})
    return {
        "tls": {
            "certificates": {"automate": sorted(local | public)},
            "automation": {"policies": policies},
        },
        "pki": {
            "certificate_authorities": {
                # Who trusts it is the person's to decide: `s2i tls trust`.
                CA: {"name": CA_NAME, "root_common_name": f"{CA_NAME} root", "install_trust": False}
            }
        },
    }


def _issuer(acme: Acme, ports: tuple[int, int]) -> dict[str, Any]:
    http, https = ports
    found: dict[str, Any] = {
        "module": "acme",
        "challenges": {"http": {"alternate_port": http}, "tls-alpn": {"alternate_port": https}},
    }
    if acme.email:
        found["email"] = acme.email
    if acme.directory:
        found["ca"] = acme.directory
    if acme.root:
        found["trusted_roots_pem_files"] = [acme.root]
    return found
