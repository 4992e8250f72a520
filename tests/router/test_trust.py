"""Who trusts the local CA."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from s2i import shell
from s2i.errors import S2IError
from s2i.router import trust
from s2i.router.trust import BrowserStore, SystemStore, fingerprint, stores

DATA = b"a certificate"
ROOT = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(DATA).decode()}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    said: list[tuple[str, ...]] = []

    def run(argv: tuple[str, ...], **_more: object) -> shell.Completed:
        said.append(argv)
        return shell.Completed(0, b"", b"")

    monkeypatch.setattr(trust.shell, "run", run)
    monkeypatch.setattr(trust.shell, "find", lambda program: f"/usr/bin/{program}")
    return said


def test_a_certificate_is_known_by_its_sha_256() -> None:
    assert fingerprint(ROOT) == hashlib.sha256(DATA).hexdigest()
    with pytest.raises(S2IError) as caught:
        fingerprint("nothing")
    assert (caught.value.code, caught.value.exit) == ("E_TRUST", 6)


def test_the_system_gets_a_file_of_its_own_and_loses_it(tmp_path: Path, told: list[tuple[str, ...]]) -> None:
    store = SystemStore(tmp_path, tmp_path / "bundle.crt")
    assert not store.has(ROOT)
    store.add(ROOT)
    (path,) = tmp_path.iterdir()
    assert (path.name, path.read_text()) == (f"s2i-{fingerprint(ROOT)[:16]}.crt", ROOT)
    (tmp_path / "bundle.crt").write_text(f"# another\n{ROOT}")
    assert store.has(ROOT)
    store.remove(ROOT)
    assert (path.exists(), told) == (False, [("update-ca-certificates",), ("update-ca-certificates",)])


def test_whoever_may_not_write_there_is_told_what_to_do(tmp_path: Path, told: list[tuple[str, ...]]) -> None:
    with pytest.raises(S2IError) as caught:
        SystemStore(tmp_path / "absent", tmp_path / "bundle.crt").add(ROOT)
    assert caught.value.advice.startswith("run it as root: `sudo s2i tls trust`")
    assert told == []


def test_a_browser_without_a_store_gets_one(tmp_path: Path, told: list[tuple[str, ...]]) -> None:
    store = BrowserStore(tmp_path / "nssdb")
    assert not store.has(ROOT)
    store.add(ROOT)
    place, name = f"sql:{tmp_path}/nssdb", f"s2i local CA {fingerprint(ROOT)[:16]}"
    assert told == [
        ("certutil", "-d", place, "-N", "--empty-password"),
        ("certutil", "-d", place, "-A", "-a", "-t", "C,,", "-n", name),
    ]


def test_a_missing_certutil_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust.shell, "find", lambda program: None)
    with pytest.raises(S2IError) as caught:
        BrowserStore(tmp_path).add(ROOT)
    assert "libnss3-tools" in caught.value.advice


def test_a_machine_that_is_no_debian_has_the_browser_alone(tmp_path: Path) -> None:
    assert [type(one) for one in stores(tmp_path, tmp_path / "absent")] == [BrowserStore]
    assert [type(one) for one in stores(tmp_path, tmp_path)] == [SystemStore, BrowserStore]
