"""Where the server listens on TCP, and what it shows there: an address that is one, and a certificate that holds."""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from s2i.api import certificate, listener
from s2i.api.listener import Listener
from s2i.errors import S2IError

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LOCAL = ("localhost", "127.0.0.1", "::1")


def test_a_server_listens_on_tcp_only_when_it_is_told_to() -> None:
    assert listener.wanted({}) is None
    assert listener.wanted({"S2I_API_ADDRESS": "127.0.0.1:8443"}) == Listener(
        "127.0.0.1", 8443, ("127.0.0.1", "localhost", "::1")
    )
    given = listener.wanted({"S2I_API_ADDRESS": "127.0.0.1:1"}, listen="[::1]:2")
    assert given
    assert (given.host, given.port) == ("::1", 2)


def test_it_answers_to_the_names_that_it_is_given_and_to_its_address() -> None:
    found = listener.wanted({"S2I_API_ADDRESS": "10.0.0.5:8443", "S2I_API_NAMES": "Box.lan, 10.0.0.6"})
    assert found
    assert found.names == ("box.lan", "10.0.0.6", "10.0.0.5", *LOCAL)
    assert found.url == "https://box.lan:8443"
    everywhere = listener.wanted({"S2I_API_ADDRESS": "0.0.0.0:8443", "S2I_API_NAMES": "box.lan"})
    assert everywhere
    assert "0.0.0.0" not in everywhere.names


@pytest.mark.parametrize(
    ("address", "names", "options"),
    [
        ("8443", "", {}),
        (":8443", "", {}),
        ("http://x:1", "", {}),
        ("x:99999", "", {}),
        ("a b:1", "", {}),
        ("x:1", "*.lan", {}),
        ("x:1", "a/b", {}),
        ("x:1", "", {"cert": "cert.pem"}),
    ],
)
def test_what_is_no_address_or_name_is_refused(address: str, names: str, options: dict[str, str]) -> None:
    with pytest.raises(S2IError) as caught:
        listener.wanted({"S2I_API_ADDRESS": address, "S2I_API_NAMES": names}, **options)
    assert caught.value.code == "E_LISTEN"


def own(folder: Path, *names: str, now: datetime.datetime = NOW) -> certificate.Identity:
    return certificate.ready(folder, Listener("127.0.0.1", 8443, names or LOCAL), now)


def test_a_certificate_of_its_own_holds_for_its_names_and_its_keys_are_its_owners(tmp_path: Path) -> None:
    made = own(tmp_path / "api", "box.lan", "10.0.0.5")
    leaf = x509.load_pem_x509_certificate(made.chain.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == ["box.lan", "10.0.0.5"]
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(made.root.read_bytes()))
    for path in (tmp_path / "api").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "api").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("strict", [False, True])
def test_who_trusts_the_root_can_speak_to_it_by_its_names_and_no_other(tmp_path: Path, strict: bool) -> None:
    made = own(tmp_path / "api", "box.lan", "10.0.0.5", now=datetime.datetime.now(datetime.UTC))
    assert handshake(made, "box.lan", strict) == handshake(made, "10.0.0.5", strict) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(made, "evil.lan", strict)
    other = own(tmp_path / "other", "box.lan", now=datetime.datetime.now(datetime.UTC))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made, "box.lan", strict, root=other.root)


def handshake(made: certificate.Identity, name: str, strict: bool, root: Path | None = None) -> str | None:
    """Speak TLS without a socket; return its version."""
    client = ssl.create_default_context(cafile=root or made.root)
    if strict:
        client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.chain, made.key)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends: list[Any] = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].version()  # type: ignore[no-any-return]


def test_a_certificate_is_made_again_for_other_names_or_before_its_end_and_its_root_stays(tmp_path: Path) -> None:
    first = own(tmp_path / "api", "box.lan")
    before = first.chain.read_bytes()
    assert own(tmp_path / "api", "box.lan").chain.read_bytes() == before
    late = NOW + datetime.timedelta(days=500)
    assert own(tmp_path / "api", "box.lan", now=late).chain.read_bytes() != before
    again = own(tmp_path / "api", "box.lan", "other.lan")
    assert again.sha256 == first.sha256
    assert len(first.sha256) == 95


def test_a_certificate_that_is_given_is_shown_as_it_is_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    made, other = own(tmp_path / "api"), own(tmp_path / "other")
    given = certificate.ready(tmp_path / "none", Listener("x", 1, LOCAL, str(made.chain), str(made.key)), NOW)
    assert given.root == made.chain
    assert not (tmp_path / "none").exists()
    for cert, key in ((made.chain, other.key), (tmp_path / "missing", made.key), (made.key, made.key)):
        with pytest.raises(S2IError) as caught:
            certificate.ready(tmp_path / "none", Listener("x", 1, LOCAL, str(cert), str(key)), NOW)
        assert caught.value.code == "E_CERTIFICATE"


def test_a_folder_that_others_may_write_to_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir(mode=0o777)
    os.chmod(tmp_path / "api", 0o777)  # noqa: PTH101, S103
    own(tmp_path / "api")
    assert (tmp_path / "api").stat().st_mode & 0o777 == 0o700
