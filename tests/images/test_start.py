"""What is said of an image that starts and does not serve. What was seen in recorded/start is of real containers."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from s2i.images.diagnose import Seen, known, start
from s2i.images.diagnose.explanation import Fault, faults

RECORDED = Path(__file__).parent / "recorded" / "start"
STARTS = sorted(path.stem for path in RECORDED.glob("*.json"))
FACTS = {
    "found",
    "NAME",
    "fields",
    "port",
    "ports",
    "addresses",
    "seconds",
    "stop",
    "exit",
    "status",
    "entry",
    "before",
}
LOOKS = {*known.looks(), "own", "given"}


def recorded(name: str) -> Seen:
    return msgspec.json.decode((RECORDED / f"{name}.json").read_bytes(), type=Seen)


@pytest.mark.parametrize("name", STARTS)
def test_a_recorded_start_is_explained_by_the_row_that_it_is_called_after(name: str) -> None:
    assert start(recorded(name)).id == name.partition("@")[0]


def test_each_row_has_a_recorded_start_but_the_one_for_nothing_at_all() -> None:
    rows = [row.id for row in faults("start")]
    assert sorted({*(name.partition("@")[0] for name in STARTS), "unknown"}) == sorted(rows)
    assert start(Seen()).id == rows[-1] == "unknown"


@pytest.mark.parametrize("row", faults("start"), ids=lambda row: row.id)
def test_a_row_names_only_what_is_known(row: Fault) -> None:
    groups = {group.rstrip("23") for group in re.compile(row.pattern).groupindex}
    for text in (row.why, row.fix, row.own, row.link):
        assert set(re.findall(r"{(\w+)}", text)) <= FACTS | groups
    assert not row.look or row.look in LOOKS
    assert not row.link or row.link.startswith("https://")


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (
            Seen(
                exit=1,
                lines=(
                    "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings",
                    "db_user",
                    "  Field required [type=missing, input_value={}, input_type=dict]",
                    "    For further information visit https://errors.pydantic.dev/2.14/v/missing",
                    "db_name",
                    "  Field required [type=missing, input_value={}, input_type=dict]",
                ),
            ),
            "the settings of class Settings are not complete: db_user, db_name: Field required",
        ),
        (
            Seen(port=8080, listening=(("127.0.0.1", 8080), ("::1", 8080))),
            "it listens on 127.0.0.1:8080 and [::1]:8080 only, which nobody outside of its container reaches",
        ),
        (
            Seen(port=8080, listening=(("0.0.0.0", 5000), ("0.0.0.0", 9000))),
            "it listens on port 5000, 9000, and requests come to port 8080",
        ),
        (
            Seen(port=8080, listening=(("127.0.0.1", 8080), ("10.0.0.2", 8080)), seconds=60),
            "it listens on port 8080, and gave no answer within 60 s: it hangs",
        ),
        (
            Seen(port=8080, seconds=60),
            "it runs, and listened nowhere within 60 s: requests come to 0.0.0.0:$PORT (PORT=8080)",
        ),
        (Seen(exit=3, port=8080), "it exited with code 3 before it answered"),
        (Seen(exit=143, port=8080), "it exited with code 143 (SIGTERM) before it answered"),
        (Seen(exit=3, kind="job"), "it exited with code 3"),
        (Seen(exit=137, oom=True, port=8080), "it needed more memory than it may have, and was killed"),
        (Seen(exit=0, port=8080), "it exited with code 0 before it answered: an app must go on listening"),
        (Seen(refused="the image x is gone"), "the engine could not start it"),
    ],
)
def test_without_a_log_what_was_seen_is_said(seen: Seen, why: str) -> None:
    assert start(seen).why == why


def test_an_error_in_the_log_says_more_than_that_nothing_listens() -> None:
    lines = ("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'yaml'")
    assert start(Seen(lines=lines, port=8080, seconds=60)).fix == "add PyYAML to the requirements"


def test_the_place_of_an_error_is_the_innermost_line_of_the_source_and_no_package_of_its_environment() -> None:
    lines = (
        '  File "/app/web/views.py", line 7, in <module>',
        '  File "/app/.venv/lib/python3.13/site-packages/flask/app.py", line 99, in run',
        "ModuleNotFoundError: No module named 'yaml'",
    )
    assert start(Seen(lines=lines, exit=1)).where == "web/views.py:7"


def test_a_module_below_one_of_the_source_is_not_looked_for_at_pypi() -> None:
    seen = Seen(lines=("ModuleNotFoundError: No module named 'yaml.shop'",), exit=1, modules=("yaml",))
    assert start(seen).why == "the code imports yaml.shop, and yaml of the source has no such module"


def test_an_own_dockerfile_is_told_what_to_write_there() -> None:
    lines = ("OSError: libpq.so.5: cannot open shared object file: No such file or directory",)
    assert start(Seen(lines=lines, exit=1, own=True)).fix == (
        "install it in the Dockerfile: RUN apt-get update && apt-get install -y --no-install-recommends libpq5"
    )
