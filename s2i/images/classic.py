"""The last resort: the engine's classic builder, through its API. No mounts, no secrets, no parallel stages.

It runs as a process of its own (``python -m s2i.images.classic``), so that it is watched, timed and ended like the
other clients: when it goes, the engine ends the build and removes what was under way.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from s2i.images.events import StepEvent
from s2i.images.log import BuildLog, readable
from s2i.images.steps import StepNames
from s2i.planning.plan import BuildPlan, Copy, Run, Step, stages

CA = "ca.pem"  # the machine's CA bundle, beside it
TRUST = "/etc/ssl/certs/ca-certificates.crt"
DAY = 86400.0  # whoever started this process ends it sooner
# "Step 3/9 : RUN ..." of Docker, "[1/2] STEP 3/4: RUN ..." of Podman, which begins anew in each stage.
_STEP = re.compile(r"(?:Step|(?:\[\d+/\d+\] )?STEP) \d+/\d+ ?: (.*)", re.DOTALL)
_COMMIT = re.compile(r"(?:\[\d+/\d+\] )?COMMIT .*", re.DOTALL)
_CACHED = (" ---> Using cache", "--> Using cache")
_ASIDE = (" ---> ", "--> ", "Removing intermediate container ")
_TRUSTED = "The certificate authorities that this machine trusts"


def lowered(plan: BuildPlan, ca: bool) -> BuildPlan:
    """Return ``plan``, moved already, without mounts; with ``ca`` the bundle CA of the context is copied instead.

    Only what is not shipped gets the bundle: nothing of it is in the image.
    """
    downloads = any(isinstance(step, Run) and step.mounts for step in plan.steps)
    steps = tuple(map(_lowered, plan.steps))
    if ca and downloads:
        # Into each stage that starts from a base image and is not shipped; the others start from one of these.
        first = tuple(stage for stage, below in stages(plan) if below is None and stage != "runtime")
        steps = (*(Copy(stage, _TRUSTED, (CA,), TRUST) for stage in first), *steps)
    return msgspec.structs.replace(plan, steps=steps)


def _lowered(step: Step) -> Step:
    return msgspec.structs.replace(step, mounts=()) if isinstance(step, Run) else step


class ClassicReader:
    """Reads what the engine's API streams: one JSON object a line."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._step, self._name, self._began, self._cached = "", "", time.monotonic(), False
        self._rest, self._count = "", 0

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        """Take one line, yield the events that it completes."""
        try:
            row = msgspec.json.decode(line, type=_Row)
        except msgspec.MsgspecError:
            self.log.remark(line.decode(errors="replace"))
            return
        yield from self.log.note(self._events(row))

    def _events(self, row: _Row) -> Iterator[StepEvent]:
        # What a step prints comes as it was written, in pieces.
        *lines, self._rest = (self._rest + row.stream).split("\n")
        if row.error:
            lines.append(self._rest)
        for line in lines:
            yield from self._line(readable(line))
        if row.error:
            yield StepEvent("failed", self._step, self._name or "the build", self._seconds(), readable(row.error))

    def _line(self, text: str) -> Iterator[StepEvent]:
        if found := _STEP.fullmatch(text):
            yield from self._end()
            self._count += 1
            self._step, self._name = str(self._count), self._names.numbered(self._count, found[1])
            self._began, self._cached = time.monotonic(), False
            if self._name:
                yield StepEvent("started", self._step, self._name)
        elif text.startswith(_CACHED):
            self._cached = True
        elif text.startswith("Successfully built ") or _COMMIT.fullmatch(text):
            yield from self._end()
        elif self._name and text.strip() and not text.startswith(_ASIDE):
            yield StepEvent("log", self._step, self._name, self._seconds(), text)

    def _end(self) -> Iterator[StepEvent]:
        if self._name:
            status, seconds = ("cached", 0.0) if self._cached else ("done", self._seconds())
            yield StepEvent(status, self._step, self._name, seconds)  # type: ignore[arg-type]
        self._name = ""

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)


class _Row(msgspec.Struct):
    stream: str = ""
    error: str = ""


def main(arguments: Sequence[str]) -> int:
    """Build what the arguments say (see command.argv), print what the engine streams; return the exit status."""
    import docker.errors

    from s2i.engines.docker import connection

    given = _parser().parse_args(arguments)
    api = connection.client(timeout=DAY).api
    identity, failed = "", False
    tags: list[str] = given.tag
    try:
        for row in api.build(
            # The engine names the image itself: one made for a process that is killed is not left without a name.
            tag=tags[0] if tags else None,
            path=str(given.context), dockerfile=_within(given.context, given.file),
            rm=True, forcerm=True, pull=False, decode=True,
            nocache=given.no_cache, labels=dict(label.split("=", 1) for label in given.label),
            buildargs=dict(map(_argument, given.build_arg)), network_mode=given.network,
        ):  # fmt: skip
            print(json.dumps(row), flush=True)
            identity = row.get("aux", {}).get("ID", identity)
            failed = failed or "error" in row
    except docker.errors.APIError as error:  # a Dockerfile that cannot be parsed is refused before anything streams
        print(json.dumps({"error": str(error.explanation)}), flush=True)
        failed = True
    if failed or not identity:
        return 1
    for tag in tags[1:]:
        repository, _, version = tag.rpartition(":")
        api.tag(identity, repository, version)
    given.iidfile.write_text(identity)
    return 0


def _within(context: Path, file: Path) -> str:
    """Return the path of the Dockerfile ``file`` in ``context``, where it is put when there is room for it.

    Podman takes it from nowhere else, and a name that is new each time would be in what `COPY .` copies.
    """
    inside = context / "Dockerfile"
    if not os.path.lexists(inside):
        inside.write_bytes(file.read_bytes())
    same = not inside.is_symlink() and inside.is_file() and inside.read_bytes() == file.read_bytes()
    return "Dockerfile" if same else str(file)


def _argument(text: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE, or of NAME as the environment has it, as other clients do."""
    name, equals, value = text.partition("=")
    return name, value if equals else os.environ[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s2i.images.classic")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--iidfile", type=Path, required=True)
    parser.add_argument("--network", default="default")
    parser.add_argument("--pull", choices=["false"], default="false")
    parser.add_argument("--no-cache", action="store_true")
    for name in ("--tag", "--label", "--build-arg"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("context", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
