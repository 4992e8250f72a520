"""Apps as a file declares them: every key, and what a mistake in one is told."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.resources.declared import parse

WHOLE = """
entry = "app:app"   # for the build: no matter of ours

[app.shop]
source = "services/shop"
strategy = "python"
env = { LOG = "debug" }
cpu = 0.5
memory = "64M"
port = "h2c:9000"
command = "gunicorn 'a b'"
argument = ["-w", "2"]
release = ["flask", "db", "upgrade"]
min-scale = 1
max-scale = 3
concurrency = 10
concurrency-target = 5
scale-down-delay = 30
window = 30
request-timeout = 60
visibility = "project"
body-limit = "1M"

[app.hello]
image = "hello:1"

[app.plain]
"""


def test_every_key_is_read_and_the_order_is_that_of_the_file() -> None:
    shop, hello, plain = parse(WHOLE, "s2i.toml")
    assert (shop.name, shop.where, shop.source, shop.image) == ("shop", "s2i.toml:4", "services/shop", "")
    assert shop.strategy == "python"
    assert shop.change.exact
    assert shop.change.env == (("LOG", "debug"),)
    assert shop.change.config == {
        "cpu": 0.5,
        "memory": 64 << 20,
        "command": ("gunicorn", "a b"),
        "arguments": ("-w", "2"),
        "release": ("flask", "db", "upgrade"),
        "port": 9000,
    }
    assert shop.change.scale == {
        "min": 1, "max": 3, "concurrency": 10, "target": 5, "down_delay": 30.0, "window": 30.0,
    }  # fmt: skip
    assert shop.change.routing == {
        "request_timeout": 60.0, "visibility": "project", "body_limit": 1 << 20, "h2c": True,
    }  # fmt: skip
    assert (hello.source, hello.image) == ("", "hello:1")
    assert (plain.source, "port" in plain.change.config) == (".", False)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("", "f", "it declares no app"),
        ("app = 3", "f", "app is no table of apps"),
        ("[app]\nshop = 3", "f", "app is no table of apps"),
        ("[app.shop]\nmax-scal = 3", "f:2", 'there is no key "max-scal": did you mean max-scale?'),
        ("[app.a]\nmax-scale = 1\n[app.b]\nmax-scale = '3'", "f:4", "max-scale: Expected a number, got text in quotes"),
        ("[app.a]\nenv = { A = 1 }", "f:2", "env: Expected text in quotes, got a number"),
        ("[app.a.env]\nA = 1", "f:1", "env: Expected text in quotes, got a number"),
        ("[app.a]\nvisibility = 'all'", "f:2", "visibility: Invalid enum value 'all'"),
        ("[app.a]\nsource = '.'\nimage = 'x'", "f:1", "a source and an image are named: an app has one of them"),
        ('[app.a]\ncommand = "a \'b"', "f:1", "does not split into words"),
        ("[app.a]\nenv = { PORT = '1' }", "f:1", "it is reserved"),
        ("[app.a]\nmemory = '1K'", "f:1", "it is too little for Python"),
        ("[app.a]\nmax-scale = 1\n[app.b]\nmin-scale = 2000", "f:3", 'min-scale cannot be "2000"'),
        ("[app.a]\nrequest-timeout = -1", "f:1", 'request-timeout cannot be "-1"'),
        ("[app.a]\nport = 99999", "f:1", "there is no such port"),
        ("[app.Shop]", "f:1", "Shop"),
        ("[app.a]\nx", "f:2", "cannot read this TOML"),
        ("[app.a]\n[app.a]", "f:2", "cannot read this TOML"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, where: str, said: str) -> None:
    with pytest.raises(S2IError) as caught:
        parse(text, "f")
    assert caught.value.where == where
    assert said in caught.value.message
    assert caught.value.exit in (2, 3)


def test_the_example_of_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "applications.md").read_text()
    (example,) = (part.partition("```")[0] for part in page.split("```toml\n")[1:] if "[app." in part)
    assert [one.name for one in parse(example, "s2i.toml")] == ["shop", "mail"]


def test_where_an_app_stands_is_found_however_its_name_is_written() -> None:
    text = "[ app . 'a' ]\n[app.\"b\"]\n\n[app.c.env]\n[app.c]\n[app]\nd = {}\n"
    assert [(one.name, one.where) for one in parse(text, "f")] == [("a", "f:1"), ("b", "f:2"), ("c", "f:4"), ("d", "f")]


def test_ten_times_as_many_apps_are_ten_times_the_work() -> None:
    few, many = (_calls(f"[app.a{number}]\nmax-scale = 3" for number in range(count)) for count in (500, 5000))
    assert many < 11 * few


def _calls(tables: Iterable[str]) -> int:
    """Return how many functions are called to read a file, Python's and C's."""
    text, calls = "\n".join(tables), 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse(text, "f")
    finally:
        sys.setprofile(None)
    return calls
