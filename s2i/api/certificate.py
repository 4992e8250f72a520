"""The certificate of the listener: of an authority of this server's own, or one that somebody gives."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import os
import ssl
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from s2i import dirs
from s2i.api.listener import Listener
from s2i.errors import E_CERTIFICATE

DAY = datetime.timedelta(days=1)
ROOT_DAYS, LEAF_DAYS = 3650, 825
RENEW_DAYS = 400  # before its end: a server that is not restarted for longer than that runs out of time
BACK = datetime.timedelta(hours=1)  # clocks differ


class Identity(msgspec.Struct, frozen=True):
    """A certificate with its chain and its key, as files; what vouches for it, and the SHA-256 of that."""

    chain: Path
    key: Path
    root: Path
    sha256: str


def ready(folder: Path, one: Listener, now: datetime.datetime) -> Identity:
    """Return the certificate that ``one`` is to show, made in ``folder`` when none is given. Raises E_CERTIFICATE."""
    if one.cert:
        made = Identity(Path(one.cert), Path(one.key), Path(one.cert), "")
        advice = "give the files of a certificate with its chain, and of its key without a password, as PEM"
    else:
        made = _own(dirs.make_private(folder), one.names, now)
        advice = f"remove {folder}, and a new one is made: clients have to be told of it then"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.chain, made.key)
        return msgspec.structs.replace(made, sha256=fingerprint(made.root.read_bytes()))
    except (OSError, ValueError) as error:
        why: object = error.strerror if isinstance(error, OSError) else error
        if isinstance(error, ssl.SSLError):
            why = "the key is another's, or one of these is no PEM"
        raise E_CERTIFICATE(path=made.chain, why=why, advice=advice) from None


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 of the first certificate of a file, as AB:CD:…. Raises ValueError."""
    digest = hashlib.sha256(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)).upper()


def _own(folder: Path, names: tuple[str, ...], now: datetime.datetime) -> Identity:
    made = Identity(folder / "server.pem", folder / "server.key", folder / "ca.pem", "")
    if not (made.root.exists() and (folder / "ca.key").exists()):
        _make_root(folder, now)
    if not _fits(made, names, now):
        _make_leaf(folder, made, names, now)
    return made


def _fits(made: Identity, names: tuple[str, ...], now: datetime.datetime) -> bool:
    """Say whether the certificate that is there has these names, is of this root, and holds for long enough."""
    with contextlib.suppress(OSError, ValueError, x509.ExtensionNotFound):
        leaf = x509.load_pem_x509_certificate(made.chain.read_bytes())
        root = x509.load_pem_x509_certificate(made.root.read_bytes())
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        lasts = leaf.not_valid_after_utc - now > RENEW_DAYS * DAY
        return made.key.exists() and lasts and leaf.issuer == root.subject and list(found) == list(_names(names))
    return False


def _make_root(folder: Path, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own, so that a root of before is not taken for this one.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"s2i server {os.urandom(4).hex()}")])
    usage = _usage(signs_certificates=True)
    public = key.public_key()
    made = (
        _builder(name, name, public, now, ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca.key", _private(key))
    _write(folder / "ca.pem", made.public_bytes(serialization.Encoding.PEM))


def _make_leaf(folder: Path, made: Identity, names: tuple[str, ...], now: datetime.datetime) -> None:
    root = x509.load_pem_x509_certificate(made.root.read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise E_CERTIFICATE(path=folder / "ca.key", why="it is no key of this server", advice=f"remove {folder}")
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    leaf = (
        _builder(x509.Name([]), root.subject, public, now, LEAF_DAYS)
        .add_extension(x509.SubjectAlternativeName(_names(names)), critical=True)  # there is no subject
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(made.key, _private(key))
    _write(made.chain, leaf.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACK)
        .not_valid_after(now + days * DAY)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(names: tuple[str, ...]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file for its owner alone, from its first byte on, as a whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)
