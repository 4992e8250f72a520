"""A Dockerfile is read as the builder reads it: directives, logical lines, variables."""

from __future__ import annotations

import pytest

from s2i.errors import S2IError
from s2i.planning.dockerfile import check, frontend, instructions
from s2i.planning.remote import check_remote
from s2i.planning.stages import bases, check_workdirs


@pytest.mark.parametrize("mark", ["\x00", "\x0b", "\x0c", "\x1c", "\x1e", "\x7f", "\x85", "\u2028", "\r"])
def test_what_only_some_take_for_the_end_of_a_line_is_refused(mark: str) -> None:
    with pytest.raises(S2IError) as caught:
        check(f"# x=y\n#{mark}FROM a\n# syntax=evil.invalid/frontend:1\nFROM b\n")
    assert (caught.value.code, caught.value.where) == ("E_DOCKERFILE", "Dockerfile:2")


@pytest.mark.parametrize(
    "text",
    [
        "# escape=`\nFROM a\n",
        '{"syntax": "evil.invalid/x"}',
        '#!/bin/x\n{"syntax": "evil.invalid/x"}',
        "FROM a\nRUN echo \\\\\nRUN b\n",
        "FROM a\nRUN <<RUN\nRUN\n",
        "FROM a\nRUN <<'E x'\nE x\n",
        "FROM a\nRUN <<E\\\\x\nE\n",
    ],
)
def test_what_builders_read_in_different_ways_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        check(text)
    assert caught.value.code == "E_DOCKERFILE"


def test_a_plain_dockerfile_is_not_refused() -> None:
    check('# escape=\\\r\nFROM a\r\nRUN <<EOF\n\tx\nEOF\nCMD ["a"]\n')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("# syntax=x\nFROM a\n", ("x", 1)),
        ("\ufeff#Syntax = x y\nFROM a\n", ("x y", 1)),
        ("#!/usr/bin/env x\n// syntax=x\n", ("x", 2)),
        ("# check=skip=all\n# syntax=x\n", ("x", 2)),
        ("FROM a\n# syntax=x\n", ("", 0)),
    ],
)
def test_a_frontend_is_found_in_every_style(text: str, value: tuple[str, int]) -> None:
    assert frontend(text) == value


def test_parts_of_a_line_are_joined_with_nothing_between() -> None:
    text = "FR\\\nOM a\nRUN a \\  \n # note\n\n b\nRUN <<-EOF\nFROM x\n\tEOF\nWORKDIR /a"
    read = [(step.word, step.rest, step.line) for step in instructions(text)]
    assert read == [("FROM", "a", 1), ("RUN", "a  b", 3), ("RUN", "<<-EOF", 7), ("WORKDIR", "/a", 10)]


def test_a_document_that_never_ends_hides_nothing() -> None:
    assert bases("FROM a\nRUN <<EOF\nFROM b\n") == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "ARG B=evil:1\nFROM $B\n",
        "ARG B=evil\nFROM ${B}:1\n",
        "FROM ${B:-evil:1}\n",
        'ARG A=evil B="$A:1"\nFROM "$B"\n',
        "FROM \\\n  evil:1\n",
        "ARG B=evil:1\nARG X=2\nFROM --platform=$BUILDPLATFORM $B AS a\nFROM a\n",
    ],
)
def test_the_image_behind_a_variable_is_found(text: str) -> None:
    assert bases(text) == ("evil:1",)


@pytest.mark.parametrize(
    "text", ["FROM $B\n", "ARG B\nFROM $B\n", "FROM a-$TARGETARCH\n", "FROM ${B:+x}\n", "FROM e\\vil\n", "FROM\n"]
)
def test_an_image_that_cannot_be_told_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        bases(text)
    assert caught.value.code == "E_DOCKERFILE"


@pytest.mark.parametrize(
    "lines",
    [
        "WORKDIR /proc/self/fd",
        "WORKDIR /proc\nWORKDIR self/fd",
        "WORKDIR /app\nWORKDIR ../proc",
        "WORKDIR //proc",
        'WORKDIR "/dev/fd"',
        "ENV P=/proc\nWORKDIR $P/self/fd",
        "ENV P /proc\nWORKDIR ${P}",
        "ENV P=/proc\nARG P=/app\nWORKDIR $P",
        "ARG P=/pr\nENV Q=${P}oc\nWORKDIR $Q",
        "WORKDIR \\\n /proc/self/fd",
        "WORKDIR /pr\\\noc",
        "WORKDIR $HOME",
        "WORKDIR /pr\\oc",
        "ENV P=/app Q='a\\' R=b\nWORKDIR $P",
        "ONBUILD WORKDIR proc",
        "ENV P=/app\nONBUILD ENV P=/proc\nFROM one\nWORKDIR $P",
        "ARG P=/app\nFROM one\nWORKDIR $P/proc",
    ],
)
def test_a_folder_that_may_be_the_kernels_is_refused(lines: str) -> None:
    with pytest.raises(S2IError) as caught:
        check_workdirs(f"FROM a AS one\n{lines}\n")
    assert caught.value.code == "E_DOCKERFILE"


def test_folders_whose_variables_are_plain_are_not_refused() -> None:
    check_workdirs(
        'ARG TOP=/srv\nFROM a AS one\nARG TOP\nENV APP=$TOP/app  OTHER="a \\" b"\nWORKDIR $APP\nWORKDIR src\n'
        "FROM one\nWORKDIR ${APP}/process\nWORKDIR proc\n"
    )


def test_a_dockerfile_that_is_not_used_may_have_folders_that_nobody_can_tell() -> None:
    check_workdirs("FROM a\nWORKDIR $HOME\n", unknown=False)


def test_images_that_files_are_taken_from_are_bases_too_and_stages_are_not() -> None:
    text = """FROM a AS One
COPY --chown=1 --from=b:2 /x /x
COPY --from=one /x /y
COPY --from=0 /x /z
RUN --network=none --mount=type=bind,from=c,target=/c --mount=type=cache,target=/k cat /c/--from=d
RUN echo --mount=from=e
"""
    assert bases(text) == ("a", "b:2", "c")


def test_thousands_of_here_documents_that_never_end_are_read_at_once() -> None:
    text = "FROM a\n" + "RUN <<A\n" * 100_000
    assert sum(1 for _ in instructions(text)) == 100_001


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:2375/x", "http://127.1/x", "http://2130706433/x", "http://0x7f000001/", "https://localhost/x",
        "http://[::1]/x", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest", "http://db/x", "git://10.0.0.1/r",
        "http://a.localhost./x", "https://$HOST/x", "http://user@192.168.0.1/x", "ssh://git@intranet/r.git",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["ADD {} /x", 'ADD ["{}", "/x"]', "ADD --checksum=sha256:0 {} /x"])
def test_nothing_is_added_from_the_network_of_the_engine(url: str, form: str) -> None:
    with pytest.raises(S2IError) as caught:
        check_remote(f"FROM a\n{form.format(url)}\n")
    assert (caught.value.code, caught.value.where) == ("E_DOCKERFILE", "Dockerfile:2")


def test_what_is_public_may_be_added() -> None:
    check_remote(
        "FROM a\nADD https://example.com/x.tgz https://1.1.1.1/x /x/\nADD . /app\nRUN curl http://127.0.0.1/\n"
    )
