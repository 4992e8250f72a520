"""Faults of the engine's own: each is known by what an engine has said, and by nothing that a step can print."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.engines.docker import connection
from s2i.errors import E_BUILD, E_BUILD_LATER, S2IError
from s2i.images import ended, passing
from s2i.images.api import ApiReader
from s2i.images.events import StepEvent
from s2i.images.progress import PlainReader
from s2i.images.steps import StepNames
from s2i.sources import Notice

RECORDED = Path(__file__).parent / "recorded"
SHA, OTHER = "sha256:" + "8385c406" * 8, "sha256:" + "49503bbf" * 8
SAID = (
    f'failed to prepare extraction snapshot "extract-199909229-um4a {SHA}": parent snapshot {OTHER} does not exist: not found',
    f"failed to prepare {SHA} as ijagve9lolxtblz9u3xb4ov0p: parent snapshot {SHA} does not exist: not found",
    f"failed to prepare {SHA} as kcty4fbxag6hngkemyhs5dn82: open /var/lib/docker/overlay2/q32w4cbarh6m1wpr169nbtyib/"
    ".tmp-committed2557151495: no such file or directory",
    f"failed to export image: failed to set parent {SHA}: unknown parent image ID {SHA}",
    f"No such image: {SHA}",
    f"failed to export image: failed to create image: failed to get layer {SHA}: layer does not exist",
)
# A step of the user's that fails: what engines say of it, whatever it printed.
STEPS = (
    'process "/bin/sh -c echo parent snapshot sha256:1 does not exist: not found; exit 1" did not complete successfully: exit code: 1',
    "executor failed running [/bin/sh -c echo unknown parent image ID x; exit 1]: exit code: 1",
    "The command '/bin/sh -c echo layer does not exist; exit 1' returned a non-zero code: 1",
    "failed to compute cache key: failed to calculate checksum of ref x::y: \"/nothing\": not found",
    "No such image: nobody/nothing:1",
)  # fmt: skip


def test_each_row_is_shown_by_what_an_engine_has_said() -> None:
    assert [passing.fault(said) for said in SAID] == list(passing.faults())
    assert [row.seen.partition("github.com")[0] for row in passing.faults()] == ["https://"] * len(SAID)


@pytest.mark.parametrize("said", SAID)
def test_a_client_may_put_its_own_words_before_it(said: str) -> None:
    assert passing.fault(f"rpc error: code = Unknown desc = {said}") == passing.fault(said) is not None


@pytest.mark.parametrize("said", STEPS)
def test_what_a_step_of_the_user_does_is_never_taken_for_one(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "wire", lambda timeout: None)
    failed = StepEvent("failed", "1", "RUN x", line=said)
    assert ended.judge(1, "RUN x", (*SAID, said), failed=failed) is None  # type: ignore[func-returns-value]


def test_it_is_found_in_what_a_client_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "wire", lambda timeout: None)
    reader = PlainReader(StepNames("FROM x\n"))
    for line in ("#9 exporting to image", "#9 unpacking to docker.io/x:1 0.1s done", f"#9 ERROR: {SAID[0]}"):
        list(reader.feed(line.encode()))
    assert reader.log.failed is not None
    with pytest.raises(S2IError) as caught:
        ended.judge(1, reader.log.failed.name, reader.log.lines(), failed=reader.log.failed)
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_LATER", 75)
    assert caught.value.message == (
        'the engine failed at "write the image" by a fault of its own, twice:'
        f" it collected a layer as left over while it wrote the image\n  {SAID[0]}"
    )


def test_it_is_found_in_what_an_engine_tells_over_its_api() -> None:
    reader = ApiReader(StepNames("FROM x\n"))
    for line in (RECORDED / "api-lost-layer.txt").read_bytes().splitlines():
        list(reader.feed(line))
    assert reader.log.failed is not None
    assert (reader.log.failed.name, reader.whole, reader.image) == ("write the image", True, "")
    assert passing.fault(reader.log.failed.line) == passing.faults()[0]


@pytest.mark.parametrize("faults", [0, 1, 2])
def test_a_second_try_is_made_and_no_third(faults: int) -> None:
    tries: list[int] = []
    notices: list[Notice] = []

    def build() -> str:
        tries.append(1)
        if len(tries) <= faults:
            raise E_BUILD_LATER(step="write the image", why="it lost a layer", log=())
        return "made"

    if faults < 2:
        assert passing.twice(build, notices.append) == "made"
    else:
        with pytest.raises(S2IError, match="twice: it lost a layer"):
            passing.twice(build, notices.append)
    assert len(tries) == min(faults + 1, 2)
    text = "the engine failed by a fault of its own (it lost a layer): the image is built once more"
    assert notices == [Notice("W_BUILT_AGAIN", text)] * min(faults, 1)


def test_what_the_source_is_the_cause_of_is_tried_once() -> None:
    tries: list[int] = []

    def build() -> None:
        tries.append(1)
        raise E_BUILD(step="RUN x", why="the command failed", log=())

    with pytest.raises(S2IError, match="the command failed"):
        passing.twice(build, lambda notice: None)
    assert tries == [1]
