"""What the options and the environment of a person give to a build, and what stays with the person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from s2i.cli import client
from s2i.cli.build import build
from s2i.cli.deploy import deploy
from s2i.cli.dockerfile import dockerfile
from s2i.cli.private import asked
from s2i.errors import S2IError

URL = "https://pypi.example.com/simple"
CANARY = "s3cretcanary"


@pytest.fixture(autouse=True)
def person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be somebody without a configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_a_variable_that_gave_a_secret_is_not_handed_on() -> None:
    os.environ["CANARY"] = CANARY
    found = asked(("id=token,env=CANARY",), "", "")
    assert [(secret.id, secret.value) for secret in found.secrets] == [("token", CANARY.encode())]
    assert "CANARY" not in os.environ


def test_the_password_of_an_address_and_a_secret_go_together() -> None:
    os.environ["TOKEN"] = "t"
    found = asked(("id=TOKEN",), f"https://me:{CANARY}@pypi.example.com/simple", "")
    assert (found.index, [secret.id for secret in found.secrets]) == (URL, ["TOKEN", "netrc"])


def test_a_netrc_that_is_given_as_a_secret_comes_before_the_persons_own(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine pypi.example.com login me password own\n")
    (tmp_path / "given").write_text("machine pypi.example.com login me password given\n")
    (secret,) = asked((f"id=netrc,src={tmp_path}/given",), URL, "").secrets
    assert b"given" in secret.value
    with pytest.raises(S2IError) as caught:
        asked((f"id=netrc,src={tmp_path}/given",), URL, f"{tmp_path}/given")
    assert caught.value.code == "E_SECRET"


SECRET = (("--secret", f"TOKEN={CANARY}"), "E_SECRET")
INDEX = (("--index-url", f"file://me:{CANARY}@x/y"), "E_INDEX")
ARGUMENT = (("--build-arg", f"API_TOKEN={CANARY}"), "E_BUILD_ARG")


@pytest.mark.parametrize(
    ("command", "given"),
    [(each, given) for each in (build, deploy) for given in (SECRET, INDEX, ARGUMENT)]
    + [(dockerfile, SECRET), (dockerfile, INDEX)],
)
def test_what_cannot_be_given_is_refused_before_anything_is_done(command, given, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    words, code = given
    (tmp_path / "src").mkdir()
    result = CliRunner().invoke(command, [*words, str(tmp_path / "src")])
    assert isinstance(result.exception, S2IError)
    assert (result.exception.code, result.exception.exit) == (code, 2)
    assert CANARY not in str(result.exception.as_dict()) + result.output


def test_a_server_is_not_given_what_looks_secret() -> None:
    os.environ |= {"API_TOKEN": CANARY, "PIP_INDEX_URL": f"https://me:{CANARY}@x", "LANG": "C", "S2I_HTTP_PORT": "1"}
    found = client._environment()
    assert CANARY not in str(found)
    assert (found["LANG"], found["S2I_HTTP_PORT"], "PATH" in found) == ("C", "1", True)
