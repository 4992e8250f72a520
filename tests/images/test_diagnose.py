"""What builders print when they fail, and what is made of it. The logs in recorded/build are those of real builds."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from s2i import sources
from s2i.errors import KINDS
from s2i.images.diagnose import Failed, diagnose, known, requirement
from s2i.images.diagnose.explanation import Fault, faults

RECORDED = Path(__file__).parent / "recorded" / "build"
LOGS = sorted(path.stem for path in RECORDED.glob("*.txt"))
OURS = ("Install", "Gather")  # how steps of our own recipe begin
INDEX = "pypi.corp.example"
LOOKS = {*known.looks(), "index", "asked", "added"}
FACTS = {"python", "subject", "name_of_subject", "exact", "package", "found", "package_at", "other_at", "NAME"}


def recorded(name: str) -> Failed:
    """Return a recorded build: the step's name is the first line of its file."""
    step, *lines = (RECORDED / f"{name}.txt").read_text().splitlines()
    index = INDEX if name.startswith("index-") and name != "index-login" else ""
    return Failed(step=step, lines=tuple(lines), own=not step.startswith(OURS), index=index, server="gunicorn")


def explained(name: str, where: str = "") -> tuple[str, str, tuple[str, ...], str]:
    """Return what is said of a recorded build: why, where, the lines that are shown, the fix."""
    error = diagnose(recorded(name), lambda package: where)
    return error.facts["why"], error.where, tuple(error.facts["log"]), error.advice


@pytest.mark.parametrize("name", LOGS)
def test_a_recorded_build_is_explained_by_the_row_that_it_is_called_after(name: str) -> None:
    error = diagnose(recorded(name))
    assert error.facts["fault"] == name.partition("@")[0]


def test_each_row_has_a_recorded_build() -> None:
    assert sorted({name.partition("@")[0] for name in LOGS}) == sorted(row.id for row in faults("build"))


@pytest.mark.parametrize("row", faults("build"), ids=lambda row: row.id)
def test_a_row_names_a_real_error_and_only_what_is_known(row: Fault) -> None:
    groups = {*re.compile(row.pattern).groupindex, *re.compile(row.step).groupindex}
    for text in (row.why, row.fix, row.own, row.link):
        assert set(re.findall(r"{(\w+)}", text)) <= FACTS | {group.rstrip("23") for group in groups}
    assert row.kind in KINDS
    assert not row.look or row.look in LOOKS
    assert not row.link or row.link.startswith("https://")


@pytest.mark.parametrize("row", faults("build"), ids=lambda row: row.id)
def test_an_own_dockerfile_is_not_told_of_settings_that_do_not_reach_it(row: Fault) -> None:
    assert "s2i.toml" not in (row.own or row.fix)


def test_an_index_that_lacks_the_server_is_told_from_a_requirement_that_is_misspelt() -> None:
    why, where, _, fix = explained("index-lacks-server")
    assert why == "the package index pypi.corp.example has no gunicorn that fits, which s2i adds to serve the app"
    assert (where, fix.startswith("bring gunicorn to that index")) == ("", True)
    why, where, _, fix = explained("index-lacks-server", "requirements.txt:2")
    assert (why, where) == ("the package index pypi.corp.example has no package called gunicorn", "requirements.txt:2")
    assert "pypi.org" not in fix


def test_of_another_index_nobody_is_sent_to_pypi() -> None:
    failed = recorded("version-unknown")
    assert "https://pypi.org" in diagnose(failed).advice
    assert "https://pypi.org" not in diagnose(msgspec.structs.replace(failed, index=INDEX)).advice


def test_an_index_whose_name_nobody_knows_is_a_wrong_option_and_no_passing_fault() -> None:
    error = diagnose(recorded("index-not-resolved"))
    assert (error.code, error.exit) == ("E_BUILD", 5)
    assert "there is no host pypi.corp.example" in error.message
    assert error.advice.startswith("correct its address: --index-url")
    other = diagnose(msgspec.structs.replace(recorded("index-not-resolved"), index=""))
    assert (other.code, other.exit, "pypi.corp.example" in other.message) == ("E_BUILD_NETWORK", 75, True)


def test_a_missing_header_becomes_the_line_that_adds_its_package() -> None:
    assert explained("header-missing", "requirements.txt:1") == (
        "pycups 2.0.1 has no wheel for Python 3.14, and to compile it the header cups/http.h is needed",
        "requirements.txt:1",
        ("cupsconnection.h:26:10: fatal error: cups/http.h: No such file or directory",),
        'write into s2i.toml: build-packages = ["libcups2-dev"]',
    )


def test_who_wants_a_package_that_no_manifest_names_is_said() -> None:
    asked = {"sqlalchemy": "requirements.txt:1"}
    error = diagnose(recorded("psycopg2-source"), lambda package: asked.get(package, ""))
    assert error.where == "requirements.txt:1"
    assert error.facts["why"].startswith("psycopg2 2.9.13, which sqlalchemy wants, is never a wheel")


def test_both_requirements_of_a_conflict_are_placed() -> None:
    asked = {"flask": "requirements.txt:2", "werkzeug": "requirements.txt:5"}
    error = diagnose(recorded("requirements-contradict"), lambda package: asked.get(package, ""))
    assert error.facts["why"] == (
        "two requirements contradict each other: flask==3.0.0 (requirements.txt:2) needs werkzeug>=3.0.0,"
        " and werkzeug<2 (requirements.txt:5) is asked for"
    )


def test_the_line_of_the_source_that_a_traceback_ends_in_is_named() -> None:
    why, where, shown, _ = explained("collectstatic-variable")
    assert why.startswith("the settings ask for the environment variable BUCKET")
    assert (where, shown) == ("shop/settings.py:10", ("KeyError: 'BUCKET'",))


def test_a_line_of_the_dockerfile_is_named() -> None:
    error = diagnose(recorded("dockerfile-line"))
    assert (error.code, error.where) == ("E_BUILD_DOCKERFILE", "Dockerfile:2")
    assert error.message == "the Dockerfile cannot be built: unknown instruction: RUNN"


def test_a_missing_base_image_is_no_fault_of_the_source() -> None:
    error = diagnose(recorded("base-missing"))
    assert (error.code, error.exit) == ("E_BASE_MISSING", 6)
    assert error.message.startswith("the base image s2i.local/nosuch:1 is not on this machine and cannot be pulled\n")


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("disk-full", "E_BUILD_DISK", 6),
        ("certificate", "E_BUILD_TLS", 5),
        ("name-not-resolved", "E_BUILD_NETWORK", 75),
        ("not-reached", "E_BUILD_NETWORK", 75),
        ("debian-fetch", "E_BUILD_NETWORK", 75),
        ("killed", "E_BUILD", 5),
    ],
)
def test_what_may_pass_has_another_exit_code_than_what_will_not(name: str, code: str, status: int) -> None:
    error = diagnose(recorded(name))
    assert (error.code, error.exit) == (code, status)


@pytest.mark.parametrize(
    "line",
    [
        "  cause: HTTP status client error (403 Forbidden) for url (https://pypi.example.com/files/shop-1.0.whl)",
        "ERROR: HTTP error 403 while getting https://pypi.example.com:8443/simple/shop/",
    ],
)
def test_an_index_that_refuses_is_named_by_its_host_and_told_how_to_log_in(line: str) -> None:
    error = diagnose(Failed(step="Install", lines=(line,)))
    assert (error.code, error.exit) == ("E_INDEX_AUTH", 5)
    assert error.facts["why"] == (
        "the package index pypi.example.com refused what it was asked, or who asked (403):"
        " its credentials are missing or wrong"
    )
    assert error.advice.startswith("write `machine pypi.example.com login USER password PASSWORD` into ~/.netrc")


def test_of_a_failure_that_nobody_knows_the_last_lines_are_shown_without_the_long_command() -> None:
    lines = ("first", "\x1b]0;owned\x07\u202e", "executor failed running [/bin/sh -c very long]: exit code: 1")
    assert diagnose(Failed(step="build it", lines=lines)).message == (
        'the build failed at "build it": the command failed\n  first\n  \\x1b]0;owned\\x07\\u202e'
    )


def test_what_a_package_is_called_cannot_fill_a_place_of_the_text() -> None:
    lines = ("  cause: Because there is no version of flask=={subject} and you require it, we can conclude",)
    error = diagnose(Failed(step="Install", lines=lines))
    assert error.facts["why"] == "there is no release flask=={subject}"


# What is looked up -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (known.header("libpq-fe.h"), "libpq-dev"),
        (known.header("openssl/opensslv.h"), "libssl-dev"),
        (known.header("acme/turbine.h"), ""),
        (known.program("x86_64-linux-gnu-gcc-12"), "gcc"),
        (known.program("/usr/bin/pg_config"), "libpq-dev"),
        (known.library("libGL.so.1"), "libgl1"),
        (known.library("libacme.so"), ""),
        (known.distribution("yaml.reader"), "PyYAML"),
        (known.distribution("google.cloud.storage"), "google-cloud-storage"),
        (known.wheels("numpy==1.21.0"), "3.7 to 3.9"),
        (known.wheels("numpy==banana"), ""),
        (known.wheels("acme==1.0"), ""),
    ],
)
def test_a_name_of_a_log_is_looked_up(found: str, expected: str) -> None:
    assert found == expected


def test_the_line_of_the_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# flask-login is not it\nflask-login\nFlask[async]==99.1  # web\n")
    with sources.fetch(sources.parse(str(tmp_path)), policy=sources.Policy.of({})) as tree:
        error = diagnose(recorded("version-unknown"), lambda package: requirement(tree, package))
    assert error.where == "requirements.txt:3"


@pytest.mark.parametrize(
    ("package", "where"),
    [("zope.interface", "pyproject.toml:3"), ("Zope_Interface>=5", "pyproject.toml:3"), ("interface", ""), ("", "")],
)
def test_a_package_is_found_however_it_is_spelt(tmp_path: Path, package: str, where: str) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["zope-interface>5"]\n')
    with sources.fetch(sources.parse(str(tmp_path)), policy=sources.Policy.of({})) as tree:
        assert requirement(tree, package) == where
