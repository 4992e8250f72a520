"""Requirements files: read as pip does, inside the tree, hostile text refused."""

from __future__ import annotations

import pytest

from s2i.errors import S2IError
from s2i.planning import buildpack

buildpack.load("python")
from buildpacks.python import requirements  # noqa: E402 - importable once a buildpack is loaded


def read(tree_of, text, **more):
    files = {"requirements.txt": text, **{path.replace("__", "/") + ".txt": inner for path, inner in more.items()}}
    return requirements.read(tree_of(files), "requirements.txt")


@pytest.mark.parametrize(
    ("line", "name", "spec"),
    [
        ("flask", "flask", ""),
        ("Flask_SQLAlchemy == 3.1.1  # a comment", "flask-sqlalchemy", "==3.1.1"),
        ("uvicorn[standard]>=0.30,<1", "uvicorn", ">=0.30,<1"),
        ("gunicorn (>=20)", "gunicorn", ">=20"),
        ("gunicorn>=23; sys_platform != 'win32'", "gunicorn", ">=23"),
        ("thing @ https://example.com/thing-1.0.tar.gz", "thing", ""),
        ("flask \\\n  >= 3", "flask", ">=3"),
        ("flask==3.0.3 \\", "flask", "==3.0.3"),
        ("flask==3.0.3 \\\n    --hash=sha256:abc123", "flask", "==3.0.3"),
        ("\ufeffflask", "flask", ""),
    ],
)
def test_a_requirement_is_read(tree_of, line, name, spec):
    found = read(tree_of, line).found
    assert [(name, spec, "requirements.txt:1")] == [(r.name, r.spec, r.where) for r in found]


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("-r requirements.txt\n", "E_REQ_CYCLE", "requirements.txt"),
        ("\n-r ../other.txt\n", "E_PATH_ESCAPE", "requirements.txt:2"),
        ("-r /etc/passwd\n", "E_PATH_ESCAPE", "requirements.txt:1"),
        ("-c https://example.com/pins.txt\n", "E_REQ_URL", "requirements.txt:1"),
        ("-r missing.txt\n", "E_REQ", "requirements.txt:1"),
        ("--trusted-host evil.example\n", "E_REQ_OPTION", "requirements.txt:1"),
        ("--index-url http://pypi.example/simple\n", "E_REQ_OPTION", "requirements.txt:1"),
        ("--index-url https://user:word@pypi.example/simple\n", "E_REQ_OPTION", "requirements.txt:1"),
        ("x @ file:///etc/passwd\n", "E_REQ_LOCAL", "requirements.txt:1"),
        ("file:///etc\n", "E_REQ_LOCAL", "requirements.txt:1"),
        ("-e ../other\n", "E_PATH_ESCAPE", "requirements.txt:1"),
        ("./missing\n", "E_REQ", "requirements.txt:1"),
        ("x @ git+ext::sh -c id\n", "E_REQ", "requirements.txt:1"),
        ("flask; touch /tmp/x\n", "E_REQ", "requirements.txt:1"),
        ("$(touch /tmp/x)\n", "E_REQ", "requirements.txt:1"),
        ("flask==${VERSION}\n", "E_REQ", "requirements.txt:1"),
        ("fla\x1b[31msk\n", "E_REQ", "requirements.txt:1"),
    ],
)
def test_a_hostile_line_is_refused(tree_of, text, code, where):
    with pytest.raises(S2IError) as refused:
        read(tree_of, text)
    assert (code, where) == (refused.value.code, refused.value.where)


def test_a_letter_that_only_looks_like_ascii_is_unmasked(tree_of):
    with pytest.raises(S2IError) as refused:
        read(tree_of, "fl\u0430sk\n")
    assert refused.value.message == r'not a requirement: "fl\u0430sk"'


def test_a_version_with_one_equal_sign_is_written_as_it_has_to_be(tree_of):
    with pytest.raises(S2IError) as refused:
        read(tree_of, "flask=3.0\n")
    assert refused.value.message == 'not a requirement: "flask=3.0": a version has two equal signs: flask==3.0'


def test_included_files_are_found_beside_the_one_that_includes_them(tree_of):
    found = read(
        tree_of, "-r requirements/web.txt\n", requirements__web="-c pins.txt\nflask\n", requirements__pins="flask==3\n"
    )
    assert found.files == ("requirements.txt", "requirements/web.txt", "requirements/pins.txt")
    assert [r.name for r in found.found] == ["flask"]


def test_twenty_levels_of_files_are_read_and_no_more(tree_of):
    chain = {f"r{number}": f"-r r{number + 1}.txt\n" for number in range(40)}
    with pytest.raises(S2IError) as refused:
        read(tree_of, "-r r0.txt\n", **chain, r40="flask\n")
    assert refused.value.code == "E_REQ_DEPTH"


def test_a_folder_of_the_source_needs_the_source(tree_of):
    assert read(tree_of, "-e .\nflask\n").local
    assert not read(tree_of, "flask\n").local


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("flask\n".encode("utf-16"), True),
        (b"flask \\\n>=3\n", True),
        (b"flask==3 \\\n --hash=sha256:ab\n", False),
        (b"flask\n", False),
    ],
)
def test_what_uv_cannot_read_is_rewritten(tree_of, text, rewritten):
    assert rewritten == bool(read(tree_of, text).rewrite)


def test_the_extras_of_a_requirement_are_kept():
    assert requirements.parse("psycopg[binary, Pool_x]>=3 ; python_version > '3'", "a:1").extras == ("binary", "pool-x")
    assert requirements.parse("a @ https://x/y[z].whl", "a:1").extras == ()
