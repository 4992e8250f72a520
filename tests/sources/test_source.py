"""What a person types as SRC."""

from __future__ import annotations

import msgspec
import pytest

from s2i.errors import S2IError
from s2i.sources.source import Endpoint, Folder, Git, Source, checked, endpoint, hide, parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def code(*args: str, **options: str) -> tuple[str, int]:
    with pytest.raises(S2IError) as caught:
        parse(*args, **options)
    return caught.value.code, caught.value.exit


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (".", Folder(".")),
        ("src", Folder("src")),
        ("/srv/my app", Folder("/srv/my app")),
        ("./-rf", Folder("./-rf")),
        ("./a:b", Folder("./a:b")),
        ('x";id;$(id)', Folder('x";id;$(id)')),
        ("a\nb", Folder("a\nb")),
        ("github.com/o/r", Folder("github.com/o/r")),
        ("https://host/o/r", Git("https://host/o/r")),
        ("https://host:8443/o/r.git", Git("https://host:8443/o/r.git")),
        ("https://host/o/r@v1.2", Git("https://host/o/r", ref="v1.2")),
        ("https://host/o/r@feature/x#a/b", Git("https://host/o/r", ref="feature/x", subdir="a/b")),
        ("https://host/o/r#a/b/", Git("https://host/o/r", subdir="a/b")),
        (f"https://host/o/r@{COMMIT}", Git("https://host/o/r", commit=COMMIT)),
        ("https://[2001:db8::1]/o/r", Git("https://[2001:db8::1]/o/r")),
        ("http://host/o/r", Git("http://host/o/r")),
        ("ssh://git@host:2222/o/r@v1", Git("ssh://git@host:2222/o/r", ref="v1")),
        ("git@host:o/r", Git("git@host:o/r")),
        ("git@host:o/r@v1#sub", Git("git@host:o/r", ref="v1", subdir="sub")),
    ],
)
def test_a_source_is_read_as_it_is_meant(text: str, source: Source) -> None:
    assert source == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c touch% /tmp/canary",
        "ext::x",
        "fd::17",
        "file:///srv/r",
        "file:/srv/r",
        "ftp://host/o/r",
        "git://host/o/r",
        "javascript:alert(1)",
        "data:text/plain,x",
        "host:o/r",
        "--upload-pack=touch /tmp/canary;",
        "-utouch /tmp/canary;",
        "ssh://-oProxyCommand=touch/r",
        "git@-oProxyCommand=touch:r",
        "https://-host/o/r",
        "https://host./o/r",
        "https://host/-o/r",
        "git@host:-o/r",
        "https://host",
        "https://host/",
        "https:///o/r",
        "https://host:99999/o/r",
        "https://host:0/o/r",
        "https://host/o/r?x=1",
        "https://host/o/r%0aX",
        "https://host/o/r%00",
        "https://host/o/r\r\n",
        "https://host/o/r\nHost: other",
        "https://host/o r",
        "https://ho\x7fst/o/r",
        "https://hôst/o/r",
        "https://host/$(id)",
        "https://host/`id`",
        "https://token@host/o/r",
        "ssh://git:word@host/o/r",
        "HTTPS://host/o/r",
        "https://" + "a" * 3000,
        "https://" + "a-" * 900 + "/r",
    ],
)
def test_what_is_no_plain_git_url_is_refused(text: str) -> None:
    assert code(text) == ("E_URL", 2)


def test_a_password_in_a_url_is_refused_and_never_shown() -> None:
    with pytest.raises(S2IError) as caught:
        parse("https://user:s3cr3tcanary@host/o/r")
    assert (
        str(caught.value) == 'will not fetch "https://***@host/o/r": a password or token in a URL ends up in logs;'
        " for a private repository use ssh: git@host:owner/repo"
    )
    assert "s3cr3tcanary" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    "ref",
    [
        "-x",
        "--upload-pack=x",
        "a..b",
        "a@{1}",
        "a.lock",
        "a.lock/b",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\",
        "a;touch${IFS}/tmp/canary;",
        "a\nb",
        "$(id)",
        "x" * 201,
        "é",
    ],
)
def test_a_ref_that_is_none_is_refused(ref: str) -> None:
    assert code(f"https://host/o/r@{ref}") == ("E_REF", 2)


def test_an_at_sign_with_nothing_behind_it_is_refused() -> None:
    assert code("https://host/o/r@") == ("E_REF", 2)


@pytest.mark.parametrize("commit", ["abc123", "g" * 40, COMMIT[:39], COMMIT + "0", "--x", COMMIT + "\n"])
def test_a_commit_is_whole_or_refused(commit: str) -> None:
    assert code("https://host/o/r", commit=commit) == ("E_REF", 2)


def test_a_commit_of_either_length_is_taken_in_lower_case() -> None:
    assert Git("https://host/o/r", commit=COMMIT) == parse("https://host/o/r", commit=COMMIT.upper())
    assert Git("https://host/o/r", commit="a" * 64) == parse("https://host/o/r", commit="a" * 64)


def test_a_commit_of_a_folder_is_refused() -> None:
    assert code(".", commit=COMMIT) == ("E_VALUE", 2)


def test_the_folder_inside_may_be_said_twice_but_not_differently() -> None:
    assert Git("https://host/o/r", subdir="a") == parse("https://host/o/r#a", context_dir="./a/")
    assert code("https://host/o/r#a", context_dir="b") == ("E_VALUE", 2)


@pytest.mark.parametrize("subdir", ["/etc", "..", "a/../../b", "a/..", "a\nb", "a\0b"])
def test_a_folder_inside_never_leads_out(subdir: str) -> None:
    assert code(".", context_dir=subdir) == ("E_VALUE", 2)


def test_an_empty_source_is_refused() -> None:
    assert code("") == ("E_VALUE", 2)


def test_a_source_from_elsewhere_is_checked_as_one_that_was_typed() -> None:
    for url, ref in (("ext::x", ""), ("https://host/o/r", "--x"), ("https://u:p@host/r", "")):
        made = msgspec.convert({"type": "git", "url": url, "ref": ref}, Source)  # type: ignore[arg-type]
        with pytest.raises(S2IError):
            checked(made)


@pytest.mark.parametrize(
    ("url", "at"),
    [
        ("https://Host/o/r", Endpoint("https", "host", 443)),
        ("http://host:80/o/r", Endpoint("http", "host", 80)),
        ("https://[::1]:8443/r", Endpoint("https", "::1", 8443)),
        ("ssh://host/r", Endpoint("ssh", "host", 22)),
        ("git@host:r", Endpoint("ssh", "host", 22)),
    ],
)
def test_a_url_says_where_it_leads(url: str, at: Endpoint) -> None:
    assert at == endpoint(url)


def test_hiding_leaves_a_url_without_a_user_as_it_is() -> None:
    assert hide("https://host.org/o/r@v1") == "https://host.org/o/r@v1"
    assert hide("https://host:81/o/r#sub") == "https://host:81/o/r#sub"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a:b@c@host/o", "https://***@host/o"),
        ("https:/u:s3cr3tcanary@h/x", "***@h/x"),
        ("https://u:s3cr3t/canary@h/x", "https://***@h/x"),
        ("https://u:s3cr3t#canary@h/x", "https://***@h/x"),
        ("https://u:s3cr3t?canary@h/x", "https://***"),
        ("https://u.v:s3cr3t/canary@h/x", "https://***@h/x"),
        ("u:s3cr3tcanary@h:x", "***@h:x"),
        ("https://h/x?token=s3cr3tcanary", "https://h/x?***"),
        ("https://h/x?s3cr3t@canary", "https://***"),
    ],
)
def test_no_part_of_a_password_or_token_is_ever_shown(url: str, shown: str) -> None:
    assert shown == hide(url)
    with pytest.raises(S2IError) as caught:
        parse(url)
    said = str(caught.value.as_dict())
    assert (caught.value.code, "s3cr3t" in said, "canary" in said) == ("E_URL", False, False)


def test_a_password_is_not_shown_as_a_part_of_a_ref() -> None:
    with pytest.raises(S2IError) as caught:
        parse("https://u/b@s3cr3tcanary@h/x")
    assert "canary" not in str(caught.value.as_dict())
