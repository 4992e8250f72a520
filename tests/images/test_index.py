"""Which package index a build installs from, and what opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.images.private.index import Index, apart, choose

URL = "https://pypi.example.com/simple"
NOWHERE = Path("/nonexistent")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def write(home: dict[str, str], path: str, text: str) -> None:
    place = Path(home["HOME"], path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def chosen(environ: dict[str, str], given: str = "", netrc: str = "") -> Index:
    return choose(given, netrc, environ, NOWHERE)


def test_without_a_word_it_is_pypi(home: dict[str, str]) -> None:
    assert chosen(home) == Index()
    assert chosen({**home, "PIP_INDEX_URL": "https://pypi.org/simple/"}) == Index()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            ".config/uv/uv.toml",
            f'[[index]]\nurl = "https://other.example"\n\n[[index]]\nurl = "{URL}"\ndefault = true\n',
        ),
        (".config/uv/uv.toml", f'index-url = "{URL}"\n'),
        (".config/uv/uv.toml", f'[pip]\nindex-url = "{URL}"\n'),
        (".config/pip/pip.conf", f"[global]\nindex-url = {URL}/\nextra-index-url = https://other.example\n"),
        (".pip/pip.conf", f"[install]\nindex_url: {URL}\n"),
    ],
)
def test_the_configuration_of_a_person_names_it_and_that_is_said(home: dict[str, str], path: str, text: str) -> None:
    write(home, path, text)
    found = chosen(home)
    assert (found.url, found.netrc) == (URL, None)
    place = Path(home["HOME"], path)
    assert [notice.message for notice in found.notices] == [
        f"packages come from {URL}, which this machine's settings name ({place})"
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".config/uv/uv.toml", '[[index]]\nurl = "https://other.example"\n'),
        (".config/pip/pip.conf", "[global]\nextra-index-url = https://other.example\n"),
    ],
)
def test_a_second_index_of_a_person_is_not_taken(home: dict[str, str], path: str, text: str) -> None:
    write(home, path, text)
    assert chosen(home) == Index()


def test_the_nearest_word_counts(home: dict[str, str]) -> None:
    write(home, ".config/pip/pip.conf", "[global]\nindex-url = https://conf.example\n")
    environ = {**home, "PIP_INDEX_URL": "https://pip.example", "UV_INDEX_URL": "https://uv.example"}
    assert chosen(home).url == "https://conf.example"
    assert chosen(environ).url == "https://uv.example"
    assert chosen({**environ, "UV_DEFAULT_INDEX": "https://default.example"}).url == "https://default.example"
    assert chosen(environ, URL).url == URL


def test_the_credentials_of_an_address_become_a_secret(home: dict[str, str]) -> None:
    found = chosen(home, "https://us%40er:p%24ss@pypi.example.com:8443/simple/")
    assert found.url == "https://pypi.example.com:8443/simple"
    assert found.netrc
    assert found.netrc.value == b"machine pypi.example.com login us@er password p$ss\n"
    assert "p$ss" not in repr(found)


def test_a_token_alone_needs_no_password(home: dict[str, str]) -> None:
    found = chosen({**home, "UV_DEFAULT_INDEX": "https://t0ken@pypi.example.com/simple"})
    assert found.netrc
    assert found.netrc.value == b"machine pypi.example.com login t0ken\n"


def test_of_the_own_netrc_only_the_hosts_entry_is_taken(home: dict[str, str]) -> None:
    text = "machine github.com login me password github\ndefault login any password thing\n"
    write(home, ".netrc", text)
    assert chosen(home, URL).netrc is None
    write(home, ".netrc", f"{text}machine pypi.example.com\n  login me\n  password word\n")
    found = chosen(home, URL)
    assert found.netrc
    assert found.netrc.value == b"machine pypi.example.com login me password word\n"


def test_a_netrc_that_is_named_is_given_as_it_is(home: dict[str, str]) -> None:
    write(home, "other", "machine a.example login b password c\n")
    place = f"{home['HOME']}/other"
    for given in (URL, ""):
        found = chosen(home, given, place)
        assert found.netrc
        assert found.netrc.value == b"machine a.example login b password c\n"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("file:///srv/wheels", "it is no plain http:// or https:// address"),
        ("https://pypi.example.com/simple?token=s3cretcanary", "it is no plain http:// or https:// address"),
        ("https://pypi.example.com/$(id)", "it is no plain http:// or https:// address"),
        ("http://localhost:8080/simple", "a build runs in a container, whose loopback is its own"),
        ("http://127.0.0.1/simple", "a build runs in a container, whose loopback is its own"),
        (
            "https://me:s3cret%20canary@pypi.example.com/simple",
            "its user or password has a space, a quote, a backslash or a letter that a netrc file cannot hold",
        ),
    ],
)
def test_an_index_that_cannot_be_used_is_refused(home: dict[str, str], given: str, why: str) -> None:
    with pytest.raises(S2IError) as caught:
        chosen(home, given)
    assert (caught.value.code, caught.value.exit) == ("E_INDEX", 2)
    assert caught.value.message.endswith(f"(--index-url): {why}")
    assert "s3cret" not in caught.value.message.replace("?token=s3cretcanary", "")


def test_an_address_that_is_none_does_not_show_its_password() -> None:
    with pytest.raises(S2IError) as caught:
        apart("https://me:s3cretcanary@pypi.example.com:port/simple", "PIP_INDEX_URL")
    assert caught.value.message == (
        'cannot install from the index "https://…@pypi.example.com:port/simple" (PIP_INDEX_URL): it is no address'
    )


def test_a_slash_in_a_password_does_not_make_it_a_part_of_the_path() -> None:
    with pytest.raises(S2IError) as caught:
        apart("https://me:s3cret/canary@pypi.example.com/simple", "--index-url")
    assert "s3cret" not in caught.value.message
    with pytest.raises(S2IError) as caught:
        apart("https://me/s3cretcanary@pypi.example.com/simple", "--index-url")
    assert caught.value.message.endswith("its path has an @: write a / in a password as %2F")
    assert "s3cret" not in caught.value.message


def test_an_index_on_this_machines_loopback_is_left_out_and_said(home: dict[str, str]) -> None:
    found = chosen({**home, "PIP_INDEX_URL": "http://localhost:3141/root/pypi"})
    assert (found.url, [notice.code for notice in found.notices]) == ("", ["W_INDEX"])


def test_plain_http_is_said(home: dict[str, str]) -> None:
    assert [notice.code for notice in chosen(home, "http://pypi.example.com/simple").notices] == ["W_INDEX_PLAIN"]


def test_a_netrc_that_is_none_shows_nothing_of_itself(home: dict[str, str]) -> None:
    write(home, ".netrc", "machine pypi.example.com login me s3cretcanary\n")
    with pytest.raises(S2IError) as caught:
        chosen(home, URL)
    assert caught.value.message == (f"cannot take credentials from {home['HOME']}/.netrc: it is no netrc file: line 2")
