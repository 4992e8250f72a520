"""What steps are called: the comment above an instruction."""

from __future__ import annotations

import pytest

from s2i.images.steps import StepNames

DOCKERFILE = """# syntax=docker/dockerfile:1

# Tools stay here.
FROM --platform=linux/amd64 python:3.13 AS build
WORKDIR /app
# Install the dependencies
RUN --mount=type=cache,target=/c \\
    # a comment within
    pip install -r requirements.txt

RUN   true
FROM python:3.13-slim
COPY --from=build ["/opt/venv", "/opt/venv"]
# The source, last
COPY . /app/
CMD ["gunicorn"]
"""


@pytest.mark.parametrize(
    ("vertex", "name"),
    [
        ("[build 1/4] FROM python:3.13", "start from python:3.13"),
        ("[build 2/4] WORKDIR /app", ""),
        ("[build 3/4] RUN --mount=type=cache,target=/c     pip install", "Install the dependencies"),
        ("[build 4/4] RUN true", "RUN true"),
        ("[stage-1 1/3] FROM python:3.13-slim", "start from python:3.13-slim"),
        ("[stage-1 3/3] COPY . /app/", "The source, last"),
        ("[internal] load build definition from Dockerfile", ""),
        ("[internal] load metadata for docker.io/library/python:3.13", ""),
        ("[auth] library/python:pull token for registry", ""),
        ("exporting to image", "write the image"),
        ("something new", "something new"),
        ("[build 9/9] RUN more", "RUN more"),
        ("[stage-1 3/3] RUN not what the Dockerfile says", "RUN not what the Dockerfile says"),
    ],
)
def test_a_vertex_is_called_what_the_comment_says(vertex: str, name: str) -> None:
    assert StepNames(DOCKERFILE).name(vertex) == name


def test_a_step_that_failed_always_has_a_name() -> None:
    names = StepNames(DOCKERFILE)
    assert names.failed("[internal] load metadata for nosuch:1") == "load metadata for nosuch:1"
    assert names.failed("[build 2/4] WORKDIR /app") == "WORKDIR /app"
    assert names.failed("[build 3/4] RUN x") == "Install the dependencies"


def test_the_classic_builder_counts_every_instruction() -> None:
    names = StepNames(DOCKERFILE)
    assert [names.numbered(number, text) for number, text in [
        (1, "FROM python:3.13 AS build"), (2, "WORKDIR /app"), (3, "RUN pip"), (4, "RUN true"),
        (5, "FROM python:3.13-slim"), (7, "COPY . /app/"), (8, 'CMD ["gunicorn"]'), (9, "LABEL a=b"),
    ]] == [
        "start from python:3.13", "", "Install the dependencies", "RUN true",
        "start from python:3.13-slim", "The source, last", "", "",
    ]  # fmt: skip


def test_a_dockerfile_of_one_stage_has_vertices_without_a_stage() -> None:
    names = StepNames("FROM scratch\n# Put it in\nCOPY . /\n")
    assert names.name("[2/2] COPY . /") == "Put it in"


def test_a_name_that_is_too_long_is_cut() -> None:
    assert len(StepNames(f"FROM a\nRUN {'x' * 5000}\n").name("[2/2] RUN xxx")) == 201
