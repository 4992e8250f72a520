"""What an engine tells of a push, read and explained; where a password is looked for."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.images import push
from s2i.images.events import Image

IMAGE = Image("sha256:" + "1" * 64, "sha256:" + "1" * 64, 1, ("r.example/a:1", "r.example/a:2", "other/b:1"), (), 0.0)
DIGEST = "sha256:" + "d" * 64


@pytest.mark.parametrize(
    ("tag", "registry"),
    [
        ("registry.example/shop:1", "registry.example"),
        ("localhost:5000/shop:1", "localhost:5000"),
        ("localhost/shop:1", "localhost"),
        ("someone/shop:1", "docker.io"),
        ("shop:1", "docker.io"),
    ],
)
def test_the_registry_is_the_first_part_when_it_is_a_host(tag: str, registry: str) -> None:
    assert push.registry(tag) == registry


def test_a_name_without_a_registry_or_an_account_is_no_target() -> None:
    assert push.target("someone/shop:1") == "someone/shop:1"
    with pytest.raises(S2IError) as caught:
        push.target("shop:1")
    assert (caught.value.code, caught.value.exit) == ("E_TAG", 2)


def test_the_bytes_that_are_sent_are_counted_over_all_layers() -> None:
    reader = push.Reader()
    for row in (
        {"status": "The push refers to repository [r.example/a]"},
        {"status": "Preparing", "progressDetail": {}, "id": "aa"},
        {"status": "Layer already exists", "progressDetail": {}, "id": "cc"},
        {"status": "Pushing", "progressDetail": {"current": 512, "total": 3_000_000}, "id": "aa"},
        {"status": "Pushing", "progressDetail": {"current": 1_000_000, "total": 1_000_000}, "id": "bb"},
    ):
        reader.feed(json.dumps(row).encode())
    assert reader.sent() == "1.0 of 4.0 MB"
    # A tar has a bit more than the files in it.
    reader.feed(b'{"status":"Pushing","progressDetail":{"current":3001344,"total":3000000},"id":"aa"}\r\n')
    assert reader.sent() == "4.0 of 4.0 MB"
    reader.feed(json.dumps({"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 1}}).encode())
    assert (reader.digest, reader.error) == (DIGEST, "")


@pytest.mark.parametrize(
    ("said", "code", "exit"),
    [
        ("no basic auth credentials", "E_PUSH_DENIED", 6),
        ("unauthorized: authentication required", "E_PUSH_DENIED", 6),
        ("denied: requested access to the resource is denied", "E_PUSH_DENIED", 6),
        ("unexpected status from PUT request to https://r/v2/: 403 Forbidden", "E_PUSH_DENIED", 6),
        ('Get "https://r/v2/": dial tcp: lookup r on 1.1.1.1:53: no such host', "E_PUSH_HOST", 6),
        ('Get "https://r/v2/": http: server gave HTTP response to HTTPS client', "E_PUSH_TLS", 6),
        ('Get "https://r/v2/": x509: certificate signed by unknown authority', "E_PUSH_TLS", 6),
        ("toomanyrequests: You have reached your rate limit", "E_PUSH_LATER", 75),
        ("received unexpected HTTP status: 503 Service Unavailable", "E_PUSH_LATER", 75),
        ('Get "https://r/v2/": net/http: request canceled (Client.Timeout exceeded)', "E_PUSH_LATER", 75),
        ("dial tcp 127.0.0.1:1: connect: connection refused", "E_PUSH_LATER", 75),
        ("manifest invalid: manifest invalid", "E_PUSH", 6),
    ],
)
def test_what_an_engine_says_has_a_meaning(said: str, code: str, exit: int) -> None:  # noqa: A002
    error = push.meant(said, "r.example")
    assert (error.code, error.exit) == (code, exit)
    assert said in error.message


def test_the_whole_text_of_a_refusal() -> None:
    error = push.meant("denied: requested access to the resource is denied", "r.example")
    assert f"{error.message}\n{error.advice}" == (
        "the image was built, and not pushed to r.example: this account may not push there (denied: requested access to"
        " the resource is denied)\n"
        "  denied: requested access to the resource is denied\n"
        "log in with `docker login r.example`: s2i uses what it keeps; or name a repository that is yours"
    )


def test_each_tag_is_pushed_and_each_repository_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def stream(engine, path, parameters, body, headers, on_line, *, timeout, cancelled) -> None:
        asked.append((path, parameters["tag"]))
        on_line(json.dumps({"aux": {"Tag": parameters["tag"], "Digest": DIGEST, "Size": 1}}).encode())

    monkeypatch.setattr(push.connection, "wire", lambda: None)
    monkeypatch.setattr(push.api, "stream", stream)
    made = push.push(IMAGE, 10)
    paths = [("/images/r.example/a/push", "1"), ("/images/r.example/a/push", "2"), ("/images/other/b/push", "1")]
    assert asked == paths
    assert (made.digest, made.pushed) == (DIGEST, (f"r.example/a@{DIGEST}", f"other/b@{DIGEST}"))


@pytest.mark.parametrize(("errors", "tries", "code"), [(2, 3, ""), (9, 3, "E_PUSH_LATER")])
def test_a_passing_fault_is_tried_again_and_then_told(
    errors: int, tries: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def stream(engine, path, parameters, body, headers, on_line, *, timeout, cancelled) -> None:
        asked.append(path)
        row = {"error": "503 Service Unavailable"} if len(asked) <= errors else {"aux": {"Digest": DIGEST}}
        on_line(json.dumps(row).encode())

    monkeypatch.setattr(push.connection, "wire", lambda: None)
    monkeypatch.setattr(push.api, "stream", stream)
    monkeypatch.setattr(push, "PAUSES", (0.0, 0.0))
    one = Image(IMAGE.id, IMAGE.id, 1, ("r.example/a:1",), (), 0.0)
    try:
        push.push(one, 10)
        told = ""
    except S2IError as error:
        told = error.code
    assert (len(asked), told) == (tries, code)


def test_between_two_tries_it_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = threading.Event()

    def stream(engine, path, parameters, body, headers, on_line, *, timeout, cancelled) -> None:
        on_line(b'{"error": "connection refused"}')
        threading.Timer(0.05, given.set).start()

    given = cancelled
    monkeypatch.setattr(push.connection, "wire", lambda: None)
    monkeypatch.setattr(push.api, "stream", stream)
    monkeypatch.setattr(push, "PAUSES", (30.0,))
    with pytest.raises(S2IError) as caught:
        push.push(IMAGE, 60, cancelled=cancelled)
    assert caught.value.exit == 130


@pytest.mark.parametrize(
    "config",
    [None, "{", "[]", '{"auths": {"other.example": {"auth": "eA=="}}}', '{"auths": null}', '{"credHelpers": {}}'],
)
def test_without_an_entry_there_is_no_password_and_nothing_heavy_is_imported(
    config: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setitem(sys.modules, "docker", None)  # importing it fails
    assert push.credentials("r.example") == {}


def test_a_password_in_the_docker_config_is_found_for_a_registry_and_for_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auths = {"r.example": {"auth": "bWU6cHc="}, push.HUB_KEY: {"auth": "aHViOnB3"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert push.credentials("r.example")["username"] == "me"
    assert push.credentials("docker.io")["username"] == "hub"
