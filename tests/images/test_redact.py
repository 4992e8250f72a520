"""Known secrets are taken out of what a build prints."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from s2i.images.events import StepEvent
from s2i.images.log import LINE_LIMIT, BuildLog
from s2i.images.private import redact
from s2i.images.private.kept import passwords
from s2i.images.private.redact import MASK, Redactor
from s2i.images.progress import RawReader
from s2i.images.steps import StepNames
from s2i.resources.secret import Secret

VALUE = 's3cret/"canary"+ü&?'
FORMS = {
    "raw": VALUE,
    "url": urllib.parse.quote(VALUE, safe=""),
    "url, lower case": "s3cret%2f%22canary%22%2b%c3%bc%26%3f",
    "url, slashes kept": urllib.parse.quote(VALUE),
    "json": json.dumps(VALUE)[1:-1],
    "json with letters": json.dumps(VALUE, ensure_ascii=False)[1:-1],
    "hex": VALUE.encode().hex(),
    "hex, capitals": VALUE.encode().hex().upper(),
    "url, every byte": "".join(f"%{byte:02X}" for byte in VALUE.encode()),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_of_a_secret_is_taken_out(form: str) -> None:
    assert Redactor([Secret("a", VALUE.encode())]).line(f"before {form} after") == f"before {MASK} after"


@pytest.mark.parametrize("width", [76, 64])
def test_it_is_found_in_base64_that_is_cut_into_lines(width: int) -> None:
    value = "canary-" * 40
    text = base64.b64encode(value.encode()).decode()
    redactor = Redactor([Secret("a", value.encode())])
    for at in range(0, len(text), width):
        line = text[at : at + width]
        assert redactor.line(line) == MASK or len(line) < 6


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("after", ["", "x", "\n"])
def test_it_is_found_in_the_base64_of_something_longer(before: str, after: str) -> None:
    text = base64.b64encode((before + VALUE + after).encode()).decode()
    shown = Redactor([Secret("a", VALUE.encode())]).line(f"Authorization: Basic {text}")
    assert MASK in shown
    hidden = base64.b64encode(VALUE.encode()).decode()[4:-4]
    assert hidden not in shown


def test_each_line_of_a_longer_secret_and_the_values_of_a_list_are_secrets() -> None:
    redactor = Redactor([Secret("env", b"A_NAME=first-value\nB='second-value'\n")])
    assert redactor.line("first-value and second-value of A_NAME") == f"{MASK} and {MASK} of A_NAME"


def test_of_a_netrc_only_what_opens_is_secret() -> None:
    redactor = Redactor([Secret("netrc", b"machine pypi.example.com login somebody password s3cretcanary\n")])
    text = "machine pypi.example.com refused somebody with s3cretcanary and its password"
    assert redactor.line(text) == f"machine pypi.example.com refused somebody with {MASK} and its password"
    assert Redactor([Secret("netrc", b"machine h login t0kencanary\n")]).line("t0kencanary") == MASK


def test_a_short_secret_is_left_and_named() -> None:
    redactor = Redactor([Secret("pin", b"12345"), Secret("long", b"123456")])
    assert (redactor.short, redactor.line("12345 of 123456")) == (("pin",), f"12345 of {MASK}")


def test_a_secret_at_a_cut_of_a_long_line_is_taken_out_on_both_sides() -> None:
    secret = "s3cretcanary"
    for at in range(3, len(secret) - 2):
        redactor = Redactor([Secret("a", secret.encode())])
        first = "x" * (LINE_LIMIT - at) + secret[:at]
        shown = redactor.line(first, "1"), redactor.line("another step", "2"), redactor.line(secret[at:] + " end", "1")
        assert shown == ("x" * (LINE_LIMIT - at) + MASK, "another step", f"{MASK} end")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_build_that_prints_a_secret_in_pieces_shows_none_of_it(form: str) -> None:
    line = f"it is {form}!\n".encode()
    for at in range(len(line)):
        reader = RawReader(StepNames("FROM x\nRUN y\n"))
        reader.log.redact = Redactor([Secret("a", VALUE.encode())])
        vertex = {"digest": "d", "name": "[1/2] RUN y", "started": "2026-01-01T00:00:00Z"}
        rows: list[dict[str, object]] = [{"vertexes": [vertex]}]
        rows += [
            {"logs": [{"vertex": "d", "data": base64.b64encode(part).decode()}]} for part in (line[:at], line[at:])
        ]
        events = [event for row in rows for event in reader.feed(json.dumps(row).encode() + b"\n")]
        assert [event.line for event in events if event.status == "log"] == [f"it is {MASK}!"]
        assert reader.log.lines() == (f"it is {MASK}!",)


def test_what_a_client_says_itself_is_redacted_as_well() -> None:
    log = BuildLog()
    log.redact = Redactor([], ["proxypassword"])
    log.remark("dial http://user:proxypassword@proxy.example:3128")
    (event,) = log.note([StepEvent("failed", "1", "RUN", line="proxypassword")])
    assert (log.lines()[0], event.line) == (f"dial http://user:{MASK}@proxy.example:3128", MASK)


def test_the_passwords_of_proxies_are_known() -> None:
    environ = {
        "HTTPS_PROXY": "http://u:p%40ss@proxy.example:3128",
        "http_proxy": "u:plain@proxy.example",
        "no_proxy": "x",
    }
    assert passwords(environ, ("HTTPS_PROXY", "http_proxy", "no_proxy", "FTP_PROXY")) == ("p@ss", "plain")


def test_the_cut_is_where_the_log_cuts() -> None:
    assert redact.CUT == LINE_LIMIT
