"""A plan as the classic builder can carry it out."""

from __future__ import annotations

from pathlib import Path

from s2i.images.classic import ClassicReader, _within, lowered
from s2i.images.context import moved
from s2i.images.dockerfile import render
from s2i.images.steps import StepNames
from s2i.planning.plan import Base, BuildPlan, Copy, Mount, Run

PLAN = BuildPlan(
    buildpack="python", kind="job", framework="script", manager="requirements.txt", python="3.13", entry="a.py",
    start=("python", "a.py"), port=None, base=Base("3.13", "b:1", "r:1"), env=(("HOME", "/tmp"),),
    steps=(
        Copy("build", "What to install", ("requirements.txt",), "/app/"),
        Run("build", "Install", ("uv", "sync"), (("A", "1"),), (Mount("secret", "/ca", id="ca"),)),
        Copy("build", "What there is", ("/var/lib/dpkg/",), "/opt/base/", image="r:1"),
        Copy("runtime", "The environment", ("/opt/venv",), "/opt/venv", from_stage="build"),
        Copy("runtime", "The source", (".",), "/app/"),
    ),
)  # fmt: skip


def test_a_plan_loses_its_mounts_and_reads_the_source_from_a_folder_of_its_own() -> None:
    assert lowered(moved(PLAN), ca=False).steps == (
        Copy("build", "What to install", ("source/requirements.txt",), "/app/"),
        Run("build", "Install", ("uv", "sync"), (("A", "1"),)),
        Copy("build", "What there is", ("/var/lib/dpkg/",), "/opt/base/", image="r:1"),
        Copy("runtime", "The environment", ("/opt/venv",), "/opt/venv", from_stage="build"),
        Copy("runtime", "The source", ("source/.",), "/app/"),
    )


def test_the_ca_bundle_is_copied_into_the_build_stage_alone() -> None:
    text = render(lowered(moved(PLAN), ca=True))
    build, runtime = text.split("# Runtime stage")
    assert 'COPY ["ca.pem", "/etc/ssl/certs/ca-certificates.crt"]' in build
    assert "ca.pem" not in runtime
    assert "--mount" not in text


def test_a_plan_that_downloads_nothing_gets_no_bundle() -> None:
    plan = BuildPlan(
        buildpack="python", kind="job", framework="script", manager="none", python="3.13", entry="a.py",
        start=("python", "a.py"), base=Base("3.13", "b:1", "r:1"), steps=(Copy("runtime", "The source", (".",), "/app/"),),
    )  # fmt: skip
    assert lowered(moved(plan), ca=True).steps == (Copy("runtime", "The source", ("source/.",), "/app/"),)


PODMAN = """\
{"stream":"[1/2] STEP 1/3: FROM s2i.local/python:3.11 AS build\\n"}
{"stream":"[1/2] STEP 2/3: RUN echo hi \\u003e /x\\n"}
{"stream":"--\\u003e Using cache 8a7449f5dec9d2a6da960e715ad02141332155d8ae0e67e71001575a8f133e5a\\n"}
{"stream":"--\\u003e 8a7449f5dec\\n"}
{"stream":"[1/2] STEP 3/3: RUN echo ho\\n"}
{"stream":"ho\\n"}
{"stream":"--\\u003e b89ba8332d4\\n"}
{"stream":"[2/2] STEP 1/4: FROM s2i.local/python:3.11\\n"}
{"stream":"[2/2] STEP 2/4: COPY --from=build /x /x\\n"}
{"stream":"--\\u003e 0903706de88\\n"}
{"stream":"[2/2] STEP 3/4: LABEL \\"a\\"=\\"b\\"\\n"}
{"stream":"[2/2] COMMIT docker.io/library/zz:1\\n"}
{"stream":"Successfully tagged docker.io/library/zz:1\\n"}
{"aux":{"ID":"sha256:410a926d91dfa1a36d84cb0cdeb10b38a81295d8e89d0fa0a7f451bb392e6387"}}
{"stream":"Successfully built 410a926d91df\\n"}
"""


def test_what_podman_says_is_read_the_same() -> None:
    text = (
        "FROM s2i.local/python:3.11 AS build\n# Say hi\nRUN echo hi > /x\n# Say ho\nRUN echo ho\n"
        "FROM s2i.local/python:3.11\n# Take it\nCOPY --from=build /x /x\n"
    )
    reader = ClassicReader(StepNames(text))
    events = [event for line in PODMAN.splitlines() for event in reader.feed(line.encode())]
    assert [(event.status, event.name, event.line) for event in events if event.status != "started"] == [
        ("done", "start from s2i.local/python:3.11", ""),
        ("cached", "Say hi", ""),
        ("log", "Say ho", "ho"),
        ("done", "Say ho", ""),
        ("done", "start from s2i.local/python:3.11", ""),
        ("done", "Take it", ""),
    ]


def test_a_dockerfile_from_beside_the_context_is_put_into_it(tmp_path: Path) -> None:
    context, file = tmp_path / "context", tmp_path / "Dockerfile"
    context.mkdir()
    file.write_text("FROM a\n")
    assert (_within(context, file), (context / "Dockerfile").read_text()) == ("Dockerfile", "FROM a\n")
    assert _within(context, file) == "Dockerfile"


def test_a_file_of_the_source_with_that_name_is_left_as_it_is(tmp_path: Path) -> None:
    context, file = tmp_path / "context", tmp_path / "Dockerfile"
    context.mkdir()
    file.write_text("FROM a\n")
    (context / "Dockerfile").write_text("FROM another\n")
    assert (_within(context, file), (context / "Dockerfile").read_text()) == (str(file), "FROM another\n")


def test_a_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    context, file = tmp_path / "context", tmp_path / "Dockerfile"
    context.mkdir()
    file.write_text("FROM a\n")
    (context / "Dockerfile").symlink_to(tmp_path / "elsewhere")
    assert (_within(context, file), (tmp_path / "elsewhere").exists()) == (str(file), False)
