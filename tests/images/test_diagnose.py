"""What builders print when they fail, and what is made of it. The lines were recorded from real builds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from s2i import sources
from s2i.errors import KINDS
from s2i.images.diagnose import diagnose, faults, requirement

INSTALL = "Install the dependencies"
HINT = "hint: An index URL (https://pypi.example.com:8443/simple) could not be queried due to a lack of valid authentication"
REFUSED = "the package index pypi.example.com refused what it was asked, or who asked ({}): its credentials are missing or wrong"
CASES = [
    (
        "an index that wants a password",
        ["error: No solution found when resolving dependencies",
         "  cause: Because shop was not found in the package registry and you require shop, we can conclude that your",
         f"{HINT} credentials (401 Unauthorized)"],
        ("E_INDEX_AUTH", 5, REFUSED.format(401)),
    ),
    (
        "a file that an index gives to others",
        ["  cause: HTTP status client error (403 Forbidden) for url (https://pypi.example.com/files/shop-1.0.whl)"],
        ("E_INDEX_AUTH", 5, REFUSED.format(403)),
    ),
    (
        "pip's words for a wrong password",
        ["WARNING: 401 Error, Credentials not correct for https://pypi.example.com/simple/uv/",
         "ERROR: HTTP error 401 while getting https://pypi.example.com/simple/uv/"],
        ("E_INDEX_AUTH", 5, REFUSED.format(401)),
    ),
    (
        "a package that does not exist",
        ["error: No solution found when resolving dependencies",
         "  cause: Because nosuchpkg-zzz was not found in the package registry and you require nosuchpkg-zzz==9.9, we"],
        ("E_BUILD", 5, "there is no package called nosuchpkg-zzz"),
    ),
    (
        "a version that does not exist",
        ["error: No solution found when resolving dependencies",
         "  cause: Because there is no version of flask==99.1 and you require flask==99.1, we can conclude that your"],
        ("E_BUILD", 5, "there is no version flask==99.1"),
    ),
    (
        "requirements that contradict each other",
        ["error: No solution found when resolving dependencies",
         "  cause: Because flask==3.0.0 depends on werkzeug>=3.0.0 and you require flask==3.0.0, we can conclude that",
         "         And because you require werkzeug<2, we can conclude that your requirements are unsatisfiable."],
        ("E_BUILD", 5, "the requirements contradict each other: flask==3.0.0 depends on werkzeug>=3.0.0"),
    ),
    (
        "a package that Debian has not",
        ["The following packages have unmet dependencies:",
         " satisfy:command-line : Depends: libfoobar but it is not installable",
         "E: Unable to correct problems, you have held broken packages."],
        ("E_BUILD", 5, "the base's Debian release has no package libfoobar"),
    ),
    (
        "a package that the mirror has no more",
        ["E: Failed to fetch http://deb.debian.org/debian/pool/a.deb  404  Not Found [IP: 203.0.113.80 80]",
         "E: Some files failed to download"],
        ("E_BUILD_NETWORK", 75, "a package of Debian could not be had (http://deb.debian.org/debian/pool/a.deb)"),
    ),
    (
        "no wheel",
        ["  cause: Because numpy==1.21.0 has no usable wheels and you require numpy==1.21.0, we can conclude that your"],
        ("E_BUILD", 5, "numpy==1.21.0 has no wheel for this Python and platform"),
    ),
    (
        "a program that building from source needs",
        ["  × Failed to build `psycopg2==2.9.9`", "  ├─▶ The build backend returned an error", "",
         "      Error: pg_config executable not found.", "",
         "hint: Build failures usually indicate a problem with the package or the build environment"],
        ("E_BUILD", 5, "psycopg2 has no wheel for this Python and could not be built from source"
         " (pg_config executable not found)"),
    ),
    (
        "a syntax error in setup.py",
        ["  × Failed to build `bad @ file:///app/bad`", '        File "<string>", line 2', '          setup(name="bad"',
         "      SyntaxError: '(' was never closed"],
        ("E_BUILD", 5, "the setup code of bad is no valid Python: SyntaxError: '(' was never closed"),
    ),
    (
        "a certificate that is not trusted",
        ["error: Failed to fetch: https://index.example/simple/flask/",
         "  cause: error sending request for url (https://index.example/simple/flask/)", "  cause: client error (Connect)",
         "  cause: invalid peer certificate: UnknownIssuer"],
        ("E_BUILD_TLS", 5, "a server showed a certificate that is not trusted here"
         " (invalid peer certificate: UnknownIssuer)"),
    ),
    (
        "a name that cannot be resolved",
        ["error: Request failed after 3 retries in 11.1s", "  cause: client error (Connect)", "  cause: dns error",
         "  cause: failed to lookup address information: Name or service not known"],
        ("E_BUILD_NETWORK", 75, "the name of a server could not be resolved (dns error)"),
    ),
    (
        "a full disk",
        ["error: failed to write to file `/opt/venv/x`: No space left on device (os error 28)"],
        ("E_BUILD_DISK", 6, "the disk is full"),
    ),
    (
        "a step that was killed",
        ["executor failed running [/bin/sh -c python -c x]: exit code: 137"],
        ("E_BUILD", 5, "the step was killed, most likely because it needed more memory than there is"),
    ),
    (
        "pip",
        ["ERROR: Could not find a version that satisfies the requirement flask==99.1 (from versions: 0.1, 0.2)",
         "ERROR: No matching distribution found for flask==99.1"],
        ("E_BUILD", 5, "nothing fits the requirement flask==99.1"),
    ),
    (
        "a lock that is out of date",
        ["error: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided."],
        ("E_BUILD", 5, "uv.lock does not match pyproject.toml"),
    ),
    (
        "a program that is not there",
        ["/bin/sh: 1: gcc-14: not found"],
        ("E_BUILD", 5, "there is no program gcc-14 in the image"),
    ),
    (
        "nothing that is known",
        ["it went wrong"],
        ("E_BUILD", 5, "the command failed"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_known_cause_is_named(lines: list[str], expected: tuple[str, int, str]) -> None:
    error = diagnose(INSTALL, lines)
    assert (error.code, error.exit, error.facts["why"]) == expected
    assert error.message.startswith(f'the build failed at "{INSTALL}": {expected[2]}\n  ')


def test_a_missing_base_image_is_no_fault_of_the_source() -> None:
    said = (
        'failed to do request: Head "https://s2i.local/v2/nosuch/manifests/1": dial tcp: lookup s2i.local: no such host'
    )
    error = diagnose("load metadata for s2i.local/nosuch:1", [said])
    assert (error.code, error.exit) == ("E_BASE_MISSING", 6)
    assert error.message == (f"the base image s2i.local/nosuch:1 is not on this machine and cannot be pulled\n  {said}")


def test_a_line_of_the_dockerfile_is_named() -> None:
    said = (
        "failed to solve with frontend dockerfile.v0: failed to create LLB definition:"
        " dockerfile parse error line 2: unknown instruction: RUNN"
    )
    error = diagnose("the build", [said])
    assert (error.code, error.where) == ("E_BUILD_DOCKERFILE", "Dockerfile:2")
    assert error.facts["why"] == "unknown instruction: RUNN"


def test_a_file_that_a_dockerfile_copies_and_nobody_has_is_named() -> None:
    error = diagnose("COPY nothere /x", ['failed to compute cache key: "/nothere" not found: not found'])
    assert (error.code, error.facts["what"]) == ("E_BUILD_DOCKERFILE", "/nothere")


def test_the_error_shows_the_last_lines_without_the_long_command_and_without_control_bytes() -> None:
    lines = ["first", "\x1b]0;owned\x07\u202e", "executor failed running [/bin/sh -c very long]: exit code: 1"]
    assert diagnose("build it", lines).message == (
        'the build failed at "build it": the command failed\n  first\n  \\x1b]0;owned\\x07\\u202e'
    )


def test_the_line_of_the_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# flask-login is not it\nflask-login\nFlask[async]==99.1  # web\n")
    with sources.fetch(sources.parse(str(tmp_path)), policy=sources.Policy.of({})) as tree:
        error = diagnose(
            INSTALL, ["Because there is no version of flask==99.1 and you"], lambda package: requirement(tree, package)
        )
    assert error.where == "requirements.txt:3"


@pytest.mark.parametrize(
    ("package", "where"),
    [("zope.interface", "pyproject.toml:3"), ("Zope_Interface>=5", "pyproject.toml:3"), ("interface", ""), ("", "")],
)
def test_a_package_is_found_however_it_is_spelt(tmp_path: Path, package: str, where: str) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["zope-interface>5"]\n')
    with sources.fetch(sources.parse(str(tmp_path)), policy=sources.Policy.of({})) as tree:
        assert requirement(tree, package) == where


def test_the_table_of_faults_names_real_errors_and_only_groups_that_are_there() -> None:
    for fault in faults():
        groups = set(re.compile(fault.pattern).groupindex)
        for text in (fault.why, fault.advice):
            assert set(re.findall(r"{(\w+)}", text)) <= groups, fault
        assert fault.kind in KINDS


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("KeyError: 'BUCKET'", "the settings cannot be imported without the environment variable BUCKET, which has no value in a build"),
        ("decouple.UndefinedValueError: BUCKET not found. Declare it as envvar or define a default value.",
         "the settings cannot be imported without the environment variable BUCKET, which has no value in a build"),
        ("django.core.exceptions.ImproperlyConfigured: Set the BUCKET environment variable",
         "the settings cannot be imported without the environment variable BUCKET, which has no value in a build"),
        ("ValueError: The file 'x.css' could not be found", "collectstatic failed"),
    ],
)  # fmt: skip
def test_a_collectstatic_that_fails_says_what_to_do(last: str, why: str) -> None:
    error = diagnose(
        "Gather Django's static files, with a key that is used nowhere else",
        ["Traceback", last, "executor failed running [python manage.py]: exit code: 1"],
    )
    assert ("E_BUILD", why) == (error.code, error.facts["why"])
    assert error.advice.endswith("leave the step out: collectstatic = false in s2i.toml")
