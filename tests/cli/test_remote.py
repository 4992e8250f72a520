"""A server that is elsewhere: how it is named, what is refused before anybody is asked, and what stays here."""

from __future__ import annotations

import io
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from s2i import cli
from s2i.cli import remote
from s2i.errors import S2IError
from s2i.resources.people import text_of

TOKEN = text_of(b"t" * 32)
URL = "https://box.lan:8443"


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_SERVER", URL)
    monkeypatch.setenv("S2I_TOKEN", TOKEN)
    monkeypatch.delenv("S2I_CA", raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def one(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["s2i", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return one


def refused() -> tuple[str, str]:
    with pytest.raises(S2IError) as caught:
        remote.named()
    assert TOKEN not in f"{caught.value}{caught.value.advice}"
    return caught.value.code, str(caught.value)


def test_a_server_is_named_by_its_address_and_asked_with_the_token() -> None:
    found = remote.named()
    assert found == remote.Remote(URL, TOKEN)
    assert found.headers() == {"Authorization": f"Bearer {TOKEN}"}
    assert found.context().verify_mode is ssl.CERT_REQUIRED
    assert found.context().check_hostname


def test_no_variable_means_the_server_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_SERVER", "")
    assert remote.named() is None


@pytest.mark.parametrize(
    "url",
    [
        "http://box.lan",
        "box.lan:8443",
        "https://",
        "https://box.lan/v1",
        "https://me:pw@box.lan",
        "tcp://box.lan",
        "https://a b",
    ],
)
def test_what_is_no_plain_https_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("S2I_SERVER", url)
    code, text = refused()
    assert code == "E_SERVER_URL"
    assert "pw" not in text


@pytest.mark.parametrize("token", ["", "s2i_x", "x" * 47, f"{TOKEN}\nX: y"])
def test_what_is_no_token_is_not_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("S2I_TOKEN", token)
    assert refused()[0] == "E_TOKEN"


def test_a_file_that_vouches_has_to_be_there_and_hold_a_certificate(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    for path, why in ((tmp_path / "text", "it holds no certificate"), (tmp_path / "none", "No such file")):
        with pytest.raises(S2IError, match=why):
            remote.Remote(URL, TOKEN, str(path)).context()


def test_a_certificate_that_nothing_vouches_for_is_told_with_what_to_do() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate in certificate chain"
    told = remote.Remote(URL, TOKEN).failure(error)
    assert told.message == f"nothing vouches for the server {URL}: self-signed certificate in certificate chain"
    assert "S2I_CA" in told.advice
    assert (
        remote.Remote(URL, TOKEN).failure(ConnectionRefusedError(111, "Connection refused")).code == "E_SERVER_REMOTE"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("server", "start"),
        ("server", "stop", "--all", "--yes"),
        ("server", "backup", "file"),
        ("server", "restore"),
        ("tls", "trust", "--yes"),
        ("tls", "untrust", "--yes"),
        ("buildrun", "list"),
        ("image", "gc"),
    ],
)
def test_what_concerns_files_of_the_servers_machine_is_refused_with_words(run: Any, words: tuple[str, ...]) -> None:
    status, said = run(*words)
    assert status == 2
    assert f"works on the machine of the server alone, and S2I_SERVER names {URL}" in said
