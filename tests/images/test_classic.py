"""A plan as the classic builder can carry it out."""

from __future__ import annotations

from s2i.images.classic import lowered
from s2i.images.context import moved
from s2i.images.dockerfile import render
from s2i.planning.plan import Base, BuildPlan, Copy, Mount, Run

PLAN = BuildPlan(
    buildpack="python", kind="job", framework="script", manager="requirements.txt", python="3.13", entry="a.py",
    start=("python", "a.py"), port=None, base=Base("3.13", "b:1", "r:1"), env=(("HOME", "/tmp"),),
    steps=(
        Copy("build", "What to install", ("requirements.txt",), "/app/"),
        Run("build", "Install", ("uv", "sync"), (("A", "1"),), (Mount("secret", "/ca", id="ca"),)),
        Copy("build", "What there is", ("/var/lib/dpkg/",), "/opt/base/", image="r:1"),
        Copy("runtime", "The environment", ("/opt/venv",), "/opt/venv", from_build=True),
        Copy("runtime", "The source", (".",), "/app/"),
    ),
)  # fmt: skip


def test_a_plan_loses_its_mounts_and_reads_the_source_from_a_folder_of_its_own() -> None:
    assert lowered(moved(PLAN), ca=False).steps == (
        Copy("build", "What to install", ("source/requirements.txt",), "/app/"),
        Run("build", "Install", ("uv", "sync"), (("A", "1"),)),
        Copy("build", "What there is", ("/var/lib/dpkg/",), "/opt/base/", image="r:1"),
        Copy("runtime", "The environment", ("/opt/venv",), "/opt/venv", from_build=True),
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
